"""The compiled networks that a process keeps, the least recently used dropped first."""

from collections import OrderedDict

import keras

from bohb_seg.training import devices
from bohb_seg.training.graph.compiled_model import Build, Compiled, Shape

KEPT = 8
"""Networks. Each takes about 40 MB besides its weights (its traces), and a new one seconds; trials
that are promoted and the runs of a comparison come back to few."""
KEPT_BYTES = 2**29
"""Of weights and optimizer states; on a GPU they lie where the activations of others must fit."""

_kept: OrderedDict[tuple[Shape, int | None], Compiled] = OrderedDict()


def take(shape: Shape, build: Build, micro: int | None) -> Compiled:
    """A compiled network, kept or new, that nobody else has; it must be set to its first step."""
    return _kept.pop((shape, micro), None) or Compiled(shape, build, micro)


def keep(shape: Shape, micro: int | None, compiled: Compiled) -> None:
    """Takes a network back, and drops others if they are too many now."""
    _kept[shape, micro] = compiled
    dropped = False
    while len(_kept) > KEPT or sum(each.size for each in _kept.values()) > KEPT_BYTES:
        _kept.popitem(last=False)
        dropped = True
    if dropped:
        # Costs the others 0.9 s of processor time when they are next used.
        _forget()


def release() -> None:
    """Drops all networks."""
    _kept.clear()
    _forget()


def _forget() -> None:
    """Frees what Keras and its backend keep of networks that are gone; also its distribution."""
    devices.forget_traces()
    # Networks are in cycles, so the garbage collection in it is what frees them.
    keras.utils.clear_session(free_memory=True)
