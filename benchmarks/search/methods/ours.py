"""Our scheduler and optimizers, fed with news as the master does it."""

from collections.abc import Callable, Iterable
from importlib import import_module

from ConfigSpace import ConfigurationSpace

from benchmarks.search.problems import ETA, MAX_EPOCHS, plain
from benchmarks.search.simulation import Build, Job
from bohb_seg.search.events import Evaluate, Evaluated, Order, Outcome, WorkersChanged
from bohb_seg.search.hyperband import Ladder
from bohb_seg.search.optimizer import Optimizer
from bohb_seg.search.plan import Plan
from bohb_seg.search.scheduler import Scheduler

BRACKETS = 1000
"""More than any run here gets to."""

Make = Callable[[ConfigurationSpace, Ladder, int], Optimizer]


class Ours:
    """A run of ours without a master.

    No method is told a good default: the one that our scheduler tries first is drawn at random.
    """

    def __init__(self, make: Make, space: ConfigurationSpace, workers: int, seed: int) -> None:
        space.seed(seed)
        optimizer = make(space, Ladder(1, MAX_EPOCHS, ETA), seed)
        self._scheduler = Scheduler(optimizer, Plan(BRACKETS), plain(space.sample_configuration()))
        self._waiting: dict[int, Evaluate] = {}
        names = tuple(str(worker) for worker in range(workers))
        self._follow(self._scheduler.handle(WorkersChanged(joined=names)))

    def ask(self, worker: int) -> Job | None:
        """What the scheduler has ordered for this worker."""
        order = self._waiting.pop(worker, None)
        if order is None:
            return None
        trial, budget = order.evaluation
        return Job(trial, order.configuration, round(budget), order)

    def tell(self, job: Job, loss: float | None) -> None:
        """News for the scheduler."""
        order: Evaluate = job.note
        outcome: Outcome = "diverged" if loss is None else "finished"
        news = Evaluated(order.evaluation, order.attempt, order.worker, outcome, loss)
        self._follow(self._scheduler.handle(news))

    def _follow(self, orders: Iterable[Order]) -> None:
        for order in orders:
            if isinstance(order, Evaluate):
                self._waiting[int(order.worker)] = order


def running(make: Make) -> Build:
    """A method around an optimizer's ``build``."""
    return lambda space, workers, seed: Ours(make, space, workers, seed)


def build(name: str) -> Build:
    """A method around the optimizer of this name."""
    return running(import_module(f"bohb_seg.optimizers.{name}").build)
