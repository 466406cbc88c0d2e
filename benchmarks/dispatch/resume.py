"""How long a killed master needs, started again with ``--resume``, until its first order.

Twice for each run: with the workers that outlived the master, and, when those are gone too, with
a new one that was started beforehand and waits.
"""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.dispatch.figures import Load
from benchmarks.dispatch.race import Field, RaceError, field

WORKERS = 16
OUTAGE = 3.0
"""Seconds without a master."""
PATIENCE = 60.0


def resumes(optimizer: str, evaluations: int, folder: Path) -> Iterator[tuple[str, float]]:
    """Names and seconds of what was measured."""
    with field("ours", Load(WORKERS, optimizer=optimizer), folder) as runs:
        runs.start_master()
        runs.start_workers()
        runs.wait_for(evaluations, seconds=evaluations / 10)
        runs.kill(workers=False)
        time.sleep(OUTAGE)
        yield "finished before the kill", finished(runs)
        yield from _resume(runs, f"{WORKERS} workers outlived it")
        runs.kill()
        runs.start_workers(1)
        time.sleep(OUTAGE)
        yield from _resume(runs, "a new worker waits")


def finished(runs: Field) -> float:
    """Evaluations whose result is in the journal."""
    return sum(1 for entry in _entries(runs, 0) if entry["kind"] == "Evaluated")


def _resume(runs: Field, case: str) -> Iterator[tuple[str, float]]:
    known = _whole(_journal(runs).read_bytes())
    started = time.time()
    runs.start_master("--resume", "--min-workers", "1")
    resumed = _first("RunResumed", runs, known, started)
    ordered = _first("Evaluate", runs, known, resumed)
    runs.kill(workers=False)
    yield f"{case}: journal replayed, s", resumed - started
    yield f"{case}: first order, s", ordered - started


def _first(kind: str, runs: Field, offset: int, since: float) -> float:
    """Unix time of the first entry of this kind behind ``offset`` that is not older."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for entry in _entries(runs, offset):
            if entry["kind"] == kind and entry["time"] >= since:
                return float(entry["time"])
        time.sleep(0.02)
    raise RaceError(f"no {kind} within {PATIENCE:g} s after --resume, see {runs.folder}")


def _entries(runs: Field, offset: int) -> Iterator[dict[str, Any]]:
    with _journal(runs).open("rb") as stream:
        stream.seek(offset)
        data = stream.read()
    yield from map(json.loads, data[: _whole(data)].splitlines())


def _whole(data: bytes) -> int:
    """Length up to the last whole line; a kill may have torn the one after it."""
    return data.rfind(b"\n") + 1


def _journal(runs: Field) -> Path:
    return runs.run_dir / "events.jsonl"
