"""A batch in parts, as one differentiable sum: for batches that do not fit into memory.

Each part is computed twice, the second time when the gradients go back through it, so that only one
part's activations exist at any time. The parts are a loop of the graph: written out one after the
other they would take minutes to trace, and XLA would keep the activations of all of them. (Within
loops XLA is slow on processors, many times; TensorFlow without XLA and accelerators are not.)
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops, tree

from bohb_seg.training import devices

Tensor = Any
Nested = Any
"""Tensors in tuples and lists."""
Part = Callable[[tuple[Tensor, ...], Nested, list[Tensor]], tuple[Tensor, list[Tensor]]]
"""Gives the sums of some patches, and the state after them, from (patches, constants, state); reads
nothing else that changes and assigns nothing."""


def summed(
    part: Part,
    inputs: tuple[Tensor, ...],
    constants: Nested,
    state: list[Tensor],
    *,
    size: int,
    length: int,
) -> tuple[Tensor, list[Tensor]]:
    """Adds up the sums of a batch's parts, one after the other.

    Args:
        part: What to add up.
        inputs: Tensors of the batch's patches, (b, ...) each; b is a multiple of ``size``.
        constants: The same for all parts; gradients go back to them.
        state: Handed from part to part; gradients do not go back to it.
        size: Patches of a part, over all devices; a multiple of their number.
        length: Of the sums.

    Returns:
        (length,) float32, and the state after the last part.
    """

    def add(carry: list[Tensor], patches: tuple[Tensor, ...]) -> tuple[list[Tensor], None]:
        total, *before = carry

        # TensorFlow wants what gradients may go back to as tensors, not in tuples, and no others.
        def once(*flat: Tensor) -> list[Tensor]:
            sums, after = part(patches, *tree.pack_sequence_as((constants, before), flat))
            return [sums, *map(ops.stop_gradient, after)]

        sums, *after = keras.remat(once)(*tree.flatten((constants, before)))
        return [total + sums, *after], None

    carry = [ops.zeros((length,)), *state]
    (total, *after), _ = ops.scan(add, carry, tuple(_parts(x, size) for x in inputs))
    return total, after


def _parts(values: Tensor, size: int) -> Tensor:
    """Cuts (b, ...) into (b / size, size, ...), an equal share of each device's patches in each."""
    rest = values.shape[1:]
    count = devices.parallel()
    values = ops.reshape(values, (count, -1, size // count, *rest))
    return ops.reshape(ops.swapaxes(values, 0, 1), (-1, size, *rest))
