"""A worker: a small network in plain NumPy learns to tell two spirals apart, without any images.

Run it::

    bohb-master --worker examples/spirals.py --space milestone3-hyperband
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from hpbandster.core.worker import Worker

NEEDS_DATA = False
HIDDEN = 32
Function = Callable[[Any], Any]
ACTIVATIONS: Mapping[str, tuple[Function, Function]] = {
    "relu": (lambda x: np.maximum(x, 0), lambda x: np.where(x > 0, 1.0, 0.0)),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "swish": (lambda x: x * sigmoid(x), lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
    "none": (lambda x: x, np.ones_like),
}
"""Each activation and its derivative."""


class Spirals(Worker):
    """Stock HpBandSter: nothing of it belongs to this project but ``NEEDS_DATA``."""

    def compute(
        self, config_id: tuple[int, ...], config: Mapping[str, Any], budget: float, **more: object
    ) -> dict[str, Any]:
        """Trains for ``budget`` epochs in total; the loss is the share of wrong answers."""
        random = np.random.default_rng(config_id[1:])
        activate, slope = ACTIVATIONS[config["activation"]]
        points, sides = spirals(random, 600)
        inner = random.normal(0, 1.5, (points.shape[1], HIDDEN))
        outer = random.normal(0, 0.2, HIDDEN)
        for _ in range(round(budget)):
            for batch in np.array_split(random.permutation(400), 400 // config["batch_size"]):
                sums = points[batch] @ inner
                errors = sigmoid(activate(sums) @ outer) - sides[batch]
                back = errors[:, None] * outer * slope(sums)
                outer -= config["learning_rate"] * activate(sums).T @ errors
                inner -= config["learning_rate"] * points[batch].T @ back
        answers = activate(points[400:] @ inner) @ outer > 0
        return {"loss": float(np.mean(answers != sides[400:])), "info": {"epochs": budget}}


def spirals(random: np.random.Generator, count: int) -> tuple[Any, Any]:
    """Points with a constant 1, (count, 3), and the spiral of each, 0 or 1."""
    sides, length = random.integers(2, size=count), random.uniform(0.3, 2, count)
    angle = np.pi * (1.5 * length + sides)
    along = length * np.stack([np.cos(angle), np.sin(angle)])
    return np.column_stack([*(along + random.normal(0, 0.05, along.shape)), np.ones(count)]), sides


def sigmoid(x: Any) -> Any:
    """The logistic function."""
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))
