"""Keeps a worker known to its run: it outlives nameserver and master and finds the next by itself.

A master of ours hears every heartbeat, from a thread of its own and so also while Keras is in a
long step, that the worker is there and what it does. When the master does not answer, or does not
know the worker, the worker looks the master up again and *joins* it anew. A stock HpBandSter master
hears nothing; there the worker only makes sure that its name stays in the nameserver.

That thread alone joins, because signals raise in the main thread in the middle of a call: a call
that is cut short may still give the worker a name, and nobody would take it away.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol, final

from bohb_seg.errors import RunOverError, ServiceError
from bohb_seg.retry import Retry
from bohb_seg.rpc import pyro
from bohb_seg.rpc.names import dispatcher_name, prefix
from bohb_seg.rpc.steady_thread import SteadyThread
from bohb_seg.settings import WorkerSettings, flag_of
from bohb_seg.worker.run_info import MAY_DIFFER, RunInfo, ask, nameserver_address

SHORTEST_CALL = 2.0
"""Seconds that a renewal may take at least, whatever the heartbeat."""
GOODBYE = 2.0
"""Seconds that either call of a goodbye may take; docker grants ten for everything."""

_log = logging.getLogger(__name__)


class JobsInProgress(Protocol):
    """A worker's jobs, as far as its membership asks about them and ends them."""

    def doing(self) -> str:
        """Object id of the reply of the job that is done; "" when idle."""

    def give_up(self, reply: str, reason: str) -> None:
        """Ends the job with this reply: nobody waits for its result any more."""

    def end(self, reason: str, error: ServiceError | None = None) -> None:
        """Ends the worker."""


@final
class Membership:
    """A worker's place in its run.

    Args:
        name: Name of the worker, unique in the run.
        uri: Pyro address of the worker.
        settings: Settings that tell where the nameserver is.
        run: The run as it was when the worker was made for it.
        facts: Facts that the master compares before it gives the worker a job.
        jobs: The worker's jobs.
        joined: Called with the run after each time that a master was joined.

    Attributes:
        run: The run and its present master.
    """

    def __init__(
        self,
        name: str,
        uri: str,
        settings: WorkerSettings,
        run: RunInfo,
        facts: Mapping[str, str],
        jobs: JobsInProgress,
        joined: Callable[[RunInfo], None] = lambda run: None,
    ) -> None:
        self.run = run
        self._name, self._uri, self._settings = name, uri, settings
        self._facts, self._jobs, self._joined = dict(facts), jobs, joined
        self._first = run
        self._master: Any = None
        self._ended = threading.Event()
        self._registering = threading.Lock()
        self._named = False

    def begin(self) -> None:
        """Joins in a thread of its own, however long that takes, and from then on stays known.

        If the master refuses this worker, or the run is over, the worker's jobs are ended.
        """
        SteadyThread(self._stay, "membership").start()

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

    # --- the thread ------------------------------------------------------------------------

    def _stay(self) -> None:
        try:
            while not self._ended.is_set():
                self._insist_on_being_known()
                self._ended.wait(self.run.heartbeat)
        except RunOverError as over:
            self._jobs.end(str(over))
        except ServiceError as refusal:
            self._jobs.end("the master refuses it", refusal)

    def _insist_on_being_known(self) -> None:
        problem = f"the master of run {self.run.run_id} does not answer"
        retry = Retry(problem, wait=self._ended.wait)
        while True:
            try:
                self._stay_known()
                return
            except (RunOverError, ServiceError):
                raise
            except Exception as error:  # whatever a remote machine sends: this thread goes on
                self._disconnect()
                if not retry.pause(error):
                    return

    def _stay_known(self) -> None:
        if self._master is None:
            self._join()
        elif self.run.is_ours:
            self._renew()
        else:
            self._look()

    def _renew(self) -> None:
        doing = self._jobs.doing()
        match self._master.renew(self._name, doing):
            case "unknown":
                self._join()
            case "unwanted":
                self._jobs.give_up(doing, "nobody waits for the result any more")

    def _look(self) -> None:
        """Joins again if the nameserver knows this worker or the (stock) master no longer."""
        run_id = self.run.run_id
        with self._nameserver() as names:
            entries = names.list(prefix=prefix(run_id))
        dispatcher = entries.get(dispatcher_name(run_id))
        if entries.get(self._name) != self._uri or dispatcher != self.run.dispatcher:
            self._join()

    def _join(self) -> None:
        """Finds the master, is admitted by it, and only then registers with the nameserver."""
        self._disconnect()
        run_id = self.run.run_id
        with self._nameserver() as names:
            master = pyro.proxy(names.lookup(dispatcher_name(run_id)), of="master")
            try:
                run = ask(run_id, master)
                self._agree(run, master)
                self._register(names, run)
                master.trigger_discover_worker()
            except BaseException:
                master._pyroRelease()
                raise
        master._pyroTimeout = max(run.heartbeat, SHORTEST_CALL)
        self._master = master
        _log.info("serving run %s as %s", run_id, self._name)
        self._joined(run)

    def _agree(self, run: RunInfo, master: Any) -> None:
        """Introduces the worker.

        Raises:
            ServiceError: the master refuses the worker, or has other settings than the first one.
        """
        if not run.is_ours:
            return
        refusal = str(master.hello(self._name, self._facts))
        if refusal:
            raise ServiceError(f"the master of run {run.run_id} refuses this worker: {refusal}")
        if changed := sorted(_differing(self._first.settings, run.settings) - MAY_DIFFER):
            raise ServiceError(
                f"the master of run {run.run_id} has another {flag_of(changed[0])} than"
                " when this worker began; start the worker again"
            )

    def _register(self, names: Any, run: RunInfo) -> None:
        with self._registering:
            if self._ended.is_set():
                return
            # Before the call: if its answer is lost, the name may be there all the same.
            self.run, self._named = run, True
            names.register(self._name, self._uri)

    # --- calls -----------------------------------------------------------------------------

    def _take_name_away(self) -> None:
        with self._nameserver() as names:
            names._pyroTimeout = GOODBYE
            names.remove(self._name)

    def _say_goodbye(self) -> None:
        with pyro.proxy(self.run.dispatcher, GOODBYE, of="master") as master:
            if self.run.is_ours:
                master.goodbye(self._name)
            else:
                master.trigger_discover_worker()

    def _nameserver(self) -> Any:
        return pyro.nameserver(*nameserver_address(self._settings))

    def _disconnect(self) -> None:
        if self._master is not None:
            self._master._pyroRelease()
        self._master = None


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> set[str]:
    """Names of the settings that changed between two masters; none if either told nothing."""
    if not (before and now):
        return set()
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}
