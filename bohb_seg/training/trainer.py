"""Trains and asks one model, one epoch at a time.

An epoch is one call of Keras' own ``fit`` on uint8 images in an order that we chose, so the speed
is Keras' and all randomness is ours: nothing is drawn from a global generator, and an epoch is the
same whether the epochs before it ran here or come from a checkpoint, and whether the network was
compiled for this evaluation or for an earlier one of the same shape.

The last batch has fewer patches. On TensorFlow that traces nothing again. Elsewhere it is filled
up with patches whose labels are ignored, so that it is a batch like the others.
"""

import math
from dataclasses import dataclass
from typing import Any, final

import keras
import numpy as np
from numpy.typing import NDArray

from bohb_seg import plugins
from bohb_seg.data.classes import IGNORE
from bohb_seg.data.preparation import Part
from bohb_seg.training import devices, metrics
from bohb_seg.training.checkpoints import Checkpoint, EpochRecord
from bohb_seg.training.graph import augmentation, compile_cache
from bohb_seg.training.graph.compile_cache import release
from bohb_seg.training.graph.compiled_model import FILLER, Shape
from bohb_seg.training.graph.dropout import Dropout
from bohb_seg.training.graph.losses import Formula
from bohb_seg.training.graph.scaling import Scaling
from bohb_seg.training.prediction import PREDICTED_PIXELS
from bohb_seg.training.recipe import Recipe
from bohb_seg.training.seeds import EpochSeeds

__all__ = ["Assignment", "Training", "release"]

BATCHES_BETWEEN_CHECKS = 8
"""How often the loss is looked at for divergence: each look waits for an accelerator."""


@dataclass(frozen=True)
class Assignment:
    """What a model is to be trained for.

    Args:
        recipe: How.
        model: File name of the architecture in ``models/``.
        classes: Number of classes.
        scaling: What the model does to pixel values first.
        policy: Keras' dtype policy.
        patches: Number of training patches.
        horizon: Epochs after which the learning rate schedule ends.
    """

    recipe: Recipe
    model: str
    classes: int
    scaling: Scaling
    policy: str
    patches: int
    horizon: float

    @property
    def compiled(self) -> Shape:
        """What a network is compiled for."""
        return Shape.of(self.model, self.classes, self.scaling, self.policy, self.recipe)

    def shape(self, patch_size: int) -> str:
        """What decides how many patches fit into memory, for people and as a key."""
        return f"{self.compiled}, {patch_size} px"

    def build(self, seed: int, policy: str | None = None) -> keras.Model:
        """A new model of Keras' own layers with weights drawn from ``seed``."""
        whole = Shape(self.model, self.classes, self.scaling, self.policy, self.recipe)
        return built(whole, seed, policy)

    @property
    def steps(self) -> int:
        """Of the learning rate schedule."""
        batches = math.ceil(self.patches / self.recipe.batch_size)
        return max(1, round(self.horizon * batches))


def built(
    shape: Shape, seed: int, policy: str | None = None, dropout: Dropout | None = None
) -> keras.Model:
    """A new model of the architecture, see ``build()`` of the files in ``models/``."""
    built: keras.Model = plugins.find("models", shape.model).build(
        shape.recipe,
        classes=shape.classes,
        scaling=shape.scaling,
        precision=policy or shape.policy,
        seed=seed,
        dropout=dropout,
    )
    return built


@final
class Training:
    """A model, its optimizer and where they are on their way.

    Args:
        assignment: What to train.
        seeds: Of the initial weights.
        micro_batch: Patches that are computed at a time, where a batch does not fit into memory;
            the gradients are the batch's all the same. None: the whole batch.

    Whatever the device raises when its memory is exhausted comes out of :meth:`epoch` and
    :meth:`tally` as it is; then :meth:`close` drops the network instead of keeping it.
    """

    def __init__(
        self, assignment: Assignment, seeds: EpochSeeds, micro_batch: int | None = None
    ) -> None:
        recipe = assignment.recipe
        self.micro_batch = micro_batch
        self._assignment, self._recipe = assignment, recipe
        self._rows = _Rows.of(recipe.batch_size, micro_batch)
        self._key = assignment.compiled, self._rows.micro
        self._compiled = compile_cache.take(
            assignment.compiled,
            lambda dropout: built(assignment.compiled, 0, dropout=dropout),
            self._rows.micro,
        )
        self._compiled.net.set_weights(assignment.build(seeds.graph).get_weights())
        self._compiled.descent.begin(recipe, assignment.steps)
        network = self._compiled.network
        network.formula.assign(Formula.of(recipe, assignment.classes).vector())
        network.dropout_rate.assign(recipe.dropout)
        self._intact = True

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return int(self._compiled.net.count_params())

    @property
    def learning_rate(self) -> float:
        """The one that the next step would have."""
        return float(keras.ops.convert_to_numpy(self._compiled.descent.optimizer.learning_rate))

    def epoch(
        self, images: NDArray[np.uint8], labels: NDArray[np.uint8], seeds: EpochSeeds
    ) -> float:
        """Trains on every patch once.

        Args:
            images: (n, p, p, 3) RGB.
            labels: (n, p, p).
            seeds: This epoch's.

        Returns:
            Mean loss; NaN or infinite as soon as it was seen to be so, the rest is not trained.
        """
        order = seeds.order.permutation(len(images))
        rows, filler = self._rows.arrange(len(images))
        inputs = [images[order[rows]], labels[order[rows]], (seeds.graph + rows).astype(np.int32)]
        inputs[1][filler], inputs[2][filler] = IGNORE, FILLER
        if self._recipe.augmentation is not None:
            strength = self._recipe.augmentation
            inputs.append(augmentation.draw(len(images), strength, seeds.order)[rows])
        self._intact = False
        history = self._compiled.network.fit(
            tuple(inputs),
            batch_size=self._rows.per_step,
            shuffle=False,
            verbose=0,
            callbacks=[_StopAtDivergence()],
        )
        # An accelerator's error may come only now.
        loss = float(history.history["loss"][-1])
        self._intact = True
        return loss

    def tally(self, part: Part) -> metrics.Tally:
        """Scores the model on a part of the data, in batches of their own size."""
        count = len(part.images)
        size = self._rows.scored(count, part.labels[0].size)
        # The last patch fills up the last batch.
        rows = np.minimum(np.arange(_multiple(count, size)), count - 1)
        self._intact = False
        counts = self._compiled.scorer.predict(
            (part.images[rows], part.labels[rows]), batch_size=size, verbose=0
        )
        self._intact = True
        return metrics.Tally.counted(*(np.asarray(each)[:count] for each in counts))

    def exported(self) -> keras.Model:
        """The same network in float32, for files that any machine reads."""
        model = self._assignment.build(seed=0, policy="float32")
        model.set_weights(self._compiled.net.get_weights())
        model.jit_compile = devices.compiles() is not False
        return model

    def checkpoint(self, history: tuple[EpochRecord, ...]) -> Checkpoint:
        """Everything that :meth:`restore` needs."""
        state = [keras.ops.convert_to_numpy(v) for v in self._compiled.descent.state]
        return Checkpoint(self._compiled.net.get_weights(), state, history)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes on from a checkpoint of the same assignment."""
        self._compiled.net.set_weights(list(checkpoint.weights))
        for variable, value in zip(self._compiled.descent.state, checkpoint.optimizer, strict=True):
            variable.assign(value)

    def close(self) -> None:
        """Leaves the network to the next evaluation of its shape; nothing works after it."""
        if self._intact:
            compile_cache.keep(*self._key, self._compiled)
        del self._compiled
        self._intact = False


@dataclass(frozen=True)
class _Rows:
    """How patches are laid out for the steps.

    Args:
        batch: Patches of a step.
        per_step: With those that fill it up.
        micro: Patches that are computed at a time; None: all.
        fills: Whether the last step must be as large as the others.
    """

    batch: int
    per_step: int
    micro: int | None
    fills: bool

    @classmethod
    def of(cls, batch: int, micro: int | None) -> "_Rows":
        shares = devices.parallel()
        micro = None if micro is None or micro >= batch else _multiple(micro, shares)
        fills = micro is not None or shares > 1 or keras.backend.backend() != "tensorflow"
        return cls(batch, _multiple(batch, micro or shares), micro, fills)

    def arrange(self, count: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Which of ``count`` patches stands in each row, and which rows only fill up.

        These are patches, too, because batch normalisation sees them.
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
    return math.ceil(number / of) * of


@final
class _StopAtDivergence(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends ``fit`` when the running mean of the loss, which never recovers, is no number."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch % BATCHES_BETWEEN_CHECKS == 0 and not math.isfinite(float(logs["loss"])):
            self.model.stop_training = True
