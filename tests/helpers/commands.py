"""Starts the real commands, as a user would, and ends what it started."""

import importlib
import io
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from helpers.with_us import with_us

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
PROGRAMS = TESTS / "helpers/programs"
"""Programs that tests start as processes, or hand to commands as workers and spaces."""
STOCK = "helpers.programs.stock"
"""The module that starts HpBandSter's own worker or master."""
TOY = ("--worker", "toy", "--space", "counting", "--no-comparison", "--heartbeat", "1")


@dataclass
class Processes:
    """Commands of one test, each with its log."""

    folder: Path
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, module: str, *flags: object) -> subprocess.Popen[bytes]:
        log = self.folder / f"{len(self.running)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*with_us(), sys.executable, "-m", module, *map(str, flags)],
                stdout=stream,
                stderr=stream,
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": str(TESTS)},
                start_new_session=True,
            )
        self.running.append(process)
        return process

    def log(self, process: subprocess.Popen[bytes]) -> str:
        return (self.folder / f"{self.running.index(process)}.log").read_text()

    def finish(self, process: subprocess.Popen[bytes], timeout: float = 120) -> str:
        """Waits for the end, wants status 0, returns what was printed."""
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running:\n{self.log(process)}") from None
        assert status == 0, self.log(process)
        return self.log(process)


def benchmark(name: str, *flags: object) -> str:
    """Runs ``python -m benchmarks.NAME``, which must end well, and returns its output."""
    done = subprocess.run(
        [*with_us(), sys.executable, "-m", f"benchmarks.{name}", *map(str, flags)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-20000:]
    return done.stdout


@contextmanager
def processes(folder: Path) -> Iterator[Processes]:
    started = Processes(folder)
    try:
        yield started
    finally:
        for process in started.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def run(module: str, *flags: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end."""
    return subprocess.run(
        [*with_us(), sys.executable, "-m", module, *map(str, flags)],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=300,
        check=False,
    )


def refused(module: str, *flags: object) -> str:
    """Runs a command in this process, which is faster; wants exit status 2 and one sentence."""
    command = importlib.import_module(module)
    said = io.StringIO()
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(said):
        patch.setattr(sys, "argv", [module, *map(str, flags)])
        with pytest.raises(SystemExit) as end:
            command.main()
    root.level, root.handlers = level, handlers
    return only_sentence(end.value.code, said.getvalue())


def only_sentence(status: object, said: str) -> str:
    """The last line of what a command said, which must begin with its name."""
    assert status == 2, said
    assert "Traceback" not in said, said
    last = said.strip().splitlines()[-1]
    assert last.startswith("bohb-"), said
    return last


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: object, timeout: float = 60) -> None:
    """Polls until ``condition()`` holds; fails after ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
