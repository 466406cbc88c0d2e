"""A batch in parts, as one differentiable sum: for batches that do not fit into memory.

Each part is computed twice, the second time when the gradients go back through it, so that only one
part's activations exist at any time. The parts are a loop of the graph: written out one after the
other they would take minutes to trace, and XLA would keep the activations of all of them. (Within
loops XLA is many times slower on processors; TensorFlow without XLA and accelerators are not.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import keras
from keras import ops, tree

from bohb_seg.training import devices
from bohb_seg.training.graph.types import Nested, Tensor

PartSums = Callable[[tuple[Tensor, ...], Nested, list[Tensor]], tuple[Tensor, list[Tensor]]]
"""Gives the sums of some patches, and the state after them, from (patches, constants, state); reads
nothing else that changes and assigns nothing."""


def summed(
    part_sums: PartSums,
    inputs: tuple[Tensor, ...],
    constants: Nested,
    state: list[Tensor],
    *,
    size: int,
    length: int,
) -> tuple[Tensor, list[Tensor]]:
    """Adds up the sums of a batch's parts, one after the other.

    Args:
        part_sums: Gives the sums of one part.
        inputs: Tensors of the batch's patches, (b, ...) each; b is a multiple of ``size``.
        constants: The same for all parts; gradients go back to them.
        state: Handed from part to part; gradients do not go back to it.
        size: Patches of a part, over all devices; a multiple of their number.
        length: Length of the vector of sums.

    Returns:
        (length,) float32, and the state after the last part.
    """
    loop = _Loop(part_sums, constants)
    parts = tuple(_parts(each, size) for each in inputs)
    (total, *after), _ = ops.scan(loop.add, [ops.zeros((length,)), *state], parts)
    return total, after


@final
@dataclass(frozen=True)
class _Loop:
    """The body of the loop over parts."""

    part_sums: PartSums
    constants: Nested

    def add(self, carry: list[Tensor], patches: tuple[Tensor, ...]) -> tuple[list[Tensor], None]:
        """Adds a part's sums to the total, the first of ``carry``; the others are the state."""
        total, *state = carry
        part = _Part(self.part_sums, patches, (self.constants, state))
        sums, *after = keras.remat(part.sums)(*tree.flatten((self.constants, state)))
        return [total + sums, *after], None


@final
@dataclass(frozen=True)
class _Part:
    """One part, computed from flat tensors.

    TensorFlow wants tensors for what gradients may go back to: neither tuples nor anything else.
    """

    part_sums: PartSums
    patches: tuple[Tensor, ...]
    structure: Nested

    def sums(self, *flat: Tensor) -> list[Tensor]:
        """The sums, and then the state after this part."""
        constants, state = tree.pack_sequence_as(self.structure, flat)
        sums, after = self.part_sums(self.patches, constants, state)
        return [sums, *map(ops.stop_gradient, after)]


def _parts(values: Tensor, size: int) -> Tensor:
    """Cuts (b, ...) into (b / size, size, ...), an equal share of each device's patches in each."""
    rest = values.shape[1:]
    count = devices.parallel()
    values = ops.reshape(values, (count, -1, size // count, *rest))
    return ops.reshape(ops.swapaxes(values, 0, 1), (-1, size, *rest))
