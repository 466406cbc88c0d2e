"""Runs what is not in the results yet, seed by seed, so that it can be broken off anywhere."""

import itertools
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.search import environments, results
from benchmarks.search.methods import METHODS
from benchmarks.search.problems import every
from benchmarks.search.regret import MARKS
from benchmarks.search.results import Run
from benchmarks.search.simulation import simulate


@dataclass(frozen=True)
class Selection:
    """What is measured; ``until`` is the largest budget in full trainings."""

    methods: Sequence[str]
    problems: Sequence[str]
    workers: Sequence[int]
    seeds: Sequence[int]
    until: int
    file: Path

    def arguments(self) -> list[str]:
        """The command line that selects it."""
        options = {
            "methods": ",".join(self.methods),
            "problems": ",".join(self.problems),
            "workers": ",".join(map(str, self.workers)),
            "seeds": f"{self.seeds[0]}:{self.seeds[-1] + 1}",
            "until": self.until,
            "results": self.file.resolve(),
        }
        return ["measure", *(f"--{name}={value}" for name, value in options.items())]


def run(selection: Selection) -> int:
    """Measures ours and HpBandSter here, peers in their environment; returns the exit status."""
    for method in selection.methods:
        single = replace(selection, methods=[method])
        if not METHODS[method].peer:
            measure(single)
        elif status := environments.run(single.arguments()):
            return status
    return 0


def measure(selection: Selection) -> None:
    """Measures in this environment, and says how far it is."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")  # HpBandSter divides by zero as a matter of course
    cells = list(_missing(selection))
    for index, cell in enumerate(cells):
        outcome = _measured(*cell, selection.until)
        results.append(selection.file, outcome)
        name = f"{outcome.method} {outcome.problem} w{outcome.workers} seed {outcome.seed}"
        print(f"{index + 1}/{len(cells)} {name}: {outcome.seconds:.1f} s", flush=True)


def _missing(selection: Selection) -> Iterator[tuple[str, str, int, int]]:
    versions = {method: METHODS[method].version() for method in selection.methods}
    done = results.done(results.load(selection.file), selection.until, versions)
    for seed, workers, problem, method in itertools.product(
        selection.seeds, selection.workers, selection.problems, selection.methods
    ):
        if (problem, method, workers, seed) not in done:
            yield problem, method, workers, seed


def _measured(name: str, method: str, workers: int, seed: int, until: int) -> Run:
    entry, start = METHODS[method], time.process_time()
    trajectory = simulate(every()[name], entry.build(), workers, seed, until)
    qualities = {mark: trajectory.quality(mark) for mark in MARKS if mark <= until}
    seconds = round(time.process_time() - start, 2)
    return Run(name, method, workers, seed, qualities, seconds, entry.version())
