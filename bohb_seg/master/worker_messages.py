"""Checks what workers tell: whatever comes, it becomes news of exactly one attempt."""

import json
import logging
import math
import threading
from collections.abc import Mapping
from typing import Any, final

from bohb_seg.rpc import values
from bohb_seg.search.events import Evaluate, Evaluated
from bohb_seg.trials import Info, misfits

LONGEST_ERROR = 100_000
"""Characters of a traceback that are kept, from its end, which says what went wrong."""
MOST_LIMITS = 1000
"""Shapes whose micro-batch a single result may tell; more is garbage."""
LONGEST_SHAPE = 500
"""Characters of a kind of device and a shape; all that are known go with every order."""
INFO_BYTES = 2 * 1024 * 1024
"""Largest info of a result, as JSON; our workers send at most half of it."""
RUN_BYTES = 1024 * 1024 * 1024
"""All infos and errors that one master keeps; 20,000 evaluations with curves of 100 epochs take
half of it."""
SMALL_BYTES = 10_000
"""Size of an info that is kept even then."""
SHORT_ERROR = 1000
"""Characters of an error that are kept even then."""

_log = logging.getLogger(__name__)


@final
class InfoRoom:
    """Room for the infos and errors of a run, which come from several threads."""

    def __init__(self) -> None:
        self._left = RUN_BYTES
        self._lock = threading.Lock()

    def fit(self, order: Evaluate, info: dict[str, Any]) -> dict[str, Any]:
        """Returns the info, or a remark in its place if it is too large, which the log tells."""
        size = len(json.dumps(info))
        with self._lock:
            if size <= min(INFO_BYTES, max(self._left, SMALL_BYTES)):
                self._left -= size
                return info
        _log.warning(
            "dropped the info of a result of %s: %d bytes are too many", order.worker, size
        )
        return {"info": f"its {size} bytes were too many to be kept"}

    def cut(self, error: str) -> str:
        """Returns the end of an error: all that may be kept of one, or a line if room is short."""
        error = error[-LONGEST_ERROR:]
        with self._lock:
            if len(error) > max(self._left, SHORT_ERROR):
                return error[-SHORT_ERROR:]
            self._left -= len(error)
            return error


def as_news(order: Evaluate, message: object, room: InfoRoom) -> Evaluated:
    """Makes news of HpBandSter's ``{"result": ..., "exception": ...}``.

    Args:
        order: The attempt that has ended.
        message: What came; anything.
        room: Room for the result's info.
    """
    try:
        return _as_news(order, message, room)
    except Exception as error:  # nothing that a worker says may leave its attempt without an end
        return crashed(order, f"the worker's result cannot be read ({type(error).__name__})")


def _as_news(order: Evaluate, message: object, room: InfoRoom) -> Evaluated:
    if not isinstance(message, Mapping):
        return crashed(order, f"the worker sent no result but {type(message).__name__}")
    result = message.get("result")
    if result is None:
        error = values.plain(message.get("exception") or "the worker gave no reason")
        return crashed(order, room.cut(str(error)), final=message.get("final") is True)
    try:
        loss, info = float(result["loss"]), values.plain(result.get("info", {}))
    except Exception:  # whatever object came
        return crashed(order, "the worker's result has no numeric 'loss'")
    info = room.fit(order, _usable(order, info if isinstance(info, dict) else {"value": info}))
    key = order.evaluation, order.attempt, order.worker
    if math.isfinite(loss):
        return Evaluated(*key, "finished", loss, info)
    return Evaluated(*key, "diverged", info=info, error=f"the loss became {loss}")


def _usable(order: Evaluate, told: dict[str, Any]) -> dict[str, Any]:
    """The table without facts of a wrong type, each of which is told once in the log."""
    wrong = dict(misfits(told))
    for name, reason in wrong.items():
        _log.warning("dropped info[%r] of %s: %s", name, order.worker, reason)
    return {name: value for name, value in told.items() if name not in wrong}


def crashed(order: Evaluate, error: str, final: bool = False) -> Evaluated:
    """News of an attempt that raised, or whose worker told nothing usable.

    Args:
        order: The attempt that has ended.
        error: A traceback, or a sentence.
        final: Whether the worker says that another attempt would end alike.
    """
    key = order.evaluation, order.attempt, order.worker
    return Evaluated(*key, "crashed", error=error[-LONGEST_ERROR:], final=final)


def crashed_its_worker(how: str = "its process ended without a word") -> str:
    """The error of an attempt at which the worker's process died."""
    return f"crashed its worker: {how}"


def overdue(minutes: float | None) -> str:
    """The error of an attempt that took longer than it may."""
    return f"took longer than --max-minutes-per-evaluation {minutes:g}"


def micro_batches(facts: Info) -> dict[str, int]:
    """Patches that fit into memory at once, by device kind and shape, as a worker found out."""
    told = facts.micro_batches
    if len(told) > MOST_LIMITS:
        return {}
    return {key: n for key, n in told.items() if n >= 1 and len(key) <= LONGEST_SHAPE}


def disagreement(ours: Mapping[str, str], theirs: object) -> str:
    """Reason why a worker cannot take part, in one sentence; "" if it can.

    Args:
        ours: Facts of the run: version, fingerprint and split of the data.
        theirs: What the worker tells; only facts that both tell are compared, because a worker
            without data has no fingerprint.
    """
    if not isinstance(theirs, Mapping):
        return f"it told {type(theirs).__name__} instead of its facts"
    names = {
        "version": ("bohb-seg", "install the same version on both"),
        "fingerprint": ("data", "give both the same --data"),
        "model": ("--model file", "copy the master's to the worker's machine"),
        "split_hash": ("split of the data", "give both the same --data and --split"),
    }
    for fact, (name, remedy) in names.items():
        our, their = ours.get(fact, ""), str(theirs.get(fact, ""))
        if our and their and our != their:
            return f"its {name} ({their[:12]}) is not the run's ({our[:12]}); {remedy}"
    return ""
