"""``--device all-gpus``: a worker process of its own for each GPU of this machine.

A process that dies, or cannot be started, is started again after a pause that grows, as the
master's own workers are: the kernel may have killed it for its memory, and its GPU costs money.
"""

import logging
import subprocess
import time
from collections.abc import Sequence
from typing import final

from bohb_seg import machine
from bohb_seg.errors import EXIT_BAD_INPUT, EXIT_FAULT, SettingsError
from bohb_seg.retry import LOOK_EVERY, Restarts
from bohb_seg.worker.shutdown import FORWARDED

_log = logging.getLogger(__name__)


def run(words: Sequence[str]) -> int:
    """Runs the workers until none is left.

    Args:
        words: Arguments of ``bohb-worker``; each worker also gets its ``--device``.

    Returns:
        Exit status: 0 if a worker ended well, 2 if all had bad input, else 70, after which another
        start may do.

    Raises:
        SettingsError: this machine shows no GPU.
    """
    workers = [_GpuWorker(gpu, words) for gpu in range(len(machine.gpus()))]
    if not workers:
        raise SettingsError("--device all-gpus: this machine shows no GPU; choose --device auto")
    try:
        while sum(worker.look_after() for worker in workers):
            time.sleep(LOOK_EVERY)
    finally:
        for worker in workers:
            worker.tell_to_leave()
        ends = {worker.end() for worker in workers}
    return 0 if 0 in ends else EXIT_BAD_INPUT if ends == {EXIT_BAD_INPUT} else EXIT_FAULT


@final
class _GpuWorker:
    """The worker of one GPU, as often as it has to be started."""

    def __init__(self, gpu: int, words: Sequence[str]) -> None:
        self._gpu = gpu
        device = ("--device", f"gpu:{gpu}")
        self._command = machine.tied("bohb_seg.commands.worker", *words, *device)
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts = Restarts()
        self._started = self._next_start = 0.0

    def look_after(self) -> bool:
        """Starts it when it is due. False if it has left, or was refused or started in vain."""
        if self._process is None:
            if time.monotonic() >= self._next_start and not self._restarts.are_in_vain:
                self._start()
            return not self._restarts.are_in_vain
        status = self._process.poll()
        if status in (0, EXIT_BAD_INPUT):
            return False
        if status is not None:
            self._process = None
            self._mourn(f"ended with status {status}")
        return True

    def tell_to_leave(self) -> None:
        """Hands the notice on that this machine was given."""
        if self._process is not None:
            self._process.send_signal(FORWARDED)

    def end(self) -> int | None:
        """Waits for its end; the exit status, None if it could not be started any more."""
        return None if self._process is None else self._process.wait()

    def _start(self) -> None:
        self._started = time.monotonic()
        try:
            # In a session of its own: Ctrl-C reaches this process alone, which tells its workers.
            self._process = subprocess.Popen(self._command, start_new_session=True)
        except OSError as error:
            self._mourn(f"cannot be started ({error.strerror or error})")

    def _mourn(self, fault: str) -> None:
        pause = self._restarts.after(time.monotonic() - self._started)
        again = (
            "giving it up" if self._restarts.are_in_vain else f"starting it again in {pause:g} s"
        )
        _log.warning("the worker of GPU %d %s; %s", self._gpu, fault, again)
        self._next_start = time.monotonic() + pause
