"""Starts one side under a load, watches its master, and ends all of it whatever happens."""

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.dispatch.figures import Load, Race, Sample, Spell
from benchmarks.dispatch.instant import MOMENT, RECORDS, SECONDS
from benchmarks.dispatch.swarm import HOST, die_with_parent

ROOT = Path(__file__).parents[2]
LOOK = 0.1
"""Seconds between two looks at a master."""
START_PATIENCE = 60.0
"""Seconds until the first evaluations, and half a second more for each worker."""
BRACKETS = {"random": 8000, "hyperband": 1000, "bohb": 1000}
"""More than any run here gets through (random search has 5 evaluations in one, the others 37 on
average): it is stopped from outside."""


_Process = subprocess.Popen[bytes]


class RaceError(Exception):
    """A side did not get far enough; says what its logs say."""


class Field:
    """One side at work: a master and its swarm of workers.

    Args:
        side: ``ours`` or ``stock``.
        load: What it is given.
        folder: An empty one, for logs, records and our run directory.
    """

    def __init__(self, side: str, load: Load, folder: Path) -> None:
        self.side, self.load, self.folder = side, load, folder
        self.run_dir = folder / "run"
        self._run_id, self._port = f"dispatch-{os.getpid()}", _free_port()
        self._records = folder / "records"
        self._records.mkdir()
        self._started: list[_Process] = []
        self._master: _Process | None = None
        self._swarm: _Process | None = None

    def start_master(self, *flags: str) -> None:
        """Starts the master and waits until its nameserver can be reached."""
        commands = {"ours": self._our_master, "stock": self._stock_master}
        self._master = self._start("master", [*commands[self.side](), *flags])
        deadline = time.monotonic() + START_PATIENCE
        while not _answers(self._port):
            self._check(deadline, "its nameserver cannot be reached")
            time.sleep(0.02)

    def start_workers(self, workers: int | None = None) -> None:
        """Starts the swarm; does not wait for it."""
        count = str(workers or self.load.workers)
        words = ["benchmarks.dispatch.swarm", self.side, count, self._run_id, str(self._port)]
        self._swarm = self._start("workers", words)

    def kill(self, *, workers: bool = True) -> None:
        """Ends the master, and with ``workers`` the swarm too, at once."""
        for process in self._started if workers else [self._master]:
            if process is not None and process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                _wait_for_group(process.pid)

    def wait_for(self, evaluations: int, seconds: float = 0.0) -> None:
        """Waits until so many have ended; gives up when nothing happens for too long."""
        patience = START_PATIENCE + self.load.workers / 2 + 2 * self.load.seconds + seconds
        deadline = time.monotonic() + patience
        while self.count() < evaluations:
            self._check(deadline, f"{self.count()} of {evaluations} evaluations in {patience:g} s")
            time.sleep(LOOK)

    def watch(self, evaluations: float, seconds: float) -> Race:
        """Samples the master until so many have ended or so much time is over."""
        workers_cpu, samples = self._workers_cpu(), [self._sample()]
        end = samples[0].time + seconds
        while samples[-1].time < end and samples[-1].evaluations < evaluations:
            self._check(math.inf, "")
            time.sleep(LOOK)
            samples.append(self._sample())
        workers_cpu = self._workers_cpu() - workers_cpu
        self.kill()
        return Race(self.load, tuple(samples), tuple(self._spells()), workers_cpu)

    def count(self) -> int:
        """Evaluations that have ended."""
        with os.scandir(self._records) as files:
            return sum(file.stat().st_size // (2 * MOMENT.size) for file in files)

    def _spells(self) -> Iterator[tuple[Spell, ...]]:
        for file in self._records.iterdir():
            data = file.read_bytes()
            whole = data[: len(data) // MOMENT.size * MOMENT.size]
            moments = [moment for (moment,) in MOMENT.iter_unpack(whole)]
            if len(moments) % 2:
                moments.append(float("inf"))
            yield tuple(zip(moments[::2], moments[1::2], strict=True))

    def _sample(self) -> Sample:
        assert self._master
        master = psutil.Process(self._master.pid)
        times = master.cpu_times()
        cpu, rss = times.user + times.system, master.memory_info().rss
        return Sample(time.monotonic(), self.count(), cpu, rss)

    def _workers_cpu(self) -> float:
        assert self._swarm
        times = [w.cpu_times() for w in psutil.Process(self._swarm.pid).children(recursive=True)]
        return float(sum(t.user + t.system for t in times))

    def _our_master(self) -> list[str]:
        flags = {
            "--worker": "toy",
            "--space": "counting",
            "--optimizer": self.load.optimizer,
            "--min-budget": 1,
            "--max-budget": 81,
            "--n-iterations": BRACKETS[self.load.optimizer],
            "--min-workers": self.load.workers,
            "--local-workers": 0,
            "--host": HOST,
            "--port": self._port,
            "--run-id": self._run_id,
            "--run-dir": self.run_dir,
        }
        words = [str(word) for pair in flags.items() for word in pair]
        return ["bohb_seg.commands.master", *words, "--no-comparison"]

    def _stock_master(self) -> list[str]:
        workers, optimizer = self.load.workers, self.load.optimizer
        words = [self._run_id, self._port, workers, optimizer, BRACKETS[optimizer]]
        return ["benchmarks.dispatch.stock", *map(str, words)]

    def _start(self, name: str, words: list[str]) -> _Process:
        environment = {
            **os.environ,
            RECORDS: str(self._records),
            SECONDS: str(self.load.seconds),
            "OPENBLAS_NUM_THREADS": "1",
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
                preexec_fn=die_with_parent,
            )
        self._started.append(process)
        return process

    def _check(self, deadline: float, problem: str) -> None:
        if self._master is not None and self._master.poll() is not None:
            problem = f"its master ended with status {self._master.returncode}"
        elif time.monotonic() < deadline:
            return
        logs = "\n".join(_tail(self.folder / f"{name}.log") for name in ("master", "workers"))
        raise RaceError(f"{self.side}, {self.load}: {problem}\n{logs}")


@contextmanager
def field(side: str, load: Load, folder: Path) -> Iterator[Field]:
    """A field in a new folder below ``folder``; nothing of it runs any more afterwards."""
    place = folder / f"{len(list(folder.iterdir()))}-{side}"
    place.mkdir()
    started = Field(side, load, place)
    try:
        yield started
    finally:
        started.kill()


def race(side: str, load: Load, folder: Path, evaluations: int, seconds: float) -> Race:
    """Runs one side until it is warm, then watches it for so many evaluations or so long."""
    with field(side, load, folder) as runs:
        runs.start_master()
        runs.start_workers()
        warm = 2 * load.workers if load.seconds else max(50, 4 * load.workers)
        runs.wait_for(warm)
        return runs.watch(runs.count() + evaluations, seconds)


def _wait_for_group(group: int) -> None:
    """Dying takes hundreds of processes a moment, in which they would slow down the next race."""
    deadline = time.monotonic() + START_PATIENCE / 4
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except (ProcessLookupError, PermissionError):
            return
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _tail(file: Path, lines: int = 5) -> str:
    text = file.read_text(errors="replace") if file.is_file() else ""
    return "\n".join(f"  {file.name}: {line}" for line in text.splitlines()[-lines:])
