"""Names for what the compiled step computes with."""

from collections.abc import Callable
from typing import Any

from keras import layers

Tensor = Any
"""Array of whichever backend Keras uses."""
Nested = Any
"""Tensors in tuples and lists."""
MakeDropout = Callable[[str, float, str], layers.Layer]
"""Makes a dropout layer from the name of the hyperparameter that is its rate, a factor by which the
rate is multiplied, and a dtype policy."""
