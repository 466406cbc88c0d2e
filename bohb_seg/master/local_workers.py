"""Workers that the master starts on its own machine, as child processes."""

import contextlib
import logging
import math
import subprocess
import sys
import time
from collections import deque
from collections.abc import Collection
from pathlib import Path
from typing import Final, final

from bohb_seg import machine
from bohb_seg.errors import ServiceError
from bohb_seg.master import last_words
from bohb_seg.settings import SearchSettings

RESTARTS: Final = 10
"""Restarts of local workers that died, in any ten minutes; one more would be no accident."""
RESTARTS_WITHIN: Final = 600.0
"""Seconds for which a restart is remembered."""
END_WITHIN: Final = 1.0
"""Seconds between the end of a process' connections and its own end."""
LAST_BYTES: Final = 10_000
"""Bytes at the end of a log in which its last words are looked for."""
FAREWELL: Final = 20.0
"""Seconds that a worker gets to leave before it is killed."""

_Child = subprocess.Popen[bytes]

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
        self._count = machine.local_workers() if auto else int(settings.local_workers)
        self._settings, self._nameserver = settings, nameserver
        self._children: dict[int, _Child] = {}
        self._restarts: deque[float] = deque(maxlen=RESTARTS)
        self._begins: dict[int, int] = {}  # place in the log at which the present worker begins
        self._ends: dict[int, str] = {}

    def start(self) -> None:
        """Starts all workers; does not wait until they are ready."""
        for number in range(self._count):
            self._start(number)

    def look_after(self, busy: Collection[int] = ()) -> None:
        """Starts workers again that died.

        Args:
            busy: Process ids of the run's workers that are at an evaluation. Whatever ends such a
                process, the evaluation may be the cause, and it is tried only so often.

        Raises:
            ServiceError: a worker cannot use its settings or data, or workers die too often; with
                the last line of its log.
        """
        for number, child in list(self._children.items()):
            status = child.poll()
            if status is None:
                continue
            if child.pid not in busy and child.pid not in self._ends:
                if status == 0:
                    continue
                if status == 2 or self._restarts_too_often():
                    raise ServiceError(f"local worker {number} ended: {self._last_words(number)}")
                self._restarts.append(time.monotonic())
            self._note_end(number, child)
            _log.warning("local worker %d ended with status %d; starting it again", number, status)
            self._start(number)

    def end_of(self, process: int) -> str:
        """How a worker of ours ended, in words, by its process id; "" if that is not known."""
        for number, child in self._children.items():
            if child.pid == process and process not in self._ends:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(END_WITHIN)
                    self._note_end(number, child)
        return self._ends.get(process, "")

    def _note_end(self, number: int, child: _Child) -> None:
        log = b""
        with contextlib.suppress(OSError):
            log = self._log_file(number).read_bytes()[self._begins[number] :][-LAST_BYTES:]
        words = last_words.of(child.returncode, log.decode(errors="replace"))
        self._ends.setdefault(child.pid, words)

    def _restarts_too_often(self) -> bool:
        oldest = self._restarts[0] if len(self._restarts) == RESTARTS else -math.inf
        return time.monotonic() - oldest < RESTARTS_WITHIN

    def stop(self) -> None:
        """Asks the workers that are left to leave, and kills those that do not."""
        for child in self._children.values():
            child.terminate()
        deadline = time.monotonic() + FAREWELL
        for child in self._children.values():
            try:
                child.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def _start(self, number: int) -> None:
        log = self._log_file(number)
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as stream:
            self._begins[number] = stream.tell()
            # In a session of its own: Ctrl-C reaches only the master, which tells its workers.
            self._children[number] = subprocess.Popen(
                self._command(number), stdout=stream, stderr=stream, start_new_session=True
            )
            self._ends.pop(self._children[number].pid, None)  # the number may be used again

    def _command(self, number: int) -> list[str]:
        settings = self._settings
        host, port = self._nameserver
        flags: dict[str, object] = {
            "--host": host,
            "--port": port,
            "--run-id": settings.run_id,
            "--worker": settings.worker,
            "--log-level": settings.log_level,
            "--device": self._device(number),
            "--threads": max(1, machine.processors() // self._count),
        }
        if settings.tls:
            flags["--tls"] = settings.tls
        words = [str(word) for pair in flags.items() for word in pair]
        return [sys.executable, "-m", "bohb_seg.commands.worker", *words, "--leave-with-parent"]

    @staticmethod
    def _device(number: int) -> str:
        if machine.tpu_chips():
            return "tpu"
        gpus = len(machine.gpus())
        return f"gpu:{number % gpus}" if gpus else "auto"

    def _log_file(self, number: int) -> Path:
        return self._settings.run_dir / "logs" / f"worker-{number}.log"

    def _last_words(self, number: int) -> str:
        lines = self._log_file(number).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"see {self._log_file(number)}"
