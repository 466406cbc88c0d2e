"""Disturbs a run at random moments, and repairs the damage, until the run has ended.

The kind of each fault, its time and its victim follow from the seed; the state in which it finds
the run depends on the machine.
"""

import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from helpers.accounts import Fault
from helpers.cluster import Cluster, Command, Place
from helpers.hosts import Network
from helpers.mishaps import Machine
from helpers.reign import Reign

from bohb_seg.search.events import Finish
from bohb_seg.storage import journal

KINDS = {
    "kill": 8,
    "freeze": 8,
    "terminate": 5,
    "join": 3,
    "cut": 4,
    "kill master": 3,
    "kill names": 2,
    "rival": 1,
    "rival, frozen": 1,
    "rival, leaving": 1,
    "two rivals": 1,
    "no threads": 2,
    "no children": 2,
    "moved": 2,
    "moved for good": 1,
    "disk full": 2,
    "clock jumps": 3,
}
"""Relative frequency of each kind of fault; ``names`` is the nameserver, a *rival* is a second
master that is started while the first one runs, is frozen, or is told to leave."""
AT_THE_END = "full at the end"
"""Kind of a fault that comes at no random moment: the disk is full while the run ends."""
CALM = 12.0
"""Seconds between two faults, for each worker."""
BEGINNING = 5.0
"""Seconds until the first fault."""
SILENCE = (0.2, 9.0)
"""Seconds for which a worker is frozen or a host cut off: shorter and longer than a lease of 3."""
ABSENCE = (0.0, 3.0)
"""Seconds until a killed master or nameserver is started again."""
SHORTAGE = (0.5, 6.0)
"""Seconds for which there is no room, or no thread and child to be had."""
EXCURSION = (0.1, 6.0)
"""Seconds for which the run directory is moved and comes back; masters wait ten for it."""
FOR_GOOD = 120.0
"""Seconds within which a master ends whose run directory does not come back."""
LAST_WORDS = (0.0, 4.0)
"""Seconds from the start of a rival, which needs some to get at the lock, until the master is told
to leave."""
LAST = 3
"""Evaluations that are missing when the disk first runs full at the end."""
LOCAL_WORKER = b"bohb_seg.commands.worker"
LEFT = (-signal.SIGTERM, 128 + signal.SIGTERM)
"""Exit statuses of a worker that was told to leave before it could listen, or was told twice."""
SAY_EVERY = 10.0
"""Seconds between two lines of progress."""
LOOK_AT_RESULTS_EVERY = 0.2
"""Seconds between two looks at how far the run is."""

LOCAL_WORKERS = ("--local-workers", 1)
"""Flags of every master, so that it has children, too."""

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
        machine: Machine of the masters.
        places: Machines of the workers, with their numbers on the bridge.
        network: The bridge; None: links are not cut.
        workers: Number of workers that are kept alive.
        evaluations: Evaluations of the whole run.
        seed: Number from which kinds, times and victims of the faults follow.
    """

    def __init__(
        self,
        cluster: Cluster,
        search: tuple[object, ...],
        machine: Machine,
        places: Mapping[Place, int],
        network: Network | None,
        workers: int,
        evaluations: int,
        seed: int,
    ) -> None:
        self._cluster, self._places, self._network = cluster, places, network
        self._machine, self._evaluations = machine, evaluations
        self._count, self._random = workers, random.Random(seed)
        self._first = self._random.sample(list(KINDS), len(KINDS))
        self._nameserver = cluster.nameserver(machine.plain)
        self._reign = Reign()
        self._reign.begin(cluster.master(*search, *LOCAL_WORKERS, **machine.environment))
        self._workers: dict[Command, Place] = {}
        self._killed: list[Command] = []
        self._told_to_leave: list[Command] = []
        self._repairs: list[_Repair] = []
        self._faults: list[tuple[str, float, list[Command]]] = []
        self._away: Path | None = None
        self._moved_for_good: Command | None = None
        self._full_at_the_end: list[str] = []
        self._is_finished = False
        self._strokes: Mapping[str, Callable[[], Hit]] = {
            "kill": self._kill,
            "freeze": self._freeze,
            "terminate": self._terminate,
            "join": self._join,
            "cut": self._cut,
            "kill master": self._kill_master,
            "kill names": self._kill_nameserver,
            "rival": self._rival,
            "rival, frozen": self._rival_of_a_frozen_one,
            "rival, leaving": self._rival_of_a_leaving_one,
            "two rivals": self._two_rivals,
            "no threads": self._starve,
            "no children": self._starve_of_children,
            "moved": self._move,
            "moved for good": self._move_for_good,
            "disk full": self._fill,
            "clock jumps": self._jump,
        }

    @property
    def faults(self) -> list[Fault]:
        """The faults so far."""
        return [
            Fault(kind, when, tuple(filter(None, (worker.worker_name for worker in hit))))
            for kind, when, hit in self._faults
        ]

    @property
    def refused(self) -> int:
        """Masters that ended because another one had the run."""
        return self._reign.refused

    def rage(self, planned: float, longest: float) -> None:
        """Disturbs the run until it has ended.

        Args:
            planned: Seconds after which there are no more faults, so that the run can end. There
                are none either, but for a full disk, once the journal has the end of the search.
            longest: Seconds after which the run seems to hang.

        Raises:
            AssertionError: the run hangs, or a process ended in bad order without a fault.
        """
        self._cluster.until(lambda: self._reign.at_work, "the run begins", patience=longest)
        began = time.monotonic()
        next_stroke, next_line = began + BEGINNING, began + SAY_EVERY
        next_look = began
        while not self._over():
            now = time.monotonic()
            self._mend(now)
            self._replace()
            if next_look < now:
                self._mind_the_end()
                next_look = now + LOOK_AT_RESULTS_EVERY
            if next_stroke < now < began + planned and not self._is_finished:
                self._strike()
                next_stroke = now + self._random.expovariate(self._count / CALM)
            if next_line < now:
                self._say(now - began)
                next_line = now + SAY_EVERY
            assert now < began + longest, f"the run does not end\n{self._cluster.logs}"
            time.sleep(0.05)
        for worker in self._workers:
            worker.kill()
        if self._away:
            self._move_back()
        self._reign.judge_refusals()

    def _over(self) -> bool:
        self._reign.look()
        return self._reign.is_over and not self._reign.alive

    def _say(self, seconds: float) -> None:
        alive = sum(worker.alive for worker in self._workers)
        kinds = Counter(kind for kind, _, _ in self._faults)
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
        print(f"{seconds:5.0f} s: {self._done} evaluations, {alive} workers; {faults}", flush=True)

    @property
    def _done(self) -> int:
        try:
            return (self._cluster.run_dir / "results.json").read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0

    # --- what happens --------------------------------------------------------------------------

    def _strike(self) -> None:
        """Strikes once with each kind that is possible, in random order, then as chance has it."""
        by_chance = self._random.choices(list(KINDS), list(KINDS.values()))[0]
        for kind in [*self._first, by_chance]:
            now = time.time()
            hit = self._strokes[kind]()
            if hit is not None:
                self._faults.append((kind, now, hit))
                self._first = [each for each in self._first if each != kind]
                return

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
        network, mended = self._network, self._mended
        host = self._random.choice(sorted(self._places.values()))
        if network is None or host in mended:
            return None
        network.cut(host)
        self._later(SILENCE, host, lambda: network.heal(host))
        return [worker for worker, place in self._workers.items() if self._places[place] == host]

    def _kill_master(self) -> Hit:
        if (master := self._reign.at_work) is None:
            return None
        self._reign.kill(master)
        return list(self._workers)

    def _kill_nameserver(self) -> Hit:
        if not self._nameserver.alive:
            return None
        self._nameserver.kill()
        self._later(ABSENCE, self._nameserver, self._restart_nameserver)
        return []

    # --- a second master -----------------------------------------------------------------------

    def _rival(self) -> Hit:
        if self._lone_master() is None:
            return None
        self._resume()
        return []

    def _rival_of_a_frozen_one(self) -> Hit:
        if (master := self._lone_master()) is None:
            return None
        master.freeze()
        self._later(SILENCE, master, master.thaw)
        self._resume()
        return []

    def _rival_of_a_leaving_one(self) -> Hit:
        if (master := self._lone_master()) is None:
            return None
        self._later(LAST_WORDS, master, lambda: self._reign.terminate(master))
        self._resume()
        return []

    def _two_rivals(self) -> Hit:
        if (master := self._lone_master()) is None:
            return None
        self._reign.kill(master)
        self._resume()
        self._resume()
        return list(self._workers)

    def _lone_master(self) -> Command | None:
        """The master that has the run, if nothing else is the matter with masters and run."""
        is_lone = len(self._reign.alive) == 1 and self._can_start
        return self._reign.at_work if is_lone else None

    @property
    def _can_start(self) -> bool:
        """Whether a master can start: the run is there, and there are threads.

        Without threads it ends within OpenBLAS, before there is anything of ours.
        """
        return self._away is None and self._machine.processes not in self._mended

    # --- what the machine does -----------------------------------------------------------------

    def _starve(self) -> Hit:
        processes = self._machine.processes
        if processes is None or self._lone_master() is None:
            return None
        processes.starve()
        self._reign.trouble("no processes", self._later(SHORTAGE, processes, processes.feed))
        return []

    def _starve_of_children(self) -> Hit:
        """Kills the master's own worker, which cannot be started again for a while."""
        child = self._local_worker()
        if child is None or self._starve() is None:
            return None
        os.kill(child, signal.SIGKILL)
        return []

    def _local_worker(self) -> int | None:
        for number in self._machine.processes.members if self._machine.processes else ():
            with contextlib.suppress(OSError):
                if LOCAL_WORKER in Path(f"/proc/{number}/cmdline").read_bytes():
                    return number
        return None

    def _move(self) -> Hit:
        if self._lone_master() is None:
            return None
        seconds = self._later(EXCURSION, self, self._move_back)
        self._move_away(seconds)
        return []

    def _move_for_good(self) -> Hit:
        if (master := self._lone_master()) is None:
            return None
        self._moved_for_good = master
        self._later((FOR_GOOD, FOR_GOOD), master, self._expect_end_of(master))
        self._move_away(FOR_GOOD)
        return list(self._workers)

    def _move_away(self, seconds: float) -> None:
        run_dir = self._cluster.run_dir
        self._away = run_dir.rename(run_dir.with_name("away"))
        self._reign.trouble("away", seconds)

    def _fill(self) -> Hit:
        disk = self._machine.disk
        if disk is None or disk in self._mended:
            return None
        disk.fill()
        self._reign.trouble("no room", self._later(SHORTAGE, disk, disk.free))
        return []

    def _mind_the_end(self) -> None:
        """Fills the disk when little is missing, and once more when nothing is."""
        done = self._done
        self._is_finished |= done >= self._evaluations - LAST and self._has_finished()
        moments = {
            "nearly": self._evaluations - LAST <= done < self._evaluations,
            "over": self._is_finished,
        }
        for moment, has_come in moments.items():
            if has_come and moment not in self._full_at_the_end:
                now = time.time()
                if self._fill() is not None:
                    self._full_at_the_end.append(moment)
                    self._faults.append((AT_THE_END, now, []))

    def _has_finished(self) -> bool:
        """Whether the journal has the end of the search."""
        try:
            last = journal.tail(self._cluster.run_dir / journal.FILE_NAME, 20).values()
        except OSError:
            return False
        return any(isinstance(entry.event, Finish) for entry in last)

    def _jump(self) -> Hit:
        if (clock := self._machine.clock) is None:
            return None
        clock.set(self._random.choice([-3, -2, -1, 0, 1, 2, 3]))
        return []

    # --- what is mended ------------------------------------------------------------------------

    @property
    def _mended(self) -> list[object]:
        """Everything that a repair is due of."""
        return [repair.of for repair in self._repairs]

    def _later(self, within: tuple[float, float], of: object, mend: Callable[[], object]) -> float:
        """Mends something after so many seconds at random, which are returned."""
        seconds = self._random.uniform(*within)
        self._repairs.append(_Repair(time.monotonic() + seconds, of, mend))
        return seconds

    def _mend(self, now: float) -> None:
        for repair in [repair for repair in self._repairs if repair.due <= now]:
            self._repairs.remove(repair)
            repair.mend()
        if self._moved_for_good and not self._moved_for_good.alive:
            self._moved_for_good = None
            self._move_back()
        if self._needs_master and self._reign not in self._mended:
            self._later(ABSENCE, self._reign, self._resume_if_needed)

    @property
    def _needs_master(self) -> bool:
        return self._can_start and not (self._reign.alive or self._reign.is_over)

    def _resume_if_needed(self) -> None:
        if self._needs_master:
            self._resume()

    def _resume(self) -> None:
        place = self._machine.started_anew(self._random)
        keeps_workers = self._random.choice([("--restartable",), ()])
        flags, environment = (*LOCAL_WORKERS, *keeps_workers), self._machine.environment
        self._reign.begin(self._cluster.resume(*flags, place=place, **environment))

    def _move_back(self) -> None:
        assert self._away is not None
        run_dir = self._cluster.run_dir
        assert not run_dir.exists(), f"made anew by somebody: {sorted(run_dir.rglob('*'))}"
        self._away.rename(run_dir)
        self._away = None

    def _expect_end_of(self, master: Command) -> Callable[[], None]:
        def look() -> None:
            assert not master.alive, f"its directory is away, and it goes on:\n{master.log}"

        return look

    def _restart_nameserver(self) -> None:
        self._nameserver = self._cluster.nameserver(self._machine.plain)

    def _replace(self) -> None:
        """Keeps the number of workers; no worker may end in bad order by itself."""
        for worker in [worker for worker in self._workers if not worker.alive]:
            good = [0, *(LEFT if worker in self._told_to_leave else ())]
            assert worker in self._killed or worker.process.returncode in good, worker.log
            del self._workers[worker]
        while len(self._workers) < self._count and not self._reign.is_over:
            self._start_worker()

    def _start_worker(self) -> None:
        place = self._random.choice(list(self._places))
        clock = self._machine.environment if self._places[place] == 1 else {}  # the others go right
        self._workers[self._cluster.worker(place=place, **clock)] = place

    def _somebody(self) -> Command | None:
        """A worker that is not frozen."""
        frozen = self._mended
        well = [worker for worker in self._workers if worker.alive and worker not in frozen]
        return self._random.choice(well) if well else None
