"""A model plug-in, as training uses it: its name, its function ``build`` and its dropout rates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras

from bohb_seg.training.graph.types import MakeDropout


class Build(Protocol):
    """The function ``build`` of a model file."""

    def __call__(
        self,
        hyperparameters: Mapping[str, Any],
        *,
        classes: int,
        precision: str,
        seed: int,
        dropout: MakeDropout,
        bands: int = 3,
    ) -> keras.Model:
        """Builds a model.

        Args:
            hyperparameters: Value by name, of all that the file declares.
            classes: Number of classes C.
            precision: Keras' dtype policy, ``float32`` or ``mixed_bfloat16``.
            seed: Seed of the initial weights, which depend on nothing else that is random.
            dropout: Makes the dropout layers. A model must not make its own: their rates would
                become part of the compiled step.
            bands: Number of the images' bands. A function without this argument is called as long
                as there are three.

        Returns:
            (b, h, w, bands) images 0..255, uint8 or float32 -> (b, h, w, C) float32 class
            probabilities; h and w multiples of 2 ** halvings.
        """


@dataclass(frozen=True)
class Architecture:
    """A model plug-in; two of the same name are equal.

    Args:
        name: Name of the plug-in.
        build: Builds the model.
        rates: Names of the hyperparameters that are dropout rates, ``"value": True`` in the file.
    """

    name: str
    build: Build = field(compare=False)
    rates: tuple[str, ...] = field(compare=False, default=())
