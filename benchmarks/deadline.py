"""Promises of ``--hours`` and what happens, on simulated clusters under a simulated clock.

Run it as ``python -m benchmarks.deadline``; it exits with status 1 unless every run ends between 80
and 102 % of the time it was given. Scheduler, planner and timekeeper are those of ``bohb-master``;
only clock, workers and losses are simulated. A worker takes its own seconds an epoch, times a
factor of the configuration, times some noise, and a fixed time for each evaluation. Wide networks
are slower and better, so that the winners are slow.
"""

import argparse
import heapq
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ConfigSpace import ConfigurationSpace, Float

from bohb_seg import optimizers
from bohb_seg.master import deadline
from bohb_seg.master.measuring import EPOCHS, Measurement
from bohb_seg.master.run_setup import plan_of, recorded
from bohb_seg.search import hyperband
from bohb_seg.search.deadline import Given
from bohb_seg.search.events import Evaluate, Evaluated, News, WorkersChanged
from bohb_seg.search.forecast import RungsOf
from bohb_seg.search.hyperband import Ladder
from bohb_seg.search.pacing import Pacing
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.search.timekeeper import Task, Timekeeper
from bohb_seg.settings import SearchSettings
from bohb_seg.storage.journal_entries import RunStarted
from bohb_seg.trials import Configuration, TrialId

LEAST, MOST = 0.80, 1.02
"""Shares of the time given between which a run should end."""
TURN = 0.5
"""Seconds between two looks of the master at its clock; the simulation looks at least so seldom."""


@dataclass(frozen=True)
class Cluster:
    """Workers, and what becomes of them.

    Args:
        epochs: Seconds of an epoch of the default on each worker.
        hours: Time that is given.
        fixed: Seconds of an evaluation besides its epochs.
        spread: Seconds of an epoch grow with the width to this power.
        leave: Share of the time after which the second half of the workers leaves.
        join: Share of the time after which workers with ``joining`` seconds an epoch join.
    """

    name: str
    epochs: tuple[float, ...]
    hours: float
    fixed: float = 6.0
    spread: float = 0.7
    noise: float = 0.08
    leave: float | None = None
    join: float | None = None
    joining: tuple[float, ...] = ()


CLUSTERS = (
    Cluster("1 worker", (41.0,), 8),
    Cluster("1 slow worker", (600.0,), 24, fixed=40),
    Cluster("2 workers", (41.0, 41.0), 3.67),
    Cluster("2 fast workers, a quarter of an hour", (1.5, 1.5), 0.25, fixed=3),
    Cluster("4 unlike workers", (20.0, 40.0, 80.0, 160.0), 8),
    Cluster("8 workers, long", (60.0,) * 8, 24),
    Cluster("16 workers, half of them leave midway", (30.0,) * 16, 6, leave=0.5),
    Cluster("6 workers, very unlike configurations", (45.0,) * 6, 8, spread=2.2),
    Cluster("2 workers, 8 more after a third", (30.0,) * 2, 6, join=0.33, joining=(30.0,) * 8),
    Cluster("32 workers", (20.0,) * 32, 6),
    Cluster("32 slow workers", (300.0,) * 32, 12, fixed=30),
)
DEFAULT_WIDTH = 24.0


def space() -> ConfigurationSpace:
    """A width, on which speed and quality depend, and two that matter little."""
    found = ConfigurationSpace(name="simulated")
    found.add(
        Float("width", (8.0, 64.0), log=True, default=DEFAULT_WIDTH),
        Float("rate", (1e-4, 1e-2), log=True, default=1e-3),
        Float("decay", (0.0, 1.0), default=0.5),
    )
    return found


@dataclass(frozen=True)
class Happened:
    """A run's plan and its end.

    Args:
        share: Its end in shares of the time given.
    """

    cluster: Cluster
    promised: str
    brackets: int
    seeds: int
    corrections: int
    given_up: bool
    share: float
    is_whole: bool


@dataclass
class World:
    """The simulated clock, the workers and what they are doing."""

    cluster: Cluster
    chance: random.Random
    now: float = 0.0
    speeds: dict[str, float] = field(default_factory=dict)
    trained: dict[TrialId, float] = field(default_factory=dict)
    queue: list[tuple[float, int, News | None]] = field(default_factory=list)
    serial: int = 0

    def later(self, seconds: float, news: News | None) -> None:
        """Puts news on the clock."""
        self.serial += 1
        heapq.heappush(self.queue, (self.now + seconds, self.serial, news))

    def start(self, order: Evaluate) -> None:
        """A worker trains; its news follow, unless it leaves before."""
        (trial, budget), worker = order.evaluation, order.worker
        done = self.trained.get(trial, 0.0)
        epochs = max(1, round(budget)) - done
        width = float(order.configuration["width"] or 0.0)
        factor = (width / DEFAULT_WIDTH) ** self.cluster.spread
        each = self.speeds[worker] * factor * math.exp(self.chance.gauss(0, self.cluster.noise))
        fixed = self.cluster.fixed * self.chance.uniform(0.6, 1.6)
        seconds = fixed + epochs * each
        loss = 1 / width + 0.2 / math.sqrt(budget) + self.chance.gauss(0, 0.01)
        curve = [each + (fixed / 2 if epoch == 0 else 0) for epoch in range(round(epochs))]
        info = {"epochs_trained": epochs, "curves": {"seconds": curve}, "seconds": seconds}
        news = Evaluated(order.evaluation, order.attempt, worker, "finished", loss, info)
        self.later(seconds, news)

    def join(self, epochs: Sequence[float]) -> None:
        """Workers that begin now."""
        names = [f"worker-{len(self.speeds) + number}" for number in range(len(epochs))]
        self.speeds.update(zip(names, epochs, strict=True))
        for name in names:
            self.later(self.chance.uniform(0, 5), WorkersChanged(joined=(name,)))

    def news(self) -> Iterator[News | None]:
        """News as they come; those of workers that have left are not among them."""
        while self.queue:
            self.now, _, news = heapq.heappop(self.queue)
            if isinstance(news, Evaluated):
                if news.worker not in self.speeds:
                    continue
                self.trained[news.evaluation.trial] = round(news.evaluation.budget)
            yield news


def run(cluster: Cluster, seed: int) -> Happened:
    """One run from its start to its end."""
    world = World(cluster, random.Random(f"{cluster.name}{seed}"))
    world.now = 12.0  # until the first worker is there
    world.join(cluster.epochs)
    default: Configuration = {"width": DEFAULT_WIDTH, "rate": 1e-3, "decay": 0.5}
    measured = _measure(world, default)
    asked = SearchSettings(hours=cluster.hours, run_id="r", run_dir=Path("r"))
    asked.model_fields_set.clear()
    settings, promised = deadline.planned(asked, measured.paces, layout, world.now)
    ladder = Ladder(settings.min_budget, settings.max_budget, settings.eta)
    optimizer = optimizers.build("hyperband", space(), ladder, seed)
    plan = plan_of(settings, RunStarted(recorded(settings), {}, {}, {}))
    scheduler = Scheduler(optimizer, plan, default)
    whole = 3600 * cluster.hours
    last = whole - deadline.reserve(whole)
    task = Task(last, deadline.size_of(settings), Given(), layout)
    keeper = Timekeeper(task, plan, Pacing(measured.paces))
    return _Play(world, scheduler, keeper, promised, last).to_the_end(measured.workers)


def layout(ladder: Ladder) -> RungsOf:
    """Hyperband's rungs."""
    return lambda index: hyperband.bracket(ladder, index)


def _measure(world: World, default: Configuration) -> Measurement:
    seconds = 3600 * world.cluster.hours
    measurement = Measurement(default, len(world.cluster.epochs), 0.03 * seconds, 0.03 * seconds)
    for news in world.news():
        for order in measurement.handle([news] if news else [], world.now):
            world.trained.pop(order.evaluation.trial, None)
            world.start(order)
        if measurement.is_over(world.now):
            break
    assert not measurement.busy, EPOCHS
    return measurement


@dataclass
class _Play:
    """The master's loop."""

    world: World
    scheduler: Scheduler
    keeper: Timekeeper
    promised: str
    last: float
    corrections: int = 0
    given_up: bool = False
    evaluations: int = 0

    def to_the_end(self, workers: Sequence[str]) -> Happened:
        world, cluster = self.world, self.world.cluster
        whole = 3600 * cluster.hours
        self._handle(WorkersChanged(joined=tuple(workers)))
        for share in (cluster.leave, cluster.join):
            if share is not None:
                world.later(share * whole - world.now, None)
        step = whole / 2000
        world.later(step, None)
        left = joined = False
        for news in world.news():
            if cluster.leave and not left and world.now >= cluster.leave * whole:
                left = True
                self._lose_half()
            if cluster.join and not joined and world.now >= cluster.join * whole:
                joined = True
                world.join(cluster.joining)
            if news is None:
                world.later(step, None)
            elif self._is_to_come(news):
                self._handle(news)
            if correction := self.keeper.correct(world.now, self.scheduler.progress.phase):
                self.corrections += 1
                self.given_up |= not getattr(correction, "waits", True)
                self._handle(correction)
            if self.scheduler.finished or world.now >= self.last:
                break
        report = 8 + 0.01 * self.evaluations
        return Happened(
            cluster,
            self.promised,
            self.scheduler.progress.bracket + 1,
            self._seeds(),
            self.corrections,
            self.given_up,
            (world.now + report) / whole,
            self.scheduler.finished,
        )

    def _seeds(self) -> int:
        return len({trial.number for trial in self.world.trained if trial.bracket == -1})

    def _is_to_come(self, news: News) -> bool:
        """Whether workers that have left are not in it."""
        if isinstance(news, WorkersChanged):
            return not news.joined or news.joined[0] in self.world.speeds
        return True

    def _lose_half(self) -> None:
        names = list(self.world.speeds)
        for name in names[len(names) // 2 :]:
            del self.world.speeds[name]
            self._handle(WorkersChanged(left=(name,)))

    def _handle(self, news: News) -> None:
        orders = self.scheduler.handle(news)
        self.keeper.follow([news, *orders], self.world.now)
        for order in orders:
            if isinstance(order, Evaluate):
                self.evaluations += 1
                self.world.start(order)


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.deadline", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="runs of each cluster")
    options = parser.parse_args(arguments)
    print("| cluster | hours | promised | happened | corrections | end, % of the time |")
    print("|---|---|---|---|---|---|")
    shares = []
    for cluster in CLUSTERS:
        for seed in range(options.seeds):
            its = run(cluster, seed)
            shares.append(its.share)
            happened = f"{its.brackets} brackets, {its.seeds} seeds"
            happened += ", something given up" if its.given_up else ""
            happened += "" if its.is_whole else ", **not finished**"
            print(
                f"| {cluster.name} | {cluster.hours:g} | {its.promised} | {happened} |"
                f" {its.corrections} | {100 * its.share:.1f} |"
            )
    good = sum(LEAST <= share <= MOST for share in shares)
    print(f"\n{good} of {len(shares)} runs ended between 80 and 102 % of their time")
    return 0 if good == len(shares) else 1


if __name__ == "__main__":
    sys.exit(main())
