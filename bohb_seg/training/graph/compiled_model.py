"""A network of one shape, compiled once for all configurations that have it.

What costs seconds, building and tracing, depends on the :class:`Shape` only. Everything else that
configurations differ in is a value: weights, learning rate and schedule, weight decay, loss,
dropout rate and all randomness are assigned or fed. So the next evaluation of a shape trains at
once.

**Micro-batches.** A batch that does not fit into memory is trained in parts, with the same
gradients: the parts' sums (see :mod:`~bohb_seg.training.graph.losses`) add up to those of the
batch, and each part is computed again when the gradients go back through it (``keras.remat``), so
that never more than one part's activations exist. (Adding up gradients of losses would be wrong
for Dice, which is no mean over patches.) Batch normalisation is the exception: it sees the
statistics of a part, and its moving averages move once for each.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import keras
import numpy as np
from keras import ops

from bohb_seg.training import devices
from bohb_seg.training.graph import (
    augmentation,
    counts,
    gradient_accumulation,
    gradient_optimizer,
    losses,
)
from bohb_seg.training.graph.dropout import Drawn, Dropout
from bohb_seg.training.graph.gradient_optimizer import Descent
from bohb_seg.training.graph.losses import Formula
from bohb_seg.training.graph.scaling import Scaling
from bohb_seg.training.recipe import Recipe

Tensor = Any
Answer = Callable[..., Tensor]
"""Gives probabilities (b, p, p, C) for (images, training)."""
Build = Callable[[Dropout], keras.Model]
"""Makes a new model of one shape from what makes its dropout layers."""

FILLER = -1
"""Seed of a patch that only fills up a batch: its labels are ignored, and no mean counts it."""


@dataclass(frozen=True)
class Shape:
    """What a network is built and compiled for.

    Args:
        model: File name of the architecture in ``models/``.
        classes: Number of classes C.
        scaling: What the model does to pixel values first.
        policy: Keras' dtype policy.
        recipe: The configuration; in a shape of :meth:`of` without what are only values.
    """

    model: str
    classes: int
    scaling: Scaling
    policy: str
    recipe: Recipe

    @classmethod
    def of(cls, model: str, classes: int, scaling: Scaling, policy: str, recipe: Recipe) -> "Shape":
        """The one shape of all configurations that share a compiled network."""
        shared = Recipe(
            optimizer=gradient_optimizer.family(recipe.optimizer),
            base_filters=recipe.base_filters,
            depth=recipe.depth,
            norm=recipe.norm,
            activation=recipe.activation,
            dropout=Recipe.dropout if recipe.dropout else 0.0,
            augmentation=None if recipe.augmentation is None else 0.0,
        )
        return cls(model, classes, scaling, policy, shared)

    def __str__(self) -> str:
        recipe = self.recipe
        parts = [
            f"{self.model} {recipe.base_filters}x2^{recipe.depth}",
            f"norm {recipe.norm}",
            recipe.activation,
            "dropout" if recipe.dropout else "",
            f"{self.classes} classes",
            f"scaling {self.scaling}",
            self.policy,
            recipe.optimizer,
            "" if recipe.augmentation is None else "augmentation",
        ]
        return ", ".join(filter(None, parts))


@final
class Network(keras.Model):  # type: ignore[misc]
    """Trains an architecture by plain ``fit`` on ``(images, labels, seeds[, views])`` without y.

    Images (b, p, p, 3) uint8, labels (b, p, p) uint8, seeds (b,) int32, views
    (b, augmentation.COLUMNS) float32 if the shape augments. The output is the loss itself.

    Args:
        net: Takes images 0..255 and gives probabilities (b, p, p, C).
        drawn: What its dropout layers are told.
        micro: Patches that are computed at a time, over all devices; batches must be multiples of
            it. None: the whole batch.
    """

    def __init__(self, net: keras.Model, drawn: Drawn, micro: int | None) -> None:
        super().__init__()
        self.net, self.micro = net, micro
        self._drawn = drawn
        self._length = losses.length(net.output_shape[-1])
        self.formula = self._value("formula", (Formula.LENGTH,))
        self.dropout_rate = self._value("dropout_rate", ())
        self._mean = keras.metrics.Mean("mean_loss")
        self.built = True  # else Keras traces the whole step once more to build nothing

    def call(self, inputs: tuple[Tensor, ...], training: bool = False) -> Tensor:
        """The loss of a batch, a scalar."""
        images, labels, seeds, *views = inputs
        if views:
            images, labels = augmentation.apply(images, labels, *views)
        formula, rate = (ops.convert_to_tensor(v) for v in (self.formula, self.dropout_rate))
        constants = losses.gamma(formula), rate
        batch = ops.cast(images, "float32"), labels, seeds
        if self.micro is None:
            sums = self._sums(self.net, batch, constants, training)
        else:
            sums = self._sums_of_parts(self.micro, batch, constants, training)
        return losses.value(sums, formula)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Tensor = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """The output is the loss."""
        return y_pred

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Tensor, sample_weight: Any = None
    ) -> dict[str, Tensor]:
        """The loss averaged over the patches of the epoch so far."""
        self._mean.update_state(y_pred, ops.sum(ops.cast(x[2] != FILLER, "float32")))
        return {"loss": self._mean.result()}

    def _value(self, name: str, shape: tuple[int, ...]) -> keras.Variable:
        return self.add_weight(shape=shape, initializer="zeros", trainable=False, name=name)

    def _sums(
        self, net: Answer, batch: tuple[Tensor, ...], constants: Any, training: bool
    ) -> Tensor:
        images, labels, seeds = batch
        gamma, self._drawn.rate = constants
        self._drawn.seed = seeds[0]
        return losses.sums(labels, net(images, training=training), gamma)

    def _sums_of_parts(
        self, micro: int, batch: tuple[Tensor, ...], constants: Any, training: bool
    ) -> Tensor:
        def part(
            patches: tuple[Tensor, ...], constants: Any, state: list[Tensor]
        ) -> tuple[Tensor, list[Tensor]]:
            weights, constants = constants
            after: list[Tensor] = []

            def net(images: Tensor, training: bool) -> Tensor:
                scores, after[:] = self.net.stateless_call(
                    weights, state, images, training=training
                )
                return scores

            return self._sums(net, patches, constants, training), after

        weights = [ops.convert_to_tensor(v) for v in self.net.trainable_variables]
        state = [ops.convert_to_tensor(v) for v in self.net.non_trainable_variables]
        sums, state = gradient_accumulation.summed(
            part, batch, (weights, constants), state, size=micro, length=self._length
        )
        for variable, value in zip(self.net.non_trainable_variables, state, strict=True):
            variable.assign(value)
        return sums


@final
class Scorer(keras.Model):  # type: ignore[misc]
    """Counts how good a network is: :func:`scoring.counts` of ``(images, labels)``, by patch."""

    def __init__(self, net: keras.Model) -> None:
        super().__init__()
        self.net = net
        self.built = True

    def call(self, inputs: tuple[Tensor, Tensor]) -> Any:
        """The counts, each with the patches as its first axis."""
        images, labels = inputs
        return counts.counts(labels, self.net(ops.cast(images, "float32"), training=False))


@final
class Compiled:
    """A network with its optimizer and its scorer; traced at their first batches.

    Args:
        shape: Of :meth:`Shape.of`.
        build: Makes the shape's model, with the dropout layers that it is given.
        micro: See :class:`Network`.

    Attributes:
        net: The model that the others train and score.
        network: Trains it.
        descent: Its optimizer.
        scorer: Scores it.
    """

    def __init__(self, shape: Shape, build: Build, micro: int | None) -> None:
        drawn = Drawn()
        self.net = build(drawn.layer)
        self.network = Network(self.net, drawn, micro)
        self.descent = Descent(
            gradient_optimizer.family(shape.recipe.optimizer), self.network.trainable_variables
        )
        self.network.compile(optimizer=self.descent.optimizer, jit_compile=devices.compiles())
        self.scorer = Scorer(self.net)
        self.scorer.jit_compile = devices.compiles() is not False

    @property
    def size(self) -> int:
        """Bytes of its variables."""
        variables = [*self.network.variables, *self.descent.optimizer.variables]
        return sum(math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in variables)
