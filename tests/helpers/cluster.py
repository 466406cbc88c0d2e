"""A run as real processes: nameserver, master and workers, which can be killed or frozen."""

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

from bohb_seg.errors import EXIT_FAULT
from bohb_seg.rpc.checkpoint_names import trial
from bohb_seg.rpc.names import is_worker
from bohb_seg.search.events import Evaluate, Evaluated, Settled
from bohb_seg.storage import journal
from bohb_seg.storage.journal_entries import Entry
from bohb_seg.trials import CHECKPOINTS, Attempt, TrialId

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
    """A machine on which commands run: this one, or a host of :mod:`helpers.hosts`.

    Args:
        address: Address at which others reach it.
        enter: Words before a command that is to run there.
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
        """Text of the log so far."""
        return self.log_file.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    @property
    def worker_name(self) -> str | None:
        """Name of a worker in the journal; None until the log tells it."""
        return next(filter(is_worker, re.split(r"[\s,;:]+", self.log)), None)

    def kill(self) -> None:
        """Kills the command, and waits until it is gone."""
        self._signal(signal.SIGKILL)
        self.process.wait()

    def freeze(self) -> None:
        """Stops the command; its connections stay open and silent."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets a frozen command go on."""
        self._signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Asks the command to leave."""
        self._signal(signal.SIGTERM)

    def status(self, timeout: float = PATIENCE) -> int:
        """Waits for the end; returns the exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running:\n{self.log}") from None

    def finish(self, timeout: float = PATIENCE) -> str:
        """Waits for the end, wants status 0, returns the log."""
        assert self.status(timeout) == 0, self.log
        return self.log

    def said(self, text: str) -> bool:
        """Whether the log has this text, in upper or lower case."""
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
        place: Machine of nameserver and master.
        external: Whether the nameserver is a process of its own (:meth:`nameserver`).
        program: Worker program.
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

    def master(self, *flags: object, terminal: int | None = None, **environment: str) -> Command:
        """Starts a run of the toy, without comparison; its draws follow their order alone.

        Args:
            flags: Further flags.
            terminal: Descriptor to which it writes instead of a log.
            environment: Further variables.
        """
        space = self.folder / "space.py"
        space.write_text(SPACE.format(sleep=self.sleep))
        new = (
            *("--run-id", self.run_id, "--worker", "toy", "--space", space),
            *("--optimizer", "hyperband", "--no-comparison"),
        )
        return self._master(*new, *flags, terminal=terminal, **environment)

    def resume(self, *flags: object, place: Place | None = None, **environment: str) -> Command:
        """Starts a new master for the run that is there."""
        return self._master("--resume", *flags, place=place, **environment)

    def worker(self, *flags: object, place: Place | None = None, **environment: str) -> Command:
        """Starts one more worker."""
        where = ("--host", self.place.address, "--port", self.port, "--run-id", self.run_id)
        command = ("bohb_seg.commands.worker", *where, "--worker", self.program, *flags)
        return self.start(*command, place=place or self.place, **environment)

    def nameserver(self, place: Place | None = None) -> Command:
        """Starts Pyro4's own nameserver, which knows nobody; waits until it serves."""
        flags = ("--host", self.place.address, "--port", self.port)
        started = self.start("Pyro4.naming", *flags, place=place, PYRO_LOGFILE="{stderr}")
        self.until(lambda: started.said("NS running on"), "the nameserver serves")
        return started

    def start(
        self,
        module: str,
        *flags: object,
        place: Place | None = None,
        terminal: int | None = None,
        **environment: str,
    ) -> Command:
        """Starts any module, as ``python -m`` does."""
        log = self.folder / f"{len(self.commands)}-{module.rpartition('.')[2]}.log"
        place = place or self.place
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*with_us(), *place.enter, sys.executable, "-um", module, *map(str, flags)],
                stdout=stream if terminal is None else terminal,
                stderr=stream if terminal is None else terminal,
                cwd=self.folder,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self.commands.append(Command(process, log))
        return self.commands[-1]

    def close(self) -> None:
        """Kills all commands that still run."""
        for command in self.commands:
            command.kill()

    def _master(
        self,
        *flags: object,
        place: Place | None = None,
        terminal: int | None = None,
        **environment: str,
    ) -> Command:
        address = self.place.address
        where = ("--nameserver", f"{address}:{self.port}") if self.external else ()
        private = ("--host", address, "--insecure") if self.external or self.place.enter else ()
        port = 0 if self.external else self.port
        common = ("--run-dir", self.run_dir, "--port", port, "--heartbeat", self.heartbeat)
        return self.start(
            *(self.master_module, *common, "--local-workers", 0, *where, *private, *flags),
            place=place,
            terminal=terminal,
            **environment,
        )

    # --- looking -------------------------------------------------------------------------------

    @property
    def entries(self) -> list[Entry]:
        """Entries of the journal so far."""
        file = self.run_dir / journal.FILE_NAME
        return journal.read(file) if file.exists() else []

    def events(self, kind: type[Event]) -> list[Event]:
        """Events of one kind, oldest first."""
        return [e.event for e in self.entries if isinstance(e.event, kind)]

    def until(self, condition: Callable[[], Event], what: str, patience: float = PATIENCE) -> Event:
        """Polls until ``condition()`` holds; if it never does, the error shows all logs."""
        deadline = time.monotonic() + patience
        while not (found := condition()):
            fault = any(command.process.poll() in (1, EXIT_FAULT) for command in self.commands)
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
        """Name of a worker in the journal; waits until the log tells it."""
        return self.until(lambda: worker.worker_name, "the worker says its name") or ""

    def order_of(self, worker: Command, begun: bool = True) -> Evaluate:
        """Order on which a worker works; waits for it, and (``begun``) for a checkpoint."""
        name = self.name(worker)

        def order() -> Evaluate | None:
            found = self.running().get(name)
            return found if found and (not begun or self.has_checkpoint(found)) else None

        return self.until(order, f"{name} is at work")

    def running(self) -> Mapping[str, Evaluate]:
        """Latest order of every worker whose evaluation is not settled."""
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
        """Result that counted for the evaluation of this order."""
        settled = {s.evaluation: Attempt(s.evaluation, s.attempt) for s in self.events(Settled)}
        attempt = settled[order.evaluation]
        return next(
            news
            for news in self.events(Evaluated)
            if Attempt(news.evaluation, news.attempt) == attempt
        )


def checkpoints(run_dir: Path) -> Mapping[TrialId, Sequence[str]]:
    """Names of the files under ``checkpoints/``, by trial."""
    found = {folder: trial(folder.name) for folder in (run_dir / CHECKPOINTS).glob("*")}
    return {TrialId(*its): _names(folder) for folder, its in found.items() if its is not None}


def _names(folder: Path) -> list[str]:
    try:
        return sorted(file.name for file in folder.iterdir())
    except FileNotFoundError:  # discarded while we looked
        return []
