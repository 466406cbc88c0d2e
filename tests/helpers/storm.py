"""Disturbs a run at random moments, and repairs the damage, until the run has ended.

The kind of each fault, its time and its victim follow from the seed; the state in which it finds
the run depends on the machine.
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from helpers.accounts import Fault
from helpers.cluster import Cluster, Command, Place
from helpers.hosts import Network

KINDS = {
    "kill": 8,
    "freeze": 8,
    "terminate": 5,
    "join": 3,
    "cut": 4,
    "kill master": 3,
    "kill names": 2,
}
"""Relative frequency of each kind of fault; ``names`` is the nameserver."""
CALM = 12.0
"""Seconds between two faults, for each worker."""
BEGINNING = 5.0
"""Seconds until the first fault."""
SILENCE = (0.2, 9.0)
"""Seconds for which a worker is frozen or a host cut off: shorter and longer than a lease of 3."""
ABSENCE = (0.0, 3.0)
"""Seconds until a killed master or nameserver is started again."""
LEFT = (-signal.SIGTERM, 128 + signal.SIGTERM)
"""Exit statuses of a worker that was told to leave before it could listen, or was told twice."""
SAY_EVERY = 10.0
"""Seconds between two lines of progress."""

Hit = list[Command] | None
"""Workers that a fault hit; None: the fault was not possible at that moment."""


@dataclass(frozen=True)
class _Repair:
    """A repair of a fault, and its time."""

    due: float
    of: object
    mend: Callable[[], object]


class Storm:
    """One run with its processes, and the faults that hit them.

    Args:
        cluster: The run; none of its processes has been started yet.
        search: Flags of the master.
        places: Machines of the workers, with their numbers on the bridge.
        network: The bridge; None: links are not cut.
        workers: Number of workers that are kept alive.
        seed: Number from which kinds, times and victims of the faults follow.
    """

    def __init__(
        self,
        cluster: Cluster,
        search: tuple[object, ...],
        places: Mapping[Place, int],
        network: Network | None,
        workers: int,
        seed: int,
    ) -> None:
        self._cluster, self._places, self._network = cluster, places, network
        self._count, self._random = workers, random.Random(seed)
        self._nameserver = cluster.nameserver()
        self._master = cluster.master(*search)
        self._workers: dict[Command, Place] = {}
        self._killed: list[Command] = []
        self._told_to_leave: list[Command] = []
        self._repairs: list[_Repair] = []
        self._faults: list[tuple[str, float, list[Command]]] = []
        self._strokes: Mapping[str, Callable[[], Hit]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "terminate": self._terminate,
            "join": self._join,
            "cut": self._cut,
            "kill master": self._kill_master,
            "kill names": self._kill_nameserver,
        }

    @property
    def faults(self) -> list[Fault]:
        """The faults so far."""
        return [
            Fault(kind, when, tuple(filter(None, (worker.worker_name for worker in hit))))
            for kind, when, hit in self._faults
        ]

    def rage(self, planned: float, longest: float) -> None:
        """Disturbs the run until it has ended.

        Args:
            planned: Seconds after which there are no more faults, so that the run can end.
            longest: Seconds after which the run seems to hang.

        Raises:
            AssertionError: the run hangs, or a process ended in bad order without a fault.
        """
        began = time.monotonic()
        next_stroke, next_line = began + BEGINNING, began + SAY_EVERY
        while not self._over():
            now = time.monotonic()
            self._mend(now)
            self._replace()
            if next_stroke < now < began + planned:
                self._strike()
                next_stroke = now + self._random.expovariate(self._count / CALM)
            if next_line < now:
                self._say(now - began)
                next_line = now + SAY_EVERY
            assert now < began + longest, f"the run does not end\n{self._cluster.logs}"
            time.sleep(0.05)
        for worker in self._workers:
            worker.kill()

    def _over(self) -> bool:
        if self._master.alive or self._master in self._killed:
            return False
        assert self._master.process.returncode == 0, self._master.log
        return True

    def _say(self, seconds: float) -> None:
        log = self._cluster.run_dir / "results.json"
        done = log.read_bytes().count(b"\n") if log.exists() else 0
        alive = sum(worker.alive for worker in self._workers)
        kinds = Counter(kind for kind, _, _ in self._faults)
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        print(f"{seconds:5.0f} s: {done} evaluations, {alive} workers; {faults}", flush=True)

    # --- what happens --------------------------------------------------------------------------

    def _strike(self) -> None:
        kind = self._random.choices(list(KINDS), list(KINDS.values()))[0]
        now = time.time()
        hit = self._strokes[kind]()
        if hit is not None:
            self._faults.append((kind, now, hit))

    def _kill(self) -> Hit:
        if victim := self._somebody():
            self._killed.append(victim)
            victim.kill()
        return victim and [victim]

    def _freeze(self) -> Hit:
        if victim := self._somebody():
            victim.freeze()
            self._later(SILENCE, victim, victim.thaw)
        return victim and [victim]

    def _terminate(self) -> Hit:
        if victim := self._somebody():
            self._told_to_leave.append(victim)
            victim.terminate()
        return victim and [victim]

    def _join(self) -> Hit:
        self._start_worker()
        return []

    def _cut(self) -> Hit:
        network, mended = self._network, {repair.of for repair in self._repairs}
        host = self._random.choice(sorted(self._places.values()))
        if network is None or host in mended:
            return None
        network.cut(host)
        self._later(SILENCE, host, lambda: network.heal(host))
        return [worker for worker, place in self._workers.items() if self._places[place] == host]

    def _kill_master(self) -> Hit:
        if not self._master.alive:
            return None
        self._killed.append(self._master)
        self._master.kill()
        self._later(ABSENCE, self._master, self._resume)
        return list(self._workers)

    def _kill_nameserver(self) -> Hit:
        if not self._nameserver.alive:
            return None
        self._nameserver.kill()
        self._later(ABSENCE, self._nameserver, self._restart_nameserver)
        return []

    # --- what is mended ------------------------------------------------------------------------

    def _later(self, within: tuple[float, float], of: object, mend: Callable[[], object]) -> None:
        due = time.monotonic() + self._random.uniform(*within)
        self._repairs.append(_Repair(due, of, mend))

    def _mend(self, now: float) -> None:
        for repair in [repair for repair in self._repairs if repair.due <= now]:
            self._repairs.remove(repair)
            repair.mend()

    def _resume(self) -> None:
        self._master = self._cluster.resume()

    def _restart_nameserver(self) -> None:
        self._nameserver = self._cluster.nameserver()

    def _replace(self) -> None:
        """Keeps the number of workers; no worker may end in bad order by itself."""
        for worker in [worker for worker in self._workers if not worker.alive]:
            good = [0, *(LEFT if worker in self._told_to_leave else ())]
            assert worker in self._killed or worker.process.returncode in good, worker.log
            del self._workers[worker]
        while len(self._workers) < self._count:
            self._start_worker()

    def _start_worker(self) -> None:
        place = self._random.choice(list(self._places))
        self._workers[self._cluster.worker(place=place)] = place

    def _somebody(self) -> Command | None:
        """A worker that is not frozen."""
        frozen = [repair.of for repair in self._repairs]
        well = [worker for worker in self._workers if worker.alive and worker not in frozen]
        return self._random.choice(well) if well else None
