"""Workers that the master starts on its own machine, as child processes.

A local worker that ends badly, or cannot be started, is started again after a pause that grows.
None of them ends a run that has workers, or had them: others may be there, or come. Only a master
to which no worker has come yet gives up when all its own are in vain, because then it is its
settings that are wrong.
"""

import contextlib
import logging
import signal
import subprocess
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final, final

from bohb_seg import machine
from bohb_seg.errors import EXIT_BAD_INPUT, ServiceError, printable
from bohb_seg.files import LARGEST_RECORD, log_stream, open_regular
from bohb_seg.master import last_words
from bohb_seg.retry import Restarts
from bohb_seg.settings import SearchSettings

FAREWELL: Final = 20.0
"""Seconds that a worker gets to leave before it is killed."""
END_WITHIN: Final = 1.0
"""Seconds between the end of a process' connections and its own end."""
LAST_BYTES: Final = 10_000
"""Bytes at the end of a log in which its last words are looked for."""
LAST_WORDS: Final = 300
"""Characters of a log's last line that are repeated."""

_log = logging.getLogger(__name__)


@final
class LocalWorkers:
    """The child processes; each writes to ``logs/worker-<n>.log`` of the run directory.

    Args:
        settings: All settings of the run.
        nameserver: Host and port where the workers find it.
    """

    def __init__(self, settings: SearchSettings, nameserver: tuple[str, int]) -> None:
        auto = settings.local_workers == "auto"
        count = machine.local_workers() if auto else int(settings.local_workers)
        logs = settings.run_dir / "logs"
        self._workers = [
            _LocalWorker(
                number,
                _command(settings, nameserver, _device(number), machine.processors() // count),
                logs / f"worker-{number}.log",
            )
            for number in range(count)
        ]

    @property
    def count(self) -> int:
        """Number of the local workers, whether they run or not."""
        return len(self._workers)

    def start(self) -> None:
        """Starts all workers; does not wait until they are ready."""
        for worker in self._workers:
            worker.start()

    def look_after(self, met: bool, busy: Collection[int] = ()) -> None:
        """Starts workers again that died or could not be started.

        Args:
            met: Whether a worker of any machine has come in this start, or is there since before.
            busy: Process ids of the run's workers that are at an evaluation. Whatever ends such a
                process, the evaluation may be the cause, and it is tried only so often.

        Raises:
            ServiceError: no worker has come yet, and all of these are in vain; with the last line
                of the first one's log.
        """
        for worker in self._workers:
            worker.look_after(busy)
        if self._workers and not met and all(each.is_in_vain for each in self._workers):
            raise ServiceError(f"local worker 0 {self._workers[0].fault}")

    def end_of(self, process: int) -> str:
        """How a worker of ours ended, in words, by its process id; "" if that is not known."""
        return next(filter(None, (worker.end_of(process) for worker in self._workers)), "")

    def stop(self) -> None:
        """Asks the workers that are left to leave, and kills those that do not."""
        for worker in self._workers:
            worker.terminate()
        deadline = time.monotonic() + FAREWELL
        for worker in self._workers:
            worker.end(deadline)


@final
class _LocalWorker:
    """One worker, as often as it has to be started.

    Args:
        number: Its number among the local workers.
        command: Starts it.
        log: File for all that it says.

    Attributes:
        fault: The end of a sentence about its last end or start, if that was a bad one.
    """

    def __init__(self, number: int, command: list[str], log: Path) -> None:
        self.fault = ""
        self._number, self._command, self._log = number, command, log
        self._child: subprocess.Popen[bytes] | None = None
        self._started = self._next_start = 0.0
        self._restarts, self._refused = Restarts(), False
        self._begins = 0  # place in the log at which the present process begins
        self._ends: dict[int, str] = {}

    @property
    def is_in_vain(self) -> bool:
        """Whether its settings or data were refused, or it was started in vain often enough."""
        return self._refused or self._restarts.are_in_vain

    def start(self) -> None:
        """Starts it, or says why it cannot be started."""
        self._started = time.monotonic()
        try:
            with log_stream(self._log) as stream:
                self._begins = stream.tell()
                # In a session of its own: Ctrl-C reaches only the master, which tells its workers.
                self._child = subprocess.Popen(
                    self._command, stdout=stream, stderr=stream, start_new_session=True
                )
            self._ends.pop(self._child.pid, None)  # the number may be used again
        except OSError as error:
            self._mourn(f"cannot be started ({error.strerror or error})")

    def look_after(self, busy: Collection[int]) -> None:
        """Starts it again if it is due; one that left by itself stays away."""
        if self._child is None:
            if time.monotonic() >= self._next_start:
                self.start()
            return
        status, process = self._child.poll(), self._child.pid
        was_busy = process in busy or process in self._ends
        if status is None or (status == 0 and not was_busy):
            return
        self._note_end(self._child)
        self._child = None
        if was_busy:
            self._restarts.forget()
        self._refused = status == EXIT_BAD_INPUT and not was_busy
        self._mourn(self._end(status))

    def end_of(self, process: int) -> str:
        """How this process ended, in words; "" if it is none of this worker's, or lives."""
        if self._child is not None and self._child.pid == process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(END_WITHIN)
                self._note_end(self._child)
        return self._ends.get(process, "")

    def _note_end(self, child: subprocess.Popen[bytes]) -> None:
        log = b""
        with contextlib.suppress(OSError), open_regular(self._log, LARGEST_RECORD) as file:
            size = file.seek(0, 2)
            file.seek(max(self._begins, size - LAST_BYTES))
            log = file.read()
        words = last_words.of(child.returncode, log.decode(errors="replace"))
        self._ends.setdefault(child.pid, words)

    def terminate(self) -> None:
        """Asks it to leave."""
        if self._child is not None:
            self._child.terminate()

    def end(self, deadline: float) -> None:
        """Waits until it is gone, and kills it at the deadline, in monotonic seconds."""
        if self._child is not None:
            try:
                self._child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()

    def _mourn(self, fault: str) -> None:
        self.fault = fault
        pause = self._restarts.after(time.monotonic() - self._started)
        _log.warning("local worker %d %s; starting it again in %g s", self._number, fault, pause)
        self._next_start = time.monotonic() + pause

    def _end(self, status: int) -> str:
        if status > 0:
            return f"ended with status {status}: {_last_line(self._log) or f'see {self._log}'}"
        try:
            return f"was ended by {signal.Signals(-status).name}, see {self._log}"
        except ValueError:  # a signal without a name
            return f"was ended by signal {-status}, see {self._log}"


def _command(
    settings: SearchSettings, nameserver: tuple[str, int], device: str, threads: int
) -> list[str]:
    host, port = nameserver
    flags: dict[str, object] = {
        "--host": host,
        "--port": port,
        "--run-id": settings.run_id,
        "--worker": settings.worker,
        "--log-level": settings.log_level,
        "--device": device,
        "--threads": max(1, threads),
    }
    if settings.tls:
        flags["--tls"] = settings.tls
    words = (word for pair in flags.items() for word in pair)
    return machine.tied("bohb_seg.commands.worker", *words)


def _device(number: int) -> str:
    if machine.tpu_chips():
        return "tpu"
    gpus = len(machine.gpus())
    return f"gpu:{number % gpus}" if gpus else "auto"


def _last_line(log: Path) -> str:
    """The end of a log's last line, fit for a terminal; "" if there is none."""
    try:
        with open_regular(log, LARGEST_RECORD) as file:
            file.seek(max(0, file.seek(0, 2) - 4 * LAST_WORDS))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return printable(lines[-1][-LAST_WORDS:]) if lines else ""
