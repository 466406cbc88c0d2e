"""Markdown tables of normalised regret and ranks, from the runs alone.

Standard errors are over seeds; that of a mean over problems takes every problem as given. Ranks are
among the methods that have run every cell (problem and seed) which the reference has; the others
are shown with the number of runs behind them.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from benchmarks.search.methods import METHODS
from benchmarks.search.problems import every
from benchmarks.search.regret import MARKS, normalised
from benchmarks.search.results import Run

Floats = NDArray[np.float64]

OURS, REFERENCE = ("ours-bohb", "ours-bohb-kde"), "hpbandster-bohb"
SIGNIFICANT = 2
"""Standard errors of a difference."""

Regrets = dict[str, dict[tuple[str, int], float]]
"""By method, then by problem and seed."""


def markdown(runs: Sequence[Run]) -> str:
    """All tables, for every number of workers there is."""
    parts = [_versions(runs)]
    for workers in sorted({run.workers for run in runs}):
        some = [run for run in runs if run.workers == workers]
        parts.append(f"## {workers} worker{'s' if workers > 1 else ''}")
        parts.append(_overview(some))
        parts += [_by_problem(_regrets(some, mark), mark) for mark in MARKS]
        there = {run.method for run in some}
        parts += [_differences(some, method) for method in OURS if method in there]
    return "\n\n".join(parts)


def _regrets(runs: Iterable[Run], mark: int) -> Regrets:
    problems = every()
    regrets: Regrets = defaultdict(dict)
    for run in runs:
        if mark in run.qualities:
            quality = run.qualities[mark]
            cell = run.problem, run.seed
            regrets[run.method][cell] = normalised(problems[run.problem], quality, mark)
    return {method: regrets[method] for method in METHODS if method in regrets}


def _versions(runs: Iterable[Run]) -> str:
    versions: dict[str, set[str]] = defaultdict(set)
    seconds: dict[str, float] = defaultdict(float)
    for run in runs:
        versions[run.method].add(run.version)
        seconds[run.method] += run.seconds
    rows = [
        [method, ", ".join(sorted(versions[method])), f"{seconds[method] / 60:.0f}"]
        for method in METHODS
        if method in versions
    ]
    return _table(["method", "version", "processor minutes"], rows)


def _overview(runs: Sequence[Run]) -> str:
    """Mean over problems, and rank."""
    marks = {mark: _regrets(runs, mark) for mark in MARKS}
    ranks = {mark: _ranks(regrets) for mark, regrets in marks.items()}
    rows = []
    for method in (name for name in METHODS if any(name in marks[mark] for mark in MARKS)):
        means = [_over_problems(marks[mark].get(method, {})) for mark in MARKS]
        placed = [ranks[mark].get(method) for mark in MARKS]
        rows.append([method, *means, *("–" if r is None else f"{r:.2f}" for r in placed)])
    head = [f"regret at {mark}" for mark in MARKS] + [f"rank at {mark}" for mark in MARKS]
    return _table(["method", *head], rows)


def _by_problem(regrets: Regrets, mark: int) -> str:
    rows = [
        [problem, *(_cell(_values(cells, problem)) for cells in regrets.values())]
        for problem in every()
    ]
    return f"At {mark} full trainings:\n\n" + _table(["problem", *regrets], rows)


def _differences(runs: Sequence[Run], method: str) -> str:
    """A method of ours minus the reference, and by how many standard errors."""
    rows = []
    for problem in every():
        row = [problem]
        for mark in MARKS:
            regrets = _regrets(runs, mark)
            ours, theirs = (_values(regrets.get(m, {}), problem) for m in (method, REFERENCE))
            row.append(_difference(ours, theirs))
        rows.append(row)
    title = f"{method} minus {REFERENCE} (standard errors of the difference):\n\n"
    return title + _table(["problem", *(f"at {mark}" for mark in MARKS)], rows)


def _difference(ours: Floats, theirs: Floats) -> str:
    if min(len(ours), len(theirs)) < 2:
        return "–"
    error = math.hypot(_standard_error(ours), _standard_error(theirs))
    difference = ours.mean() - theirs.mean()
    distance = difference / error if error else 0.0
    mark = "**" if abs(distance) > SIGNIFICANT else ""
    return f"{mark}{difference:+.3f} ({distance:+.1f}){mark}"


def _values(cells: dict[tuple[str, int], float], problem: str) -> Floats:
    return np.array([value for (name, _), value in cells.items() if name == problem])


def _standard_error(values: Floats) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def _cell(values: Floats) -> str:
    if len(values) < 2:
        return "–"
    return f"{values.mean():.3f} ± {_standard_error(values):.3f}"


def _over_problems(cells: dict[tuple[str, int], float]) -> str:
    """The mean of the problems' means, and how thin it is."""
    groups = [_values(cells, problem) for problem in every()]
    if min(map(len, groups)) < 2:
        return "–"
    errors = [_standard_error(group) for group in groups]
    mean = np.mean([group.mean() for group in groups])
    least = min(map(len, groups))
    return f"{mean:.3f} ± {math.hypot(*errors) / len(groups):.3f} ({least} seeds)"


def _ranks(regrets: Regrets) -> dict[str, float]:
    """Average rank (1 is best) over all cells of the methods that have every one of them."""
    wanted = set().union(*map(set, regrets.values()))
    complete = [method for method, cells in regrets.items() if set(cells) == wanted]
    if not complete:
        return {}
    matrix = np.array([[regrets[method][cell] for cell in sorted(wanted)] for method in complete])
    return dict(zip(complete, rankdata(matrix, axis=0).mean(axis=1), strict=True))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
