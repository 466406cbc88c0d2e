"""A run as real processes - nameserver, master, workers - and what can happen to each of them."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from helpers.commands import free_port
from helpers.with_us import with_us

from bohb_seg.rpc.names import is_worker
from bohb_seg.search.events import Evaluate, Evaluated, Settled
from bohb_seg.storage import journal
from bohb_seg.storage.journal import Entry
from bohb_seg.trials import Attempt, TrialId

PATIENCE = 60.0
"""Seconds until something that should happen by itself counts as not happening."""

SPACE = """
import ConfigSpace as CS

def space():
    found = CS.ConfigurationSpace()
    found.add([CS.Float(f"x{{i}}", (0.0, 1.0)) for i in range(5)], CS.Constant("sleep", {sleep}))
    return found
"""
"""The toy's numbers to be counted, and how long one unit of budget takes it."""

Event = TypeVar("Event")


@dataclass(frozen=True)
class Place:
    """Where a command runs: this machine, or a host of :mod:`helpers.hosts`.

    Args:
        address: Its own, as others reach it.
        enter: Words before the command.
    """

    address: str = "127.0.0.1"
    enter: tuple[str, ...] = ()


HERE = Place()


@dataclass(frozen=True)
class Command:
    """A running command and its log."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self.log_file.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    @property
    def worker_name(self) -> str | None:
        """What a worker is called in the journal, if it has said so yet."""
        return next(filter(is_worker, re.split(r"[\s,;:]+", self.log)), None)

    def kill(self) -> None:
        """Ends it without a word, and waits until it is gone."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """Stops its clock; its connections stay open and silent."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on as if nothing had been."""
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Asks it to leave."""
        self._signal(signal.SIGTERM)

    def status(self, timeout: float = PATIENCE) -> int:
        """Waits for its end."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running:\n{self.log}") from None

    def finish(self, timeout: float = PATIENCE) -> str:
        """Waits for its end, wants status 0, returns what it said."""
        assert self.status(timeout) == 0, self.log
        return self.log

    def said(self, text: str) -> bool:
        """Whether its log has this text, upper or lower case."""
        return text.lower() in self.log.lower()

    def _signal(self, number: int) -> None:
        if self.alive:
            os.killpg(self.process.pid, number)


@dataclass
class Cluster:
    """The processes of one run; also its run directory and its port.

    Args:
        folder: For logs, space and run directory.
        sleep: Seconds that the toy needs for one unit of budget.
        heartbeat: Seconds; leases last three.
        place: Where nameserver and master run.
        external: Whether the nameserver is a process of its own (:meth:`nameserver`).
        program: What the workers run.
    """

    folder: Path
    sleep: float = 0.1
    heartbeat: float = 1.0
    place: Place = HERE
    external: bool = False
    run_id: str = "run"
    port: int = field(default_factory=free_port)
    master_module: str = "bohb_seg.commands.master"
    program: object = "toy"
    commands: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run_dir = self.folder / self.run_id

    # --- starting ------------------------------------------------------------------------------

    def master(self, *flags: object, **environment: str) -> Command:
        """A new run of the toy: draws that follow the sequence only, no comparison, no workers."""
        space = self.folder / "space.py"
        space.write_text(SPACE.format(sleep=self.sleep))
        new = (
            *("--run-id", self.run_id, "--worker", "toy", "--space", space),
            *("--optimizer", "hyperband", "--no-comparison"),
        )
        return self._master(*new, *flags, **environment)

    def resume(self, *flags: object) -> Command:
        """A new master for the run that is there."""
        return self._master("--resume", *flags)

    def worker(self, *flags: object, place: Place | None = None, **environment: str) -> Command:
        """One more worker."""
        where = ("--host", self.place.address, "--port", self.port, "--run-id", self.run_id)
        command = ("bohb_seg.commands.worker", *where, "--worker", self.program, *flags)
        return self.start(*command, place=place or self.place, **environment)

    def nameserver(self) -> Command:
        """Pyro4's own nameserver as a process of its own, knowing nobody; waits until it serves."""
        flags = ("--host", self.place.address, "--port", self.port)
        started = self.start("Pyro4.naming", *flags, PYRO_LOGFILE="{stderr}")
        self.until(lambda: started.said("NS running on"), "the nameserver serves")
        return started

    def start(
        self, module: str, *flags: object, place: Place | None = None, **environment: str
    ) -> Command:
        """Any module, as ``python -m`` starts it."""
        log = self.folder / f"{len(self.commands)}-{module.rpartition('.')[2]}.log"
        place = place or self.place
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*with_us(), *place.enter, sys.executable, "-um", module, *map(str, flags)],
                stdout=stream,
                stderr=stream,
                cwd=self.folder,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self.commands.append(Command(process, log))
        return self.commands[-1]

    def close(self) -> None:
        """Ends whatever still runs."""
        for command in self.commands:
            command.kill()

    def _master(self, *flags: object, **environment: str) -> Command:
        address = self.place.address
        where = ("--nameserver", f"{address}:{self.port}") if self.external else ()
        private = ("--host", address, "--insecure") if self.external or self.place.enter else ()
        port = 0 if self.external else self.port
        common = ("--run-dir", self.run_dir, "--port", port, "--heartbeat", self.heartbeat)
        return self.start(
            *(self.master_module, *common, "--local-workers", 0, *where, *private, *flags),
            **environment,
        )

    # --- looking -------------------------------------------------------------------------------

    @property
    def entries(self) -> list[Entry]:
        """The journal as far as it is written."""
        file = self.run_dir / journal.FILE_NAME
        return journal.read(file) if file.exists() else []

    def events(self, kind: type[Event]) -> list[Event]:
        """Those of one kind, oldest first."""
        return [e.event for e in self.entries if isinstance(e.event, kind)]

    def until(self, condition: Callable[[], Event], what: str, patience: float = PATIENCE) -> Event:
        """Polls until ``condition()`` holds; tells all logs if it never does."""
        deadline = time.monotonic() + patience
        while not (found := condition()):
            fault = any(command.process.poll() == 1 for command in self.commands)
            in_vain = fault or time.monotonic() > deadline
            assert not in_vain, f"waited in vain until {what}\n{self.logs}"
            time.sleep(0.03)
        return found

    @property
    def logs(self) -> str:
        """The last lines of every command."""
        tails = {c.log_file.name: c.log.splitlines()[-25:] for c in self.commands[-20:]}
        return "\n".join(f"--- {name}\n" + "\n".join(tail) for name, tail in tails.items())

    def name(self, worker: Command) -> str:
        """What a worker is called in the journal; waits until it says so."""
        return self.until(lambda: worker.worker_name, "the worker says its name") or ""

    def order_of(self, worker: Command, begun: bool = True) -> Evaluate:
        """What a worker is at; waits until it is, and (``begun``) has left a checkpoint."""
        name = self.name(worker)

        def order() -> Evaluate | None:
            found = self.running().get(name)
            return found if found and (not begun or self.has_checkpoint(found)) else None

        return self.until(order, f"{name} is at work")

    def running(self) -> Mapping[str, Evaluate]:
        """The latest order of every worker, if its evaluation is not settled."""
        settled = {settled.evaluation for settled in self.events(Settled)}
        orders = {order.worker: order for order in self.events(Evaluate)}
        return {w: order for w, order in orders.items() if order.evaluation not in settled}

    def has_checkpoint(self, order: Evaluate) -> bool:
        """Whether the trial has a whole file that another worker can go on from."""
        files = checkpoints(self.run_dir).get(order.evaluation.trial, ())
        return any(not file.startswith(".") for file in files)

    def again(self, order: Evaluate) -> Evaluate:
        """The next attempt at the same evaluation; waits for it."""

        def found() -> Evaluate | None:
            same = (o for o in self.events(Evaluate) if o.evaluation == order.evaluation)
            return next((o for o in same if o.attempt > order.attempt), None)

        return self.until(found, f"{order.evaluation} is ordered again")

    def result(self, order: Evaluate) -> Evaluated:
        """What counted for the evaluation of this order."""
        settled = {s.evaluation: Attempt(s.evaluation, s.attempt) for s in self.events(Settled)}
        attempt = settled[order.evaluation]
        return next(
            news
            for news in self.events(Evaluated)
            if Attempt(news.evaluation, news.attempt) == attempt
        )


def checkpoints(run_dir: Path) -> Mapping[TrialId, Sequence[str]]:
    """Files under ``checkpoints/`` by trial."""
    folders = {
        match: folder
        for folder in (run_dir / "checkpoints").glob("*-*-*")
        if (match := re.fullmatch(r"(-?\d+)-(\d+)-(\d+)", folder.name))
    }
    return {TrialId(*map(int, match.groups())): _names(folder) for match, folder in folders.items()}


def _names(folder: Path) -> list[str]:
    try:
        return sorted(file.name for file in folder.iterdir())
    except FileNotFoundError:  # discarded while we looked
        return []
