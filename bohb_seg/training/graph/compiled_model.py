"""A model of one shape, compiled once for all configurations that have it.

Building and tracing cost seconds; they depend on the :class:`Shape` only. Everything else that
configurations differ in is a value: weights, learning rate and schedule, weight decay, loss,
dropout rates and all randomness are assigned or fed. So the next evaluation of a shape trains at
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
from functools import partial
from typing import Any, final

import keras
import numpy as np
from keras import ops

from bohb_seg.training import devices
from bohb_seg.training.graph import augmentation, counts, gradient_accumulation, losses
from bohb_seg.training.graph.architecture import Architecture
from bohb_seg.training.graph.averaging import RunningAverage
from bohb_seg.training.graph.dropout import StepDropout
from bohb_seg.training.graph.gradient_optimizer import Family, ScheduledOptimizer, family_of
from bohb_seg.training.graph.losses import Formula
from bohb_seg.training.graph.types import MakeDropout, Nested, Tensor
from bohb_seg.training.recipe import Recipe

Answer = Callable[..., Tensor]
"""Gives probabilities (b, p, p, C) for (images, training)."""

FILLER = -1
"""Seed of a patch that only fills up a batch: its labels are ignored, and no mean counts it."""
ANY_RATE = 1.0
"""Dropout rate in a shape, for all rates but zero. A model that took it as its own would learn
nothing, and so betray that it does not use the layers that it is given."""


@dataclass(frozen=True)
class Shape:
    """All that a model is built and compiled for; configurations of one shape share it.

    Args:
        architecture: The model plug-in.
        structure: Its hyperparameters, name and value; all rates but zero are ``ANY_RATE``.
        classes: Number of classes C.
        policy: Keras' dtype policy.
        family: Kind of gradient optimizer.
        augments: Whether images are augmented.
        bands: Number of the images' bands.
    """

    architecture: Architecture
    structure: tuple[tuple[str, Any], ...]
    classes: int
    policy: str
    family: Family
    augments: bool
    bands: int = 3

    @classmethod
    def of(
        cls, architecture: Architecture, classes: int, policy: str, recipe: Recipe, bands: int = 3
    ) -> "Shape":
        """The shape of a recipe."""
        rates = {name: ANY_RATE for name in architecture.rates if recipe.model[name]}
        structure = tuple({**recipe.model, **rates}.items())
        augments = recipe.augmentation is not None
        return cls(architecture, structure, classes, policy, family_of(recipe), augments, bands)

    def build(self, dropout: MakeDropout) -> keras.Model:
        """A new model; its weights are those of seed 0."""
        return self.architecture.build(
            dict(self.structure),
            classes=self.classes,
            precision=self.policy,
            seed=0,
            dropout=dropout,
            bands=self.bands,
        )

    def __str__(self) -> str:
        parts = [
            self.architecture.name,
            *(self._words(name, value) for name, value in self.structure),
            f"{self.bands} bands" if self.bands != 3 else "",
            f"{self.classes} classes",
            self.policy,
            self.family,
            "augmentation" if self.augments else "",
        ]
        return ", ".join(filter(None, parts))

    def _words(self, name: str, value: Any) -> str:
        if name in self.architecture.rates:
            return name if value else ""
        return f"{name} {value}"


@final
class LossModel(keras.Model):  # type: ignore[misc]
    """Trains a model by plain ``fit`` on ``(images, labels, seeds[, views])`` without y.

    Images (b, p, p, bands) uint8, labels (b, p, p) uint8, seeds (b,) int32, views
    (b, augmentation.columns) float32 if the shape augments. The output is the loss itself.

    Args:
        model: Takes images 0..255 and gives probabilities (b, p, p, C).
        dropout: Made its dropout layers.
        rates: Number of its dropout rates.
        micro: Patches that are computed at a time, over all devices; batches must be multiples of
            it. None: the whole batch.

    Attributes:
        formula: The loss, see :class:`~bohb_seg.training.graph.losses.Formula`; to be assigned.
        rates: The dropout rates, (rates,); to be assigned.
        average: The average of the model's weights over the last steps; to be begun.
    """

    def __init__(
        self, model: keras.Model, dropout: StepDropout, rates: int, micro: int | None
    ) -> None:
        super().__init__()
        self.model, self.micro = model, micro
        self._dropout = dropout
        self._length = losses.length(model.output_shape[-1])
        self.formula = self._value("formula", (Formula.LENGTH,))
        self.rates = self._value("rates", (rates,))
        self.average = RunningAverage(model.weights, self._value)
        self._mean = keras.metrics.Mean("mean_loss")
        self.built = True  # else Keras traces the whole step once more to build nothing

    def call(self, inputs: tuple[Tensor, ...], training: bool = False) -> Tensor:
        """The loss of a batch, a scalar."""
        images, labels, seeds, *views = inputs
        if views:
            images, labels = augmentation.apply(images, labels, *views)
        formula, rates = (ops.convert_to_tensor(v) for v in (self.formula, self.rates))
        constants = losses.gamma(formula), rates
        batch = ops.cast(images, "float32"), labels, seeds
        if self.micro is None:
            sums = self._sums(self.model, batch, constants, training)
        else:
            sums = self._sums_of_parts(self.micro, batch, constants, training)
        if training:
            self.average.update()
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
        self, answer: Answer, batch: tuple[Tensor, ...], constants: Nested, training: bool
    ) -> Tensor:
        images, labels, seeds = batch
        gamma, self._dropout.rates = constants
        self._dropout.seed = seeds[0]
        return losses.sums(labels, answer(images, training=training), gamma)

    def _sums_of_parts(
        self, micro: int, batch: tuple[Tensor, ...], constants: Nested, training: bool
    ) -> Tensor:
        weights = [ops.convert_to_tensor(v) for v in self.model.trainable_variables]
        state = [ops.convert_to_tensor(v) for v in self.model.non_trainable_variables]
        sums, state = gradient_accumulation.summed(
            partial(self._sums_of_part, training),
            batch,
            (weights, constants),
            state,
            size=micro,
            length=self._length,
        )
        for variable, value in zip(self.model.non_trainable_variables, state, strict=True):
            variable.assign(value)
        return sums

    def _sums_of_part(
        self, training: bool, patches: tuple[Tensor, ...], constants: Nested, state: list[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """The sums of some patches, and the state after them: ``PartSums`` of accumulation."""
        weights, constants = constants
        answer = _StatelessAnswer(self.model, weights, state)
        return self._sums(answer, patches, constants, training), answer.state


@final
class _StatelessAnswer:
    """An :data:`Answer` of a model with other tensors in the place of its variables.

    Attributes:
        state: Tensors for its variables that are not trained; after a call those that follow.
    """

    def __init__(self, model: keras.Model, weights: list[Tensor], state: list[Tensor]) -> None:
        self._model, self._weights, self.state = model, weights, state

    def __call__(self, images: Tensor, training: bool) -> Tensor:
        scores, self.state = self._model.stateless_call(
            self._weights, self.state, images, training=training
        )
        return scores


@final
class Scorer(keras.Model):  # type: ignore[misc]
    """Counts how good a model is: :func:`counts.counts` of ``(images, labels)``, by patch."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model
        self.built = True

    def call(self, inputs: tuple[Tensor, Tensor]) -> Any:
        """The counts, each with the patches as its first axis."""
        images, labels = inputs
        return counts.counts(labels, self.model(ops.cast(images, "float32"), training=False))


@final
class CompiledModel:
    """A model with its optimizer and its scorer; traced at their first batches.

    Args:
        shape: What it is compiled for.
        micro: See :class:`LossModel`.

    Attributes:
        model: The model that the others train and score.
        loss_model: Trains it.
        optimizer: The optimizer of ``loss_model``.
        scorer: Scores it.
    """

    def __init__(self, shape: Shape, micro: int | None) -> None:
        rates = shape.architecture.rates
        dropout = StepDropout(rates)
        self.model = shape.build(dropout.layer)
        self.loss_model = LossModel(self.model, dropout, len(rates), micro)
        self.optimizer = ScheduledOptimizer(shape.family, self.loss_model.trainable_variables)
        self.loss_model.compile(optimizer=self.optimizer.keras, jit_compile=devices.compiles())
        self.scorer = Scorer(self.model)
        self.scorer.jit_compile = devices.compiles() is not False

    @property
    def size(self) -> int:
        """Bytes of its variables."""
        variables = [*self.loss_model.variables, *self.optimizer.keras.variables]
        return sum(math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in variables)
