"""Compiled models that a process keeps; the least recently used is dropped first."""

from collections import OrderedDict

import keras

from bohb_seg.training import devices
from bohb_seg.training.graph.compiled_model import CompiledModel, Shape

KEPT = 8
"""Number of models. Each takes about 40 MB besides its weights, for its traces; a new one takes
seconds. Promoted trials and the trainings of a comparison come back to few shapes."""
KEPT_BYTES = 2**29
"""Bytes of weights, averages and optimizer states; on a GPU they take room from others'
activations."""

_kept: OrderedDict[tuple[Shape, int | None], CompiledModel] = OrderedDict()


def take(shape: Shape, micro: int | None) -> CompiledModel:
    """Hands out a model, kept or new, that nobody else has.

    Args:
        shape: What it is compiled for.
        micro: Patches that are computed at a time; None: the whole batch.

    Returns:
        A model in an unknown state: weights, optimizer, loss and rates must be set.
    """
    return _kept.pop((shape, micro), None) or CompiledModel(shape, micro)


def keep(shape: Shape, micro: int | None, compiled: CompiledModel) -> None:
    """Takes a model back, and drops others if there are too many now."""
    _kept[shape, micro] = compiled
    dropped = False
    while len(_kept) > KEPT or sum(each.size for each in _kept.values()) > KEPT_BYTES:
        _kept.popitem(last=False)
        dropped = True
    if dropped:
        # Costs the others 0.9 s of processor time when they are next used.
        _free()


def release() -> None:
    """Drops all models."""
    _kept.clear()
    _free()


def _free() -> None:
    """Frees what Keras and its backend keep of models that are gone; also its distribution."""
    devices.forget_traces()
    # Models are in reference cycles, so the garbage collection in it is what frees them.
    keras.utils.clear_session(free_memory=True)
