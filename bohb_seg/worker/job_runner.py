"""Runs one job after the other: computes, answers whatever happens, delivers the answer."""

import logging
import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, final

import serpent
from hpbandster.core.worker import Worker

from bohb_seg.errors import SettingsError
from bohb_seg.rpc import pyro, values
from bohb_seg.rpc.serializer import STRUCTURE_BYTES
from bohb_seg.settings import WorkerSettings
from bohb_seg.training.interruption import Interrupted, Interruption
from bohb_seg.trials import GIVEN_UP, Info
from bohb_seg.worker.checkpoint_sync import CheckpointSync
from bohb_seg.worker.delivery import Delivery, Result
from bohb_seg.worker.membership import Membership
from bohb_seg.worker.time_limit import TimeLimit

LONGEST_ERROR = 100_000
"""Characters of a traceback that are sent: its end says what went wrong."""

FAULTS_OF_THE_PROGRAM = (
    SettingsError,
    TypeError,
    NameError,
    AttributeError,
    LookupError,
    NotImplementedError,
)
"""Errors that come again wherever the configuration is tried: of the configuration or the program.
All others may be the machine's."""

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
        self._delivery = Delivery(membership, leaves, settings)
        self._limit = TimeLimit(None, Interruption())
        self._copies, self._token = settings.cache_dir / "trials", ""
        self._sync = CheckpointSync(self._storage, self._token, self._copies)

    def do(self, job: WireJob) -> str:
        """Computes and delivers; if the worker has to leave, an interrupted job goes back.

        Returns:
            "", or the reason for which the worker should leave: no master takes its result.
        """
        try:
            result = self._answer(job)
        except Interrupted as interrupted:
            _log.info("evaluation %s given up: %s", job.config_id, interrupted)
            if self._leaves():
                return ""
            result = _failed(f"{GIVEN_UP}{interrupted}", is_final=self._limit.is_over)
        return self._delivery.deliver(job.callback, job.reply, job.config_id, result)

    def _answer(self, job: WireJob) -> Result:
        try:
            result = self._compute(job)
            loss = float(result["loss"])
            info = _sendable(values.plain(result.get("info", {})))
        except (Exception, SystemExit) as error:
            _log.warning("evaluation %s raised", job.config_id, exc_info=True)
            return _failed(traceback.format_exc(), isinstance(error, FAULTS_OF_THE_PROGRAM))
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
            # For our own workers only: a stock worker's compute has no such arguments.
            self._worker.micro_batches = keywords.pop("micro_batches", {})
            self._worker.chosen_later = keywords.pop("chosen_later", {})
            self._limit = TimeLimit(keywords.pop("max_minutes", None), job.interruption)
            with self._limit:
                return self._worker.compute(*job.arguments, config_id=job.config_id, **keywords)

    def _storage(self) -> Any:
        return pyro.proxy(self._membership.run.storage, of="master")


def _failed(why: str, is_final: bool = False) -> Result:
    failed: dict[str, Any] = {"result": None, "exception": why[-LONGEST_ERROR:]}
    return {**failed, "final": True} if is_final else failed


def _sendable(info: Any) -> Any:
    """``info``, or a remark about its size: a daemon closes the connection if it is too large."""
    size = len(serpent.dumps(info))
    if size <= STRUCTURE_BYTES // 2:
        return info
    _log.warning("info of %d bytes is too large to be sent", size)
    return {"info": f"its {size} bytes are too large to be sent"}
