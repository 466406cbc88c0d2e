"""Runs one job after the other: computes, answers whatever happens, delivers the answer.

The master may be gone when a result is ready, and another may be there, at another address. The
object id of the job's reply stays the same, so the result goes to that object at the master's
present address. It is offered until it is taken, or until the master knows no such reply.
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
from bohb_seg.rpc.serializer import STRUCTURE_BYTES
from bohb_seg.settings import WorkerSettings
from bohb_seg.training.interruption import Interrupted, Interruption
from bohb_seg.trials import Info
from bohb_seg.worker.checkpoint_sync import CheckpointSync
from bohb_seg.worker.membership import Membership

STOCK_PATIENCE = 600.0
"""Seconds for which a result is offered to a stock HpBandSter master, which does not come back; a
master of ours does, and wants the result however late."""

LONGEST_ERROR = 100_000
"""Characters of a traceback that are sent: its end says what went wrong."""

_Result = dict[str, Any]
"""HpBandSter's form: ``{"result": {"loss", "info"} or None, "exception": text or None}``."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WireJob:
    """An evaluation as it comes over the wire.

    Args:
        callback: Proxy of the object that takes the result.
        reply: Object id of the callback; with a master of ours there is one per attempt.
        config_id: HpBandSter's id of the trial.
        arguments: Further positional arguments of ``compute``.
        keywords: Keyword arguments of ``compute``.
        interruption: Request to end the job early.
    """

    callback: Any
    reply: str
    config_id: tuple[int, int, int]
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    interruption: Interruption = field(default_factory=Interruption)

    @property
    def key(self) -> tuple[object, ...]:
        """Value that is the same for two deliveries of one job; a stock master has one reply."""
        return self.reply, self.config_id, self.keywords.get("budget")


@final
class JobRunner:
    """Does one job after the other: computes, and always answers.

    Args:
        worker: Program that computes.
        settings: The worker's settings.
        membership: The worker's place in its run.
        leaves: Returns the reason why the worker has to leave; "" as long as it may stay.
    """

    def __init__(
        self,
        worker: Worker,
        settings: WorkerSettings,
        membership: Membership,
        leaves: Callable[[], str],
    ) -> None:
        self._worker, self._membership, self._leaves = worker, membership, leaves
        self._delivery = _Delivery(membership, leaves)
        self._copies, self._token = settings.cache_dir / "trials", ""
        self._sync = CheckpointSync(self._storage, self._token, self._copies)

    def do(self, job: WireJob) -> None:
        """Computes and delivers; if the worker has to leave, an interrupted job goes back."""
        try:
            result = self._answer(job)
        except Interrupted as interrupted:
            _log.info("evaluation %s given up: %s", job.config_id, interrupted)
            if self._leaves():
                return
            result = _failed(f"given up: {interrupted}")
        self._delivery.deliver(job, result)

    def _answer(self, job: WireJob) -> _Result:
        try:
            result = self._compute(job)
            loss = float(result["loss"])
            info = _sendable(values.plain(result.get("info", {})))
        except (Exception, SystemExit):
            _log.warning("evaluation %s raised", job.config_id, exc_info=True)
            return _failed(traceback.format_exc())
        if self._sync.complaint and isinstance(info, dict):
            told = Info.read(info)
            complaints = "; ".join(filter(None, (told.checkpoint, self._sync.complaint)))
            info = replace(told, checkpoint=complaints).plain()
        if not math.isfinite(loss):
            _log.info("evaluation %s diverged", job.config_id)
        return {"result": {"loss": loss, "info": info}, "exception": None}

    def _compute(self, job: WireJob) -> Any:
        where = str(job.keywords.get("working_directory", "."))
        if self._token != self._membership.run.token:
            self._token = self._membership.run.token
            self._sync = CheckpointSync(self._storage, self._token, self._copies)
        with self._sync.trial(job.config_id, where) as directory:
            keywords = {**job.keywords, "working_directory": directory}
            # For our own workers only: a stock worker's compute has no such argument.
            self._worker.micro_batches = keywords.pop("micro_batches", {})
            return self._worker.compute(*job.arguments, config_id=job.config_id, **keywords)

    def _storage(self) -> Any:
        return pyro.proxy(self._membership.run.storage, of="master")


@final
class _Delivery:
    """Brings results to the master, whichever it is by then."""

    def __init__(self, membership: Membership, leaves: Callable[[], str]) -> None:
        self._membership, self._leaves = membership, leaves
        self._connection: tuple[str, Any] | None = None

    def deliver(self, job: WireJob, result: _Result) -> None:
        """Offers a result until it is taken or nobody wants it; once more if we must leave."""
        retry = Retry(
            f"the master does not take the result of {job.config_id}",
            patience=math.inf if self._membership.run.is_ours else STOCK_PATIENCE,
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
                self._disconnect()
                if is_last or not retry.pause(error):
                    break
            except Exception as error:
                _log.warning("the master cannot use the result of %s: %r", job.config_id, error)
                return
        _log.error("gave up the result of %s: its master does not take it", job.config_id)

    def _offer(self, job: WireJob, result: _Result) -> None:
        if not self._membership.run.is_ours:
            job.callback._pyroTimeout = pyro.CALL_TIMEOUT
            job.callback.register_result(job.config_id, result)
            return
        # The reply's address may be that of a master that is no more; its object id stays.
        arguments = (job.config_id, result)
        self._master()._pyroInvoke("register_result", arguments, {}, objectId=job.reply)

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


def _failed(why: str) -> _Result:
    return {"result": None, "exception": why[-LONGEST_ERROR:]}


def _sendable(info: Any) -> Any:
    """``info``, or a remark about its size: a daemon closes the connection if it is too large."""
    size = len(serpent.dumps(info))
    if size <= STRUCTURE_BYTES // 2:
        return info
    _log.warning("info of %d bytes is too large to be sent", size)
    return {"info": f"its {size} bytes are too large to be sent"}
