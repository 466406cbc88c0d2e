"""One order after the other: computes, answers whatever happens, and gets the answer to the master.

The master may be gone when a result is ready, and another may be there, at another address. What
stays is the object id of the order's reply, so that is where the result goes, at the master's
present address; it is offered until it is taken or the master that is there knows no such reply.
"""

import logging
import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import Pyro4
import serpent
from hpbandster.core.worker import Worker

from bohb_seg.retry import Retry, wait_until
from bohb_seg.rpc import pyro, values
from bohb_seg.rpc.connection import STRUCTURE_BYTES
from bohb_seg.settings import WorkerSettings
from bohb_seg.training.interruption import Interrupted, Interruption
from bohb_seg.trials import Info
from bohb_seg.worker.checkpoint_sync import Mirror
from bohb_seg.worker.membership import Membership

STOCK_PATIENCE = 600.0
"""Seconds for which a result is offered to a stock HpBandSter master, which does not come back; one
of ours does, and wants it however late."""

LONGEST_ERROR = 100_000
"""Characters of a traceback that are sent: its end says what went wrong."""

_Result = dict[str, Any]
"""HpBandSter's form: ``{"result": {"loss", "info"} or None, "exception": text or None}``."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """One order; ``reply`` is its callback's object id, with a master of ours one per attempt."""

    callback: Any
    reply: str
    config_id: tuple[int, int, int]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    interruption: Interruption = field(default_factory=Interruption)

    @property
    def key(self) -> tuple[object, ...]:
        """What makes two orders the same; a stock master has one reply for all."""
        return self.reply, self.config_id, self.keywords.get("budget")


@final
class Shift:
    """Does one job after the other: computes, and always answers.

    Args:
        leaves: Why the worker has to leave; "" as long as it may stay.
    """

    def __init__(
        self,
        worker: Worker,
        settings: WorkerSettings,
        membership: Membership,
        leaves: Callable[[], str],
    ) -> None:
        self._worker, self._membership, self._leaves = worker, membership, leaves
        self._copies, self._token = settings.cache_dir / "trials", ""
        self._mirror = Mirror(self._storage, self._token, self._copies)
        self._master: tuple[str, Any] | None = None

    def do(self, job: Order) -> None:
        """Computes and delivers; one that is interrupted because we leave is handed back."""
        try:
            result = self._answer(job)
        except Interrupted as interrupted:
            _log.info("evaluation %s given up: %s", job.config_id, interrupted)
            if self._leaves():
                return
            result = _failed(f"given up: {interrupted}")
        self._deliver(job, result)

    def _answer(self, job: Order) -> _Result:
        try:
            result = self._compute(job)
            loss = float(result["loss"])
            info = _sendable(values.plain(result.get("info", {})))
        except (Exception, SystemExit):
            _log.warning("evaluation %s raised", job.config_id, exc_info=True)
            return _failed(traceback.format_exc())
        if self._mirror.complaint and isinstance(info, dict):
            told = Info.read(info)
            complaints = "; ".join(filter(None, (told.checkpoint, self._mirror.complaint)))
            info = replace(told, checkpoint=complaints).plain()
        if not math.isfinite(loss):
            _log.info("evaluation %s diverged", job.config_id)
        return {"result": {"loss": loss, "info": info}, "exception": None}

    def _compute(self, job: Order) -> Any:
        where = str(job.keywords.get("working_directory", "."))
        if self._token != self._membership.post.token:
            self._token = self._membership.post.token
            self._mirror = Mirror(self._storage, self._token, self._copies)
        with self._mirror.trial(job.config_id, where) as directory:
            keywords = {**job.keywords, "working_directory": directory}
            # For our own workers only: a stock worker's compute has no such argument.
            self._worker.micro_batches = keywords.pop("micro_batches", {})
            return self._worker.compute(*job.arguments, config_id=job.config_id, **keywords)

    def _deliver(self, job: Order, result: _Result) -> None:
        """Offers the result until it is taken or nobody wants it; once more if we must leave."""
        patience = math.inf if self._membership.post.is_ours else STOCK_PATIENCE
        retry = Retry(
            f"the master does not take the result of {job.config_id}",
            patience=patience,
            wait=wait_until(self._leaves),
        )
        while True:
            is_last = bool(self._leaves())
            try:
                self._offer(job, result)
                return
            except Pyro4.errors.DaemonError:
                _log.warning("the master no longer wants the result of %s", job.config_id)
                return
            except pyro.TRANSIENT as error:
                self._hang_up()
                if is_last or not retry.pause(error):
                    break
            except Exception as error:
                _log.warning("the master cannot use the result of %s: %r", job.config_id, error)
                return
        _log.error("gave up the result of %s: its master does not take it", job.config_id)

    def _offer(self, job: Order, result: _Result) -> None:
        if not self._membership.post.is_ours:
            job.callback._pyroTimeout = pyro.CALL_TIMEOUT
            job.callback.register_result(job.config_id, result)
            return
        # The reply's address may be that of a master that is no more; its object id stays.
        arguments = (job.config_id, result)
        self._present_master()._pyroInvoke("register_result", arguments, {}, objectId=job.reply)

    def _present_master(self) -> Any:
        """A connection to where the master is now, kept from result to result."""
        dispatcher = self._membership.post.dispatcher
        if self._master is None or self._master[0] != dispatcher:
            self._hang_up()
            self._master = dispatcher, pyro.proxy(dispatcher, of="master")
        return self._master[1]

    def _hang_up(self) -> None:
        if self._master is not None:
            self._master[1]._pyroRelease()
        self._master = None

    def _storage(self) -> Any:
        return pyro.proxy(self._membership.post.storage, of="master")


def _failed(why: str) -> _Result:
    return {"result": None, "exception": why[-LONGEST_ERROR:]}


def _sendable(info: Any) -> Any:
    """``info``, or a remark about its size: a daemon closes the connection on what is too large."""
    size = len(serpent.dumps(info))
    if size <= STRUCTURE_BYTES // 2:
        return info
    _log.warning("info of %d bytes is too large to be sent", size)
    return {"info": f"its {size} bytes are too large to be sent"}
