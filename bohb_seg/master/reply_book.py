"""The replies that are open: one remote object per attempt, so that no result is booked wrongly.

A stock worker's result names only its trial. Because it is sent to the reply of its attempt, a late
or doubled one can never count for another attempt or budget.
"""

from collections.abc import Callable
from typing import final

import Pyro4

from bohb_seg.master.reply import Reply
from bohb_seg.master.worker_messages import InfoRoom
from bohb_seg.rpc import names, speakers
from bohb_seg.rpc.checkpoint_names import folders_of
from bohb_seg.rpc.daemon import Daemon
from bohb_seg.search.events import Evaluate, Evaluated
from bohb_seg.trials import Attempt, EvaluationId


@final
class ReplyBook:
    """Opens, finds and closes replies.

    Only the master's loop opens and closes them; any thread may look one up.

    Args:
        run_id: Begins their names.
        daemon: Serves them.
        post: Takes the news of a result.
    """

    def __init__(self, run_id: str, daemon: Daemon, post: Callable[[Evaluated], None]) -> None:
        self._run_id, self._daemon, self._post = run_id, daemon, post
        self._room = InfoRoom()
        self._open: dict[str, Reply] = {}  # by name
        self._attempts: dict[EvaluationId, list[Reply]] = {}

    def open(self, order: Evaluate) -> None:
        """Opens the reply of an order, at the same address as before a restart of the master."""
        reply = Reply(order, self._post, self._room)
        name = self._name(reply.attempt)
        self._daemon.register(reply, name)
        self._open[name] = reply
        self._attempts.setdefault(order.evaluation, []).append(reply)

    def address(self, order: Evaluate) -> str:
        """Address to which the result of an order is to be sent."""
        name = self._name(Attempt(order.evaluation, order.attempt))
        return f"PYRO:{name}@{self._daemon.locationStr}"

    def awaited(self, name: str, worker: str) -> Attempt | None:
        """The attempt whose reply has this name, as long as its result has not come.

        None also if another worker than this one has the order.
        """
        reply = self._open.get(name)
        if reply is None or reply.posted or reply.order.worker != worker:
            return None
        return reply.attempt

    def wants(self, name: str) -> bool:
        """Whether anybody waits for the attempt whose reply has this name."""
        reply = self._open.get(name)
        return reply is not None and reply.wanted

    def demand_writer(self, folder: str) -> None:
        """Makes sure that the present remote call comes from a worker at a trial of this folder.

        Args:
            folder: Folder of files of a trial, relative to the run directory.

        Raises:
            Pyro4.errors.SecurityError: it comes from another.
        """
        holder = speakers.caller()
        orders = (reply.order for reply in list(self._open.values()))
        writers = (o.worker for o in orders if folder in folders_of(o.evaluation.trial))
        if holder is not None and not any(speakers.may_speak(holder, each) for each in writers):
            raise Pyro4.errors.SecurityError(f"{holder.name} has no trial whose files are {folder}")

    def recorded(self, news: Evaluated) -> None:
        """Tells the worker that its result is on disk, so that it may forget the result."""
        name = self._name(Attempt(news.evaluation, news.attempt))
        if reply := self._open.get(name):
            self._close(reply)
            reply.recorded.set()

    def settled(self, evaluation: EvaluationId, may_come: Callable[[str], bool]) -> None:
        """Notes that nobody waits for further attempts at an evaluation.

        Args:
            evaluation: The evaluation that is settled.
            may_come: Tells whether a result of this worker may still come; if not, its reply is
                closed.
        """
        for reply in self._attempts.pop(evaluation, []):
            reply.wanted = False
            if not reply.posted and not may_come(reply.order.worker):
                self._close(reply)

    def _close(self, reply: Reply) -> None:
        self._daemon.unregister(reply)
        del self._open[self._name(reply.attempt)]
        if reply.wanted:
            self._attempts[reply.order.evaluation].remove(reply)

    def _name(self, attempt: Attempt) -> str:
        return names.reply_name(self._run_id, attempt)
