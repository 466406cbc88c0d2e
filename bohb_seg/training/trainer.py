"""Trains and scores one model, one epoch at a time.

An epoch is one call of Keras' own ``fit`` on uint8 images in an order that we chose, so the speed
is Keras' and all randomness is ours: nothing is drawn from a global generator, and an epoch is the
same whether the epochs before it ran here or come from a checkpoint, whether the model was compiled
for this evaluation or for an earlier one of the same shape, and whether its patches lie in memory
or in a store.

The last batch has fewer patches. On TensorFlow that traces nothing again. Elsewhere it is filled
up with patches whose labels are ignored, so that it is a batch like the others.
"""

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import keras
import numpy as np
from numpy.typing import NDArray

from bohb_seg import plugins
from bohb_seg.data.patch_sets import PatchSet
from bohb_seg.errors import SettingsError
from bohb_seg.plugins.hyperparameters import ModelDeclaration
from bohb_seg.training import devices, metrics
from bohb_seg.training.checkpoints import Checkpoint, EpochRecord, Weights
from bohb_seg.training.feeding import Arrays, feed
from bohb_seg.training.graph import augmentation, compile_cache
from bohb_seg.training.graph.architecture import Architecture, Build
from bohb_seg.training.graph.compile_cache import release
from bohb_seg.training.graph.compiled_model import FILLER, Shape
from bohb_seg.training.graph.dropout import PlainDropout
from bohb_seg.training.graph.losses import Formula
from bohb_seg.training.prediction import PREDICTED_PIXELS
from bohb_seg.training.recipe import Recipe
from bohb_seg.training.seeds import EpochSeeds
from bohb_seg.trials import IGNORE

__all__ = ["Trainer", "TrainingSpec", "architecture", "release"]

BATCHES_BETWEEN_CHECKS = 8
"""How often the loss is looked at for divergence: each look waits for an accelerator."""


def architecture(model: str, declaration: ModelDeclaration) -> Architecture:
    """Imports a model plug-in.

    Args:
        model: The plug-in, as ``--model`` names it.
        declaration: What its file states.

    Raises:
        UnknownPluginError: there is no such model.
        PluginError: its file is missing, is none, or fails.
    """
    # Another content of the same file is another architecture.
    name = " ".join(filter(None, [model, plugins.digest("models", model)[:8]]))
    build = partial(_built, model, plugins.find("models", model).build)
    return Architecture(name, build, declaration.rates)


def _built(
    model: str, build: Build, hyperparameters: Mapping[str, Any], bands: int = 3, **options: Any
) -> keras.Model:
    if "bands" in inspect.signature(build).parameters:
        options["bands"] = bands
    elif bands != 3:
        raise SettingsError(
            f"--model {model} takes images of 3 bands, not of {bands}: its function build has no"
            " argument 'bands'; add it, or choose three with --bands"
        )
    with plugins.blaming("models", model):
        return build(hyperparameters, **options)


@dataclass(frozen=True)
class TrainingSpec:
    """All that a training follows from, besides the data and the random numbers.

    Args:
        recipe: The configuration, complete.
        architecture: The model plug-in.
        classes: Number of classes C.
        policy: Keras' dtype policy.
        patches: Number of training patches.
        horizon: Epochs after which the learning rate schedule ends.
        bands: Number of the images' bands.
    """

    recipe: Recipe
    architecture: Architecture
    classes: int
    policy: str
    patches: int
    horizon: float
    bands: int = 3

    @property
    def shape(self) -> Shape:
        """The shape that its model is compiled for."""
        return Shape.of(self.architecture, self.classes, self.policy, self.recipe, self.bands)

    def memory_key(self, patch_size: int) -> str:
        """Name of all that decides how many patches fit into memory, for people and as a key."""
        return f"{self.shape}, {patch_size} px"

    def build(self, seed: int, policy: str | None = None) -> keras.Model:
        """A new model of Keras' own layers with weights drawn from ``seed``."""
        hyperparameters = self.recipe.model
        return self.architecture.build(
            hyperparameters,
            classes=self.classes,
            precision=policy or self.policy,
            seed=seed,
            dropout=PlainDropout(hyperparameters, seed).layer,
            bands=self.bands,
        )

    @property
    def steps(self) -> int:
        """Steps of the learning rate schedule, at least one."""
        batches = math.ceil(self.patches / self.recipe.batch_size)
        return max(1, round(self.horizon * batches))


@final
class Trainer:
    """A model and its optimizer in training.

    Args:
        spec: What to train.
        seeds: Seeds of the initial weights.
        micro_batch: Patches that are computed at a time, where a batch does not fit into memory;
            the gradients are the batch's all the same. None: the whole batch.

    Whatever the device raises when its memory is exhausted comes out of :meth:`epoch` and
    :meth:`score` as it is; then :meth:`close` drops the model instead of keeping it.
    """

    def __init__(
        self, spec: TrainingSpec, seeds: EpochSeeds, micro_batch: int | None = None
    ) -> None:
        recipe = spec.recipe
        self.micro_batch = micro_batch
        self._spec, self._recipe = spec, recipe
        self._layout = _BatchLayout.of(recipe.batch_size, micro_batch)
        self._key = spec.shape, self._layout.micro
        self._compiled = compile_cache.take(*self._key)
        self._set_weights(spec.build(seeds.graph).get_weights())
        self._compiled.optimizer.begin(recipe, spec.steps)
        loss_model = self._compiled.loss_model
        loss_model.formula.assign(Formula.of(recipe, spec.classes).vector())
        loss_model.rates.assign([recipe.model[name] for name in spec.architecture.rates])
        self._intact = True

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return int(self._compiled.model.count_params())

    @property
    def learning_rate(self) -> float:
        """The learning rate that the next step would have."""
        return float(keras.ops.convert_to_numpy(self._compiled.optimizer.keras.learning_rate))

    def epoch(self, patches: PatchSet, seeds: EpochSeeds) -> float:
        """Trains on every patch once.

        Args:
            patches: At least one.
            seeds: Seeds of this epoch.

        Returns:
            Mean loss; NaN or infinite as soon as it was seen to be so, the rest is not trained.

        Raises:
            DataError: a store is damaged, or cannot be read.
        """
        count, layout = len(patches), self._layout
        order = seeds.order.permutation(count)
        rows, filler = layout.arrange(count)
        order, views = order[rows], self._views(count, seeds, rows)

        def inputs(some: slice) -> Arrays:
            images, labels = patches.read(order[some])
            graph = (seeds.graph + rows[some]).astype(np.int32)
            labels[filler[some]], graph[filler[some]] = IGNORE, FILLER
            return images, labels, graph, *(each[some] for each in views)

        self._intact = False
        at_once = patches.held is not None
        with feed(inputs, len(rows), layout.per_step, at_once=at_once, even=layout.fills) as fed:
            history = self._compiled.loss_model.fit(
                fed.x,
                batch_size=fed.batch_size,
                steps_per_epoch=fed.steps,
                shuffle=False,
                verbose=0,
                callbacks=[_StopAtDivergence()],
            )
        # An accelerator's error may come only now.
        loss = float(history.history["loss"][-1])
        self._intact = True
        return loss

    def _views(
        self, count: int, seeds: EpochSeeds, rows: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], ...]:
        """Views of the patches in each row; none if nothing is augmented."""
        strength = self._recipe.augmentation
        if strength is None:
            return ()
        return (augmentation.draw(count, strength, seeds.order, self._spec.bands)[rows],)

    def score(self, part: PatchSet) -> metrics.PixelSums:
        """Scores the model on a part of the data, in batches of their own size."""
        count, edge, _, _ = part.shape
        size = self._layout.scored(count, edge**2)
        # The last patch fills up the last batch.
        rows = np.minimum(np.arange(_multiple(count, size)), count - 1)

        def inputs(some: slice) -> Arrays:
            return part.read(rows[some])

        self._intact = False
        with feed(inputs, len(rows), size, at_once=part.held is not None, even=True) as fed:
            counts = self._compiled.scorer.predict(
                fed.x, batch_size=fed.batch_size, steps=fed.steps, verbose=0
            )
        self._intact = True
        return metrics.PixelSums.counted(*(np.asarray(each)[:count] for each in counts))

    def exported(self) -> keras.Model:
        """The same model in float32, for files that any machine reads."""
        model = self._spec.build(seed=0, policy="float32")
        model.set_weights(self._compiled.model.get_weights())
        model.jit_compile = devices.compiles() is not False
        return model

    def checkpoint(self, history: tuple[EpochRecord, ...]) -> Checkpoint:
        """Everything that :meth:`restore` needs."""
        state, averages = (
            [keras.ops.convert_to_numpy(v) for v in variables]
            for variables in (
                self._compiled.optimizer.state,
                self._compiled.loss_model.average.values,
            )
        )
        weights = self._compiled.model.get_weights()
        return Checkpoint(weights, state, history, averages=averages)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes on from a checkpoint of the same training."""
        optimizer = self._compiled.optimizer
        for variable, value in zip(optimizer.state, checkpoint.optimizer, strict=True):
            variable.assign(value)
        steps = int(optimizer.keras.iterations)
        self._set_weights(list(checkpoint.weights), checkpoint.averages, steps)

    def _set_weights(self, weights: Weights, averages: Weights = (), steps: int = 0) -> None:
        """Sets the weights, and the averaged ones; without any they begin at the weights."""
        self._compiled.model.set_weights(weights)
        self._compiled.loss_model.average.begin(averages or weights, steps)

    def close(self) -> None:
        """Leaves the model to the next training of its shape; nothing works after it."""
        if self._intact:
            compile_cache.keep(*self._key, self._compiled)
        del self._compiled
        self._intact = False


@dataclass(frozen=True)
class _BatchLayout:
    """Patches laid out for the steps.

    Args:
        batch: Patches of a step.
        per_step: Patches of a step together with those that fill it up.
        micro: Patches that are computed at a time; None: all.
        fills: Whether the last step must be as large as the others.
    """

    batch: int
    per_step: int
    micro: int | None
    fills: bool

    @classmethod
    def of(cls, batch: int, micro: int | None) -> "_BatchLayout":
        shares = devices.parallel()
        micro = None if micro is None or micro >= batch else _multiple(micro, shares)
        fills = micro is not None or shares > 1 or keras.backend.backend() != "tensorflow"
        return cls(batch, _multiple(batch, micro or shares), micro, fills)

    def arrange(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Which of ``count`` patches stands in each row, and which rows only fill up.

        Rows that only fill up hold patches, too, because batch normalisation sees them.
        """
        if not self.fills:
            return np.arange(count), np.zeros(count, np.bool_)
        steps = math.ceil(count / self.batch)
        places = np.full((steps, self.per_step), count)
        places[:, : self.batch] = np.arange(steps * self.batch).reshape(steps, self.batch)
        filler = places.ravel() >= count
        return np.where(filler, np.arange(places.size) % count, places.ravel()), filler

    def scored(self, count: int, pixels: int) -> int:
        """Patches of a batch that is only scored, of ``count`` patches of so many pixels.

        As many as are trained at a time always fit, because their activations need not be kept.
        """
        most = self.micro or max(self.batch, PREDICTED_PIXELS // pixels)
        return _multiple(min(most, count), devices.parallel())


def _multiple(number: int, of: int) -> int:
    """The smallest multiple of ``of`` that is at least ``number``."""
    return math.ceil(number / of) * of


@final
class _StopAtDivergence(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends ``fit`` when the running mean of the loss, which never recovers, is no number."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch % BATCHES_BETWEEN_CHECKS == 0 and not math.isfinite(float(logs["loss"])):
            self.model.stop_training = True
