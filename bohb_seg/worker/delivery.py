"""Brings results to the master, those of this worker and those that others left on this machine.

The master may be gone when a result is ready, and another may be there, at another address. The
object id of the job's reply stays the same, so the result goes to that object at the master's
present address. It is offered until it is taken, or until the master knows no such reply. A worker
that has to leave before leaves it in the spool.
"""

import logging
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple, final

import Pyro4

from bohb_seg.retry import Retry, wait_until
from bohb_seg.rpc import pyro
from bohb_seg.settings import WorkerSettings
from bohb_seg.worker.membership import Membership
from bohb_seg.worker.run_info import RunInfo
from bohb_seg.worker.spool import Record, Spool

STOCK_PATIENCE = 600.0
"""Seconds for which a result is offered to a stock HpBandSter master, which does not come back; a
master of ours does, and wants the result however late."""

Result = Mapping[str, Any]
"""HpBandSter's form: ``{"result": {"loss", "info"} or None, "exception": text or None}``."""

_log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """Outcome of one offer of a result.

    Args:
        settled: Whether nothing is left to be done about the result.
        said: The end of a sentence about the result.
        is_of_other: Whether only the holder of another certificate can bring it.
    """

    settled: bool
    said: str
    is_of_other: bool = False


@final
class Delivery:
    """Brings the results of one worker to the master, whichever it is by then.

    Args:
        membership: The worker's place in its run.
        leaves: Returns the reason why the worker has to leave; "" as long as it may stay.
        settings: The worker's settings.
    """

    def __init__(
        self, membership: Membership, leaves: Callable[[], str], settings: WorkerSettings
    ) -> None:
        self._membership, self._leaves = membership, leaves
        self._spool = spool_of(settings)
        self._patience = settings.idle_timeout or math.inf
        self._connection: tuple[str, Any] | None = None

    def deliver(
        self, callback: Any, reply: str, config_id: tuple[int, int, int], result: Result
    ) -> str:
        """Offers a result until it is taken or nobody wants it; once more if we must leave.

        Args:
            callback: Proxy of the object that takes the result.
            reply: Object id of the callback.
            config_id: HpBandSter's id of the trial.
            result: The result.

        Returns:
            "", or the reason for which the worker should leave: no master was there for too long.
        """
        run = self._membership.run
        if not run.is_ours:
            callback._pyroTimeout = pyro.CALL_TIMEOUT
            self._insist(partial(callback.register_result, config_id, result), config_id)
            return ""
        record = Record(run.run_id, run.token, reply, config_id, result)
        offer = partial(self._offer, record)
        held, settled = self._spool.keep(record), False
        try:
            settled = self._insist(offer, config_id)
        finally:  # also where a signal ends it
            if held.path and not settled:
                _log.warning(
                    "the result of %s lies in %s: the next worker of run %s on this machine brings"
                    " it, or 'bohb-worker --deliver' with the flags of this one",
                    *(record.trial, held.path, record.run_id),
                )
            held.release(settled)
        return "" if settled else f"no master took its result for {self._patience:g} s"

    def _insist(self, offer: Callable[[], object], config_id: tuple[int, int, int]) -> bool:
        """Returns whether nothing is left to be done about a result."""
        is_ours = self._membership.run.is_ours
        retry = Retry(
            f"the master does not take the result of {config_id}",
            patience=self._patience if is_ours else STOCK_PATIENCE,
            wait=wait_until(self._leaves),
        )
        while True:
            is_last = bool(self._leaves())
            outcome = _outcome(offer, config_id)
            if outcome.settled:
                return True
            self._disconnect()
            if is_last or not retry.pause(outcome.said):
                break
        _log.error("gave up the result of %s: its master does not take it", config_id)
        return False

    def _offer(self, record: Record) -> None:
        _register(self._master(), record)

    def _master(self) -> Any:
        """A connection to the present master, kept from result to result."""
        dispatcher = self._membership.run.dispatcher
        if self._connection is None or self._connection[0] != dispatcher:
            self._disconnect()
            self._connection = dispatcher, pyro.proxy(dispatcher, of="master")
        return self._connection[1]

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection[1]._pyroRelease()
        self._connection = None


def spool_of(settings: WorkerSettings) -> Spool:
    """The spool of this machine; it lies beside the cache."""
    return Spool(settings.cache_dir / "spool")


def bring(settings: WorkerSettings, run: RunInfo) -> None:
    """Brings the results that were left here for a run, as far as its master answers."""
    for record, outcome in brought(spool_of(settings), run):
        _log.info("the result of %s, which was left here, %s", record.trial, outcome.said)


def bring_aside(settings: WorkerSettings, run: RunInfo) -> None:
    """Does the same in a thread of its own."""
    threading.Thread(target=bring, args=(settings, run), name="spool", daemon=True).start()


def brought(spool: Spool, run: RunInfo) -> Iterator[tuple[Record, Outcome]]:
    """Offers the results that were left here for a run, until the master does not answer.

    Yields:
        Each of them, and what became of it.
    """
    with pyro.proxy(run.dispatcher, of="master") as master:
        for record, held in spool.left(run.token):
            outcome = Outcome(False, "was not offered")
            try:
                outcome = _outcome(partial(_register, master, record), record.trial)
            finally:
                held.release(outcome.settled)
            yield record, outcome
            if not (outcome.settled or outcome.is_of_other):
                return


def _register(master: Any, record: Record) -> None:
    # The reply's address may be that of a master that is no more; its object id stays.
    arguments = (record.config_id, record.result)
    master._pyroInvoke("register_result", arguments, {}, objectId=record.reply)


def _outcome(offer: Callable[[], object], name: object) -> Outcome:
    """Makes an offer once."""
    try:
        offer()
    except Pyro4.errors.DaemonError:
        _log.warning("the master no longer wants the result of %s", name)
        return Outcome(True, "is no longer wanted")
    except Pyro4.errors.SecurityError as error:
        return Outcome(False, f"stays here ({error})", is_of_other=True)
    except pyro.TRANSIENT as error:
        return Outcome(False, f"stays here ({error})")
    except Exception as error:
        _log.warning("the master cannot use the result of %s: %r", name, error)
        return Outcome(True, "cannot be used by the master")
    return Outcome(True, "was taken")
