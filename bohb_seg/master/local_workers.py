"""Workers that the master starts on its own machine, as child processes."""

import logging
import math
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from typing import Final, final

from bohb_seg import machine
from bohb_seg.errors import ServiceError
from bohb_seg.settings import SearchSettings

RESTARTS: Final = 10
"""Restarts of local workers that died, in any ten minutes; one more would be no accident."""
RESTARTS_WITHIN: Final = 600.0
"""Seconds for which a restart is remembered."""
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

    def start(self) -> None:
        """Starts all workers; does not wait until they are ready."""
        for number in range(self._count):
            self._start(number)

    def look_after(self) -> None:
        """Starts workers again that died.

        Raises:
            ServiceError: a worker cannot use its settings or data, or workers die too often; with
                the last line of its log.
        """
        for number, child in list(self._children.items()):
            status = child.poll()
            if status in (None, 0):
                continue
            if status == 2 or self._restarts_too_often():
                raise ServiceError(f"local worker {number} ended: {self._last_words(number)}")
            self._restarts.append(time.monotonic())
            _log.warning("local worker %d ended with status %d; starting it again", number, status)
            self._start(number)

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
            # In a session of its own: Ctrl-C reaches only the master, which tells its workers.
            self._children[number] = subprocess.Popen(
                self._command(number), stdout=stream, stderr=stream, start_new_session=True
            )

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
