"""A way of training in a process of its own, asked over pipes; needs the standard library only.

Requests and replies are one JSON value per line. ``{"edge": 64, "patches": 256}`` makes the way
ready for a patch size, ``{}`` lets it train once over all patches.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bohb_seg import machine

ROOT = Path(__file__).parents[2]
BATCH, CLASSES = 16, 6
LEARNING_RATE = 1e-3
WARM_STEPS = 2
"""Warm steps; the time of the fastest is subtracted from the second evaluation's first step."""


class Way(Protocol):
    """One way of training, in one precision."""

    def prepare(self, edge: int, patches: int) -> dict[str, Any]:
        """Forgets the size before; returns facts about this one, see :func:`ready`."""

    def epoch(self) -> None:
        """Trains over all patches once; returns when the device is done."""

    def peak_mb(self) -> float | None:
        """Largest memory of the accelerator; None: look at the process."""


def ready(evaluate: Callable[[], Callable[[], object]]) -> dict[str, float]:
    """Times the first evaluation of a process and the next of the same shape.

    Args:
        evaluate: Makes a model and returns a function that trains it for one batch.

    Returns:
        Seconds: ``first``, until a first step is done; ``again``, the same for a second model, less
        a warm step.
    """
    started = time.perf_counter()
    step = evaluate()
    step()
    first = time.perf_counter() - started
    warm = min(_seconds(step) for _ in range(WARM_STEPS))
    return {"first": first, "again": _seconds(lambda: evaluate()()) - warm}


def serve(way: Way) -> None:
    """Answers requests from standard input until it ends."""
    replies, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        request = json.loads(line)
        if request:
            _reset_peak()
            reply = way.prepare(**request)
        else:
            wall, processor = time.perf_counter(), time.process_time()
            way.epoch()
            reply = {
                "wall": time.perf_counter() - wall,
                "processor": time.process_time() - processor,
                "peak_mb": way.peak_mb() or machine.peak_memory_mb(),
            }
        print(json.dumps(reply), file=replies, flush=True)


@dataclass(frozen=True)
class Process:
    """A way's process."""

    child: subprocess.Popen[str]

    @classmethod
    def start(cls, python: Path | str, module: str, *arguments: str) -> "Process":
        """Starts ``python -m benchmarks.training.<module>``."""
        return cls(
            subprocess.Popen(
                [python, "-m", f"benchmarks.training.{module}", *arguments],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """Sends a request and waits for the reply."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        print(json.dumps(request), file=self.child.stdin, flush=True)
        line = self.child.stdout.readline()
        if not line:
            sys.exit(f"{self.child.args!r} ended; its output above says why")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def end(self) -> None:
        """Lets it end."""
        self.child.communicate()


def _seconds(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _reset_peak() -> None:
    """Lets Linux count the largest resident memory anew; elsewhere it is that of all sizes."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return
