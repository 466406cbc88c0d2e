"""One run on the booted machine: its units and its journal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.systemd.machine import Machine
from helpers.cluster import SPACE, Cluster

from bohb_seg.search.events import Evaluate
from bohb_seg.storage.journal_entries import Entry

ETC = Path("etc/bohb-seg")
ADDRESS = "10.98.0.1"
"""Of the machine. Not loopback, so that a master without --tls would refuse to start."""
SLEEP = 0.4
"""Seconds that the toy needs for a unit of budget."""
ALL_RUNS: Mapping[str, object] = {
    "BOHB_HOST": ADDRESS,
    "BOHB_WORKER": "toy",
    "BOHB_COMPARISON": "false",
    "BOHB_HEARTBEAT": 1,
}
"""What stands in the file that masters and workers share."""
BRACKET: Mapping[str, object] = {
    "BOHB_SPACE": f"/{ETC}/space.py",
    "BOHB_OPTIMIZER": "hyperband",
    "BOHB_N_ITERATIONS": 1,
    "BOHB_MIN_BUDGET": 9,
    "BOHB_MAX_BUDGET": 27,
}
"""18 s for one worker, and each evaluation long enough to be disturbed in its midst."""
TWO_BRACKETS = {**BRACKET, "BOHB_N_ITERATIONS": 2}
"""40 s: longer than a unit is away that is started again."""
ENDED = ("inactive", "failed")


@dataclass(frozen=True)
class Ended:
    """How a unit ended, in systemd's words; by default well.

    Args:
        state: Whether it failed.
        result: Why.
        status: Exit status of its main process.
    """

    state: str = "inactive"
    result: str = "success"
    status: int = 0


@dataclass
class Run:
    """A run and the workers that may serve it.

    Args:
        machine: Where.
        name: Of the run, and thereby of the instance of its master.
        workers: Units.
    """

    machine: Machine
    name: str
    workers: Sequence[str]
    _files: Cluster = field(init=False)

    def __post_init__(self) -> None:
        self._files = Cluster(self.machine.root / "var/lib/bohb-seg", run_id=self.name)

    @property
    def master(self) -> str:
        """Its unit."""
        return f"bohb-master@{self.name}"

    @property
    def folder(self) -> Path:
        """The run directory, as seen from here."""
        return self._files.run_dir

    @property
    def entries(self) -> list[Entry]:
        """Its journal as far as it is written."""
        return self._files.entries

    def start(self, **settings: object) -> None:
        """Starts its master, with settings of this run alone, and the workers.

        Enabled they are, as the README has it; and systemd then does not forget how they ended.
        """
        etc = self.machine.root / ETC
        (etc / "space.py").write_text(SPACE.format(sleep=SLEEP))
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        (etc / f"{self.name}.env").write_text("".join(lines))
        self.machine.run("systemctl", "enable", "--now", self.master, *self.workers)

    def stop(self) -> None:
        """Ends and forgets its units, whatever they do."""
        units = [self.master, *self.workers]
        self.machine.run("systemctl", "kill", "--signal=KILL", *units, check=False)
        self.machine.run("systemctl", "disable", "--now", *units)
        self.machine.run("systemctl", "reset-failed", *units, check=False)

    def process(self, unit: str) -> int:
        """Its main process, as the machine numbers it; 0 if it has none."""
        return int(self.machine.state(unit, "MainPID")["MainPID"])

    def restarts(self, unit: str) -> int:
        """How often systemd has started it again by itself."""
        return int(self.machine.state(unit, "NRestarts")["NRestarts"])

    def ended(self, unit: str) -> Ended:
        """How it ended; waits for that."""

        def found() -> Ended | None:
            state = self.machine.state(unit, "ActiveState", "Result", "ExecMainStatus")
            status = int(state["ExecMainStatus"])
            end = Ended(state["ActiveState"], state["Result"], status)
            return end if end.state in ENDED else None

        return self.machine.until(found, f"{unit} ends")

    def at_work(self, unit: str) -> Evaluate:
        """What a worker is in the midst of; waits until it is, and has left a checkpoint."""

        def found() -> Evaluate | None:
            process = self.process(unit)
            orders = self._files.running().items()
            mine = [order for worker, order in orders if f".{process}." in worker]
            return next(filter(self._files.has_checkpoint, mine), None)

        return self.machine.until(found, f"{unit} is at work")

    def again(self, order: Evaluate) -> Evaluate:
        """The next attempt at the same evaluation; waits for it."""

        def found() -> Evaluate | None:
            orders = self._files.events(Evaluate)
            same = (other for other in orders if other.evaluation == order.evaluation)
            return next((other for other in same if other.attempt > order.attempt), None)

        return self.machine.until(found, f"{order.evaluation} is ordered again")
