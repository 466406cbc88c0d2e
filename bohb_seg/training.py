"""Keras: builds, trains and asks one model, one epoch at a time.

An epoch is one call of Keras' own ``fit`` on uint8 images in an order that we chose, so the speed
is Keras' and all randomness is ours: nothing is drawn from a global generator, and an epoch is the
same whether the epochs before it ran here or come from a checkpoint. The last, smaller batch is
trained, too; its size is a dynamic dimension, so it traces nothing again.
"""

import gc
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import keras
import numpy as np
from numpy.typing import NDArray

from bohb_seg import devices, losses, plugins
from bohb_seg.augmentation import augment
from bohb_seg.checkpoints import Checkpoint, EpochRecord
from bohb_seg.models.scaling import Scaling
from bohb_seg.recipe import Recipe
from bohb_seg.seeds import EpochSeeds

PREDICTED_PIXELS = 2**18
"""Pixels per batch of prediction: more is not faster on a CPU, and memory stays small."""
BATCHES_BETWEEN_CHECKS = 8
"""How often the loss is looked at for divergence: each look waits for an accelerator."""
WARM_UP = 0.05
"""Share of all steps over which ``cosine`` rises to its learning rate."""
POLY_POWER = 0.9
"""The customary one for segmentation (DeepLab, Chen et al. 2017)."""
SGD_MOMENTUM = 0.9
NO_DECAY = ["bias", "gamma", "beta"]
"""Variables that are not shrunk: decay is meant for the convolutions' kernels."""


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

    def build(self, seed: int, policy: str | None = None) -> keras.Model:
        """A new model with weights drawn from ``seed``."""
        architecture = plugins.find("models", self.model)
        built: keras.Model = architecture.build(
            self.recipe,
            classes=self.classes,
            scaling=self.scaling,
            precision=policy or self.policy,
            seed=seed,
        )
        return built


@final
class Training:
    """A model, its optimizer and where they are on their way."""

    def __init__(self, assignment: Assignment, seeds: EpochSeeds) -> None:
        """Builds and compiles; nothing is traced yet."""
        self._assignment = assignment
        self._recipe = assignment.recipe
        self.model = assignment.build(seeds.graph)
        self.model.compile(
            optimizer=_optimizer(assignment),
            loss=losses.make(self._recipe),
            jit_compile=devices.compiles(),
        )
        self.model.optimizer.build(self.model.trainable_variables)

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return int(self.model.count_params())

    @property
    def learning_rate(self) -> float:
        """The one that the next step would have."""
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

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
        images, labels = images[order], labels[order]
        if self._recipe.augmentation is not None:
            images, labels = augment(images, labels, self._recipe.augmentation, seeds.order)
        _seed_dropout(self.model, seeds.graph)
        history = self.model.fit(
            images,
            labels,
            batch_size=self._recipe.batch_size,
            shuffle=False,
            verbose=0,
            callbacks=[_StopAtDivergence()],
        )
        return float(history.history["loss"][-1])

    def exported(self) -> keras.Model:
        """The same network in float32, for files that any machine reads."""
        model = self._assignment.build(seed=0, policy="float32")
        model.set_weights(self.model.get_weights())
        model.jit_compile = devices.compiles() is not False
        return model

    def checkpoint(self, history: tuple[EpochRecord, ...]) -> Checkpoint:
        """Everything that :meth:`restore` needs."""
        state = [keras.ops.convert_to_numpy(v) for v in self.model.optimizer.variables]
        return Checkpoint(self.model.get_weights(), state, history)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Goes on from a checkpoint of the same assignment."""
        self.model.set_weights(list(checkpoint.weights))
        variables = self.model.optimizer.variables
        for variable, value in zip(variables, checkpoint.optimizer, strict=True):
            variable.assign(value)


def probabilities(
    model: keras.Model, images: NDArray[np.uint8]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Class probabilities (k, p, p, C) batch by batch, each with the patches it is of.

    Args:
        model: Takes images as they are.
        images: (n, p, p, 3) RGB.
    """
    batch = max(1, min(len(images), PREDICTED_PIXELS // images[0, :, :, 0].size))
    for start in range(0, len(images), batch):
        chunk = images[start : start + batch]
        # Filled up to the one size that is traced.
        padding = [(0, batch - len(chunk)), (0, 0), (0, 0), (0, 0)]
        scores = np.asarray(model.predict_on_batch(np.pad(chunk, padding)), np.float32)
        yield slice(start, start + len(chunk)), scores[: len(chunk)]


def release() -> None:
    """Frees what Keras keeps of models that are gone."""
    keras.utils.clear_session(free_memory=True)
    gc.collect()


@final
class _StopAtDivergence(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends ``fit`` when the running mean of the loss, which never recovers, is no number."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch % BATCHES_BETWEEN_CHECKS == 0 and not math.isfinite(float(logs["loss"])):
            self.model.stop_training = True


def _optimizer(assignment: Assignment) -> keras.optimizers.Optimizer:
    recipe = assignment.recipe
    rate = _schedule(assignment)
    match recipe.optimizer:
        case "adam":
            return keras.optimizers.Adam(rate)
        case "adamw":
            optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay)
        case "sgd":
            optimizer = keras.optimizers.SGD(
                rate, SGD_MOMENTUM, nesterov=True, weight_decay=recipe.weight_decay or None
            )
    if recipe.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
    return optimizer


def _schedule(assignment: Assignment) -> Any:
    """A learning rate, or Keras' schedule that reads it off the optimizer's step counter."""
    recipe = assignment.recipe
    batches = math.ceil(assignment.patches / recipe.batch_size)
    steps = max(1, round(assignment.horizon * batches))
    match recipe.schedule:
        case "constant":
            return recipe.learning_rate
        case "poly":
            return keras.optimizers.schedules.PolynomialDecay(
                recipe.learning_rate, steps, end_learning_rate=0.0, power=POLY_POWER
            )
        case "cosine":
            warm_up = max(1, round(WARM_UP * steps))
            return keras.optimizers.schedules.CosineDecay(
                0.0,
                max(1, steps - warm_up),
                warmup_target=recipe.learning_rate,
                warmup_steps=warm_up,
            )


def _seed_dropout(model: keras.Model, seed: int) -> None:
    """Sets every dropout layer's state, which else depends on how many steps ran before."""
    for index, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.Dropout):
            # Keras counts the steps in the second number; the first tells the layers apart.
            layer.seed_generator.state.assign(np.array([seed + index, 0]))
