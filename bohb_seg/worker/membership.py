"""Keeps a worker known to its run: it outlives nameserver and master and finds the next by itself.

A master of ours is told every heartbeat, from a thread of its own and so also while Keras is in a
long step, that the worker is there and what it does. When that is not heard, or not understood, the
worker looks the master up again and *joins* it anew. A stock HpBandSter master hears nothing; there
the worker only sees to it that its name stays in the nameserver.

Joining belongs to that thread alone, because the main thread's signals raise in the midst of calls:
a call that was cut short might still give the worker a name, and nobody would take it away.
"""

import logging
import threading
from collections.abc import Mapping
from typing import Any, Protocol, final

from bohb_seg.errors import RunOverError, ServiceError
from bohb_seg.retry import Retry
from bohb_seg.rpc import pyro
from bohb_seg.rpc.names import dispatcher_name, prefix
from bohb_seg.settings import WorkerSettings, flag_of
from bohb_seg.worker.run_info import ELSEWHERE, Post, ask

SHORTEST_CALL = 2.0
"""Seconds that a renewal may take at least, whatever the heartbeat."""
GOODBYE = 2.0
"""Seconds that either call of a goodbye may take; docker grants ten for everything."""

_log = logging.getLogger(__name__)


class Work(Protocol):
    """What a membership wants to know of the worker's service, and tells it."""

    def doing(self) -> str:
        """Object id of the reply of what it works on; "" when idle."""

    def give_up(self, reply: str, reason: str) -> None:
        """Nobody waits for the result of this attempt any more."""

    def end(self, reason: str, error: ServiceError | None = None) -> None:
        """The worker has to leave."""


@final
class Membership:
    """A worker's place in its run.

    Args:
        name: The worker's, unique in the run.
        uri: Where it is served.
        settings: Where the nameserver is.
        post: The run as it was when the worker was made for it.
        facts: What the master compares before it gives the worker anything to do.
        work: The worker's service.
    """

    def __init__(
        self,
        name: str,
        uri: str,
        settings: WorkerSettings,
        post: Post,
        facts: Mapping[str, str],
        work: Work,
    ) -> None:
        self.post = post
        self._name, self._uri, self._settings = name, uri, settings
        self._facts, self._work = dict(facts), work
        self._first = post
        self._remote: Any = None
        self._ended = threading.Event()
        self._registering = threading.Lock()
        self._named = False

    def begin(self) -> None:
        """Joins in a thread of its own, however long that takes, and from then on stays known.

        If the master refuses this worker, or its run is over, the worker's service is told.
        """
        threading.Thread(target=self._stay, name="membership", daemon=True).start()

    def leave(self) -> None:
        """Takes the name away and says goodbye, if anybody listens; the name does not come back."""
        self._ended.set()
        if self._registering.acquire(timeout=GOODBYE):  # else the nameserver does not answer
            self._registering.release()
        if not self._named:
            return
        for farewell in (self._take_name_away, self._say_goodbye):
            try:
                farewell()
            except pyro.TRANSIENT as error:
                _log.debug("could not say goodbye: %s", error)

    def _stay(self) -> None:
        try:
            while not self._ended.is_set():
                self._insist_on_being_known()
                self._ended.wait(self.post.heartbeat)
        except RunOverError as over:
            self._work.end(str(over))
        except ServiceError as refusal:
            self._work.end("the master refuses it", refusal)

    def _insist_on_being_known(self) -> None:
        problem = f"the master of run {self.post.run_id} does not answer"
        retry = Retry(problem, wait=self._ended.wait)
        while True:
            try:
                self._stay_known()
                return
            except (RunOverError, ServiceError):
                raise
            except Exception as error:  # whatever a remote machine sends: this thread goes on
                self._hang_up()
                if not retry.pause(error):
                    return

    def _stay_known(self) -> None:
        if self._remote is None:
            self._join()
        elif self.post.is_ours:
            self._renew()
        else:
            self._look()

    def _renew(self) -> None:
        doing = self._work.doing()
        match self._remote.renew(self._name, doing):
            case "unknown":
                self._join()
            case "unwanted":
                self._work.give_up(doing, "another worker was first")

    def _look(self) -> None:
        """What a stock master needs: that the nameserver knows us, and that it looks there."""
        with self._nameserver() as names:
            entries = names.list(prefix=prefix(self.post.run_id))
        dispatcher = entries.get(dispatcher_name(self.post.run_id))
        if entries.get(self._name) != self._uri or dispatcher != self.post.dispatcher:
            self._join()

    def _join(self) -> None:
        """Finds the master, is admitted by it, and only then stands in the nameserver."""
        self._hang_up()
        run_id = self.post.run_id
        with self._nameserver() as names:
            remote = pyro.proxy(names.lookup(dispatcher_name(run_id)), of="master")
            try:
                post = ask(run_id, remote)
                self._agree(post, remote)
                self._register(names, post)
                remote.trigger_discover_worker()
            except BaseException:
                remote._pyroRelease()
                raise
        remote._pyroTimeout = max(post.heartbeat, SHORTEST_CALL)
        self._remote = remote
        _log.info("serving run %s as %s", run_id, self._name)

    def _register(self, names: Any, post: Post) -> None:
        with self._registering:
            if self._ended.is_set():
                return
            # Before the call: if its answer is lost, the name may be there all the same.
            self.post, self._named = post, True
            names.register(self._name, self._uri)

    def _agree(self, post: Post, remote: Any) -> None:
        if not post.is_ours:
            return
        refusal = str(remote.hello(self._name, self._facts))
        if refusal:
            raise ServiceError(f"the master of run {post.run_id} refuses this worker: {refusal}")
        if changed := sorted(_differing(self._first.settings, post.settings) - ELSEWHERE):
            raise ServiceError(
                f"the master of run {post.run_id} has another {flag_of(changed[0])} than"
                " when this worker began; start the worker again"
            )

    def _take_name_away(self) -> None:
        with self._nameserver() as names:
            names._pyroTimeout = GOODBYE
            names.remove(self._name)

    def _say_goodbye(self) -> None:
        with pyro.proxy(self.post.dispatcher, GOODBYE, of="master") as remote:
            if self.post.is_ours:
                remote.goodbye(self._name)
            else:
                remote.trigger_discover_worker()

    def _nameserver(self) -> Any:
        return pyro.nameserver(*self._settings.nameserver)

    def _hang_up(self) -> None:
        if self._remote is not None:
            self._remote._pyroRelease()
        self._remote = None


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    """Names of the settings that changed between two masters; none if either told nothing."""
    if not (before and now):
        return set()
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
