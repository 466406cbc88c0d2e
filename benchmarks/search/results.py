"""Finished runs as JSON lines: an interrupted measurement goes on where it was."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

CACHE = Path("~/.cache/bohb-seg/search").expanduser()
DEFAULT_FILE = CACHE / "results.jsonl"

Cell = tuple[str, str, int, int]
"""Problem, method, workers, seed: what makes a run unique."""


@dataclass(frozen=True)
class Run:
    """One simulated run.

    Args:
        problem: Its name.
        method: Its name.
        workers: How many.
        seed: Of method and luck.
        qualities: True quality of what is handed out, by full trainings; NaN if nothing is.
        seconds: Processor time of method and simulation.
        version: Of the method's program.
    """

    problem: str
    method: str
    workers: int
    seed: int
    qualities: dict[int, float]
    seconds: float
    version: str

    @property
    def cell(self) -> Cell:
        """What makes a run unique."""
        return self.problem, self.method, self.workers, self.seed


def append(path: Path, run: Run) -> None:
    """Adds one line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = asdict(run)
    values["qualities"] = {
        mark: None if math.isnan(quality) else quality for mark, quality in run.qualities.items()
    }
    with path.open("a") as file:
        file.write(json.dumps(values) + "\n")


def load(path: Path) -> list[Run]:
    """All runs, one per cell: that of the latest version, and of that the longest."""
    if not path.exists():
        return []
    with path.open() as file:
        runs = [_run(line) for line in file]
    kept: dict[Cell, Run] = {}
    for run in runs:
        old = kept.get(run.cell)
        if old is None or old.version != run.version or len(run.qualities) >= len(old.qualities):
            kept[run.cell] = run
    return list(kept.values())


def _run(line: str) -> Run:
    values = json.loads(line)
    values["qualities"] = {
        int(mark): math.nan if quality is None else quality
        for mark, quality in values["qualities"].items()
    }
    return Run(**values)


def done(runs: Iterable[Run], until: int, versions: dict[str, str]) -> set[Cell]:
    """Cells that need not run again: measured far enough, with the program that is there now."""
    return {
        run.cell
        for run in runs
        if max(run.qualities) >= until and versions.get(run.method) == run.version
    }
