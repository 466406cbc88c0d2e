"""Effect of ``--prior``: searches that guess from a run on the same, a shifted, a wrong problem.

Example: python -m benchmarks.prior --seeds 40:45
"""

import math
from collections.abc import Sequence
from statistics import fmean, stdev

import click
import numpy as np
from ConfigSpace import ConfigurationSpace
from ConfigSpace.exceptions import ForbiddenValueError

from benchmarks.search.methods.ours import running
from benchmarks.search.problems import Problem, every
from benchmarks.search.regret import normalised
from benchmarks.search.simulation import Build, Trajectory, simulate
from bohb_seg.optimizers import bohb
from bohb_seg.optimizers._encoding import Encoding
from bohb_seg.search.hyperband import Ladder
from bohb_seg.spaces.formats.configspace import plain
from bohb_seg.trials import Observation

MARKS = 4, 16
PROBLEMS = "dubai", "conditional", "hartmann-6", "counting-8"
SHIFT = 0.15
"""Share of its range by which the optimum of a shifted problem lies elsewhere in each number."""
EARLIER = 5000
"""Seed of an earlier run, less that of the search."""


@click.command()
@click.option("--seeds", default="40:45", help="FIRST:END", show_default=True)
def command(seeds: str) -> None:
    """Prints the mean change of regret, and its standard error, after 4 and 16 full trainings."""
    changes: dict[str, list[list[float]]] = {}
    for seed in range(*map(int, seeds.split(":"))):
        for name in PROBLEMS:
            problem = every()[name]
            run = _observed(simulate(problem, running(bohb.build), 1, EARLIER + seed, MARKS[-1]))
            without = _regrets(problem, running(bohb.build), seed)
            for kind, told in _runs(problem, run).items():
                found = np.subtract(_regrets(problem, _guessing(told), seed), without)
                changes.setdefault(kind, []).append(found.tolist())
    for kind, rows in changes.items():
        columns = [
            f"{fmean(each):+.2f} ± {stdev(each) / math.sqrt(len(each)):.2f}"
            for each in zip(*rows, strict=True)
        ]
        click.echo(f"{kind:8} {'   '.join(columns)}   ({len(rows)} searches)")


def _regrets(problem: Problem, build: Build, seed: int) -> list[float]:
    trajectory = simulate(problem, build, 1, seed, MARKS[-1])
    return [normalised(problem, trajectory.quality(mark), mark) for mark in MARKS]


def _guessing(run: Sequence[Observation]) -> Build:
    def make(space: ConfigurationSpace, ladder: Ladder, seed: int) -> bohb.Bohb:
        optimizer = bohb.build(space, ladder, seed)
        optimizer.expect([run])
        return optimizer

    return running(make)


def _observed(trajectory: Trajectory) -> list[Observation]:
    return [
        Observation(each.job.configuration, float(each.job.epochs), each.loss)
        for each in trajectory.observations
    ]


def _runs(problem: Problem, run: Sequence[Observation]) -> dict[str, list[Observation]]:
    """The earlier run as it is, on a shifted problem, and on one in which good is bad."""
    negated = [each._replace(loss=None if each.loss is None else -each.loss) for each in run]
    return {"same": [*run], "shifted": _shifted(problem, run), "negated": negated}


def _shifted(problem: Problem, run: Sequence[Observation]) -> list[Observation]:
    encoding = Encoding(problem.space())
    moved = []
    for each in run:
        point = encoding.encode(each.configuration)
        numbers = (encoding.choices == 0) & ~np.isnan(point)
        point[numbers] += SHIFT
        point = np.where(point > 1, np.where(numbers, 2 - point, point), point)
        whole = np.where(np.isnan(point), np.where(encoding.choices == 0, 0.5, 0.0), point)
        (legal,) = encoding.legal(whole[None])
        try:
            configuration = plain(encoding.decode(np.nan_to_num(legal)))
        except ForbiddenValueError:
            continue
        moved.append(each._replace(configuration=configuration))
    return moved


if __name__ == "__main__":
    command()
