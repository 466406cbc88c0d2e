"""The remote object that workers find in the nameserver as the dispatcher of a run."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, final

import Pyro4

from bohb_seg.master import worker_messages
from bohb_seg.master.attendance import Attendance
from bohb_seg.master.reply_book import ReplyBook
from bohb_seg.rpc import speakers, values
from bohb_seg.rpc.complaints import Complaints

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """Terms on which workers take part.

    Args:
        settings: Settings that all evaluations of the run have in common.
        heartbeat: Seconds between two renewals.
        token: Lies in the run directory; a worker that can read it there shares our storage.
        facts: Facts in which a worker must agree, as far as both sides tell them: version,
            fingerprint and split of the data.
    """

    settings: Mapping[str, Any]
    heartbeat: float
    token: str
    facts: Mapping[str, str]


@final
class Dispatcher:
    """Answers workers at once; whatever takes time is done by others.

    Args:
        terms: Terms on which workers take part.
        attendance: Hears of renewals and goodbyes.
        replies: Tells which results are wanted.
        look: Makes the master look for new workers.
    """

    def __init__(
        self,
        terms: Terms,
        attendance: Attendance,
        replies: ReplyBook,
        look: Callable[[], None],
    ) -> None:
        self._terms, self._attendance, self._replies = terms, attendance, replies
        self._look = look
        self._complaints = Complaints(_log)

    @Pyro4.expose
    @Pyro4.oneway
    def trigger_discover_worker(self) -> None:
        """HpBandSter's contract: looks for new workers at once."""
        self._look()

    @Pyro4.expose
    def register_result(
        self,
        id: object = None,
        result: object = None,
    ) -> None:
        """HpBandSter's contract; unused, because every attempt has a reply of its own to call."""
        told = values.line(id, 99)
        self._complaints.complain(
            "result", f"dropped a result for {told} that belongs to no attempt of this run"
        )

    @Pyro4.expose
    def terms(self) -> dict[str, Any]:
        """The run's ``settings``, the ``heartbeat`` in seconds and the ``token`` of the storage."""
        return {
            "settings": dict(self._terms.settings),
            "heartbeat": self._terms.heartbeat,
            "token": self._terms.token,
        }

    @Pyro4.expose
    def hello(self, name: object, facts: object) -> str:
        """Reason why this worker cannot take part, in one sentence; "" if it can."""
        refusal = worker_messages.disagreement(self._terms.facts, facts)
        if refusal:
            told = values.line(name)
            self._complaints.complain((told, refusal), f"refused worker {told}: {refusal}")
        return refusal

    @Pyro4.expose
    def renew(self, name: object, doing: object) -> str:
        """Renews a worker's lease.

        Args:
            name: The worker.
            doing: Name of the reply that it works for; "" if it is idle.

        Returns:
            ``"unknown"``: register (again) with the nameserver and trigger a discovery;
            ``"unwanted"``: nobody waits for that reply any more; else ``""``.
        """
        worker, connection = speakers.demand(name), Pyro4.current_context.client
        reply = str(doing)
        if not self._attendance.renew(worker, bool(reply), connection):
            return "unknown"
        return "" if not reply or self._replies.wants(reply) else "unwanted"

    @Pyro4.expose
    def goodbye(self, name: object) -> None:
        """The worker leaves; what it was doing is handed on at once."""
        self._attendance.part(speakers.demand(name))
