"""Whatever happens to the workers, every evaluation is counted exactly once.

``World`` plays the cluster: hypothesis draws what happens next, the world sends the news and checks
every order against what a cluster can do. Afterwards whatever is left is driven to its end without
faults, and the books are audited by an independent account.
"""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from search.conftest import Counting

from bohb_seg.hyperband import Ladder
from bohb_seg.scheduler import Plan, Scheduler
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    BracketFinished,
    Discard,
    Evaluate,
    Evaluated,
    Finish,
    StopRequested,
    WorkersChanged,
)

LADDERS = [Ladder(1, 9, 3), Ladder(1, 4, 2), Ladder(3, 3, 3), Ladder(1, 27, 3)]


class World:
    def __init__(self, ladder, plan):
        self.plan = plan
        self.optimizer = Counting(ladder)
        self.scheduler = Scheduler(self.optimizer, plan, {"x": 0})
        self.told = []  # (news, orders)
        self.here = {}  # worker -> the Evaluate it works on, or None
        self.stale = []  # results that must not count (any more)
        self.attempts = Counter()
        self.crashes = Counter()
        self.counted = {}  # evaluation -> Evaluated, in the order of the news
        self.configurations = {}
        self.discarded = []
        self.brackets = []
        self.finish = None
        self.stopped = None
        self.workers = 0

    # what can happen

    def join(self, number, loss):
        names = tuple(f"w{self.workers + i}" for i in range(1 + number % 3))
        self.workers += len(names)
        self.here |= dict.fromkeys(names)
        self.tell(WorkersChanged(joined=names))

    def leave(self, number, loss):
        if self.here:
            name = list(self.here)[number % len(self.here)]
            if (order := self.here.pop(name)) is not None:
                self.stale.append(result(order, "finished", loss))
            self.tell(WorkersChanged(left=(name,)))

    def restart(self, number, loss):
        """A worker that is back before anybody saw it leave: both at once."""
        if self.here:
            name = list(self.here)[number % len(self.here)]
            if (order := self.here.pop(name)) is not None:
                self.stale.append(result(order, "finished", loss))
            self.here[name] = None
            self.tell(WorkersChanged(left=(name,), joined=(name,)))

    def succeed(self, number, loss):
        self.end(number, "finished", loss)

    def diverge(self, number, loss):
        self.end(number, "diverged", None)

    def crash(self, number, loss):
        self.end(number, "crashed", None)

    def late(self, number, loss):
        if self.stale:
            before = self.scheduler.progress, list(self.optimizer.observed)
            orders = self.tell(self.stale[number % len(self.stale)])
            assert orders == []
            assert before == (self.scheduler.progress, self.optimizer.observed)

    def stop(self, number, loss):
        if number % 7 == 0:
            self.stopped = StopRequested("stop")
            self.tell(self.stopped)

    # what follows

    def end(self, number, outcome, loss):
        busy = [order for order in self.here.values() if order is not None]
        if not busy:
            return
        order = busy[number % len(busy)]
        self.here[order.worker] = None
        news = result(order, outcome, loss)
        self.stale.append(result(order, "finished", -1e9))  # a duplicate that lies
        self.crashes[order.evaluation] += outcome == "crashed"
        if outcome != "crashed" or self.crashes[order.evaluation] == self.plan.max_attempts:
            assert order.evaluation not in self.counted
            self.counted[order.evaluation] = news
        self.tell(news)

    def tell(self, news):
        orders = self.scheduler.handle(news)
        self.told.append((news, orders))
        for order in orders:
            self.obey(order)
        progress = self.scheduler.progress
        busy = sum(order is not None for order in self.here.values())
        assert progress.evaluations_running == progress.workers_busy == busy
        assert progress.workers_idle == len(self.here) - busy
        return orders

    def obey(self, order):
        assert self.finish is None, "an order after the end"
        match order:
            case Evaluate():
                self.start(order)
            case Discard():
                running = [o.evaluation.trial for o in self.here.values() if o is not None]
                assert order.trial not in running
                assert order.trial not in self.discarded
                self.discarded.append(order.trial)
            case BracketFinished():
                self.brackets.append(order.bracket)
            case Finish():
                assert not any(self.here.values())
                self.finish = order

    def start(self, order):
        trial = order.evaluation.trial
        assert self.here[order.worker] is None, "the worker is busy"
        running = [o.evaluation for o in self.here.values() if o is not None]
        assert trial not in [evaluation.trial for evaluation in running], "two attempts at once"
        assert order.evaluation not in self.counted, "already counted"
        assert trial not in self.discarded, "its checkpoint is gone"
        self.attempts[order.evaluation] += 1
        assert order.attempt == self.attempts[order.evaluation]
        assert self.configurations.setdefault(trial, order.configuration) == order.configuration
        if trial.bracket != COMPARISON_BRACKET:
            assert self.stopped is None, "new work after the stop"
        self.here[order.worker] = order


def result(order, outcome, loss):
    if outcome != "finished":
        loss = None
    return Evaluated(order.evaluation, order.attempt, order.worker, outcome, loss)


ACTIONS = [
    World.join,
    World.leave,
    World.restart,
    World.succeed,
    World.succeed,
    World.succeed,
    World.diverge,
    World.crash,
    World.late,
    World.stop,
]
happenings = st.lists(
    st.tuples(
        st.sampled_from(ACTIONS),
        st.integers(0, 20),
        st.floats(-5, 5, allow_nan=False).map(lambda loss: round(loss, 1)),  # with ties
    ),
    max_size=80,
)
plans = st.builds(
    Plan,
    n_iterations=st.integers(1, 4),
    max_attempts=st.integers(1, 3),
    comparison_epochs=st.none() | st.just(5.0),
    comparison_seeds=st.integers(1, 2),
    max_evaluations=st.none() | st.integers(1, 12),
    target_loss=st.none() | st.just(-4.5),
)


def play(ladder, plan, story):
    world = World(ladder, plan)
    for act, number, loss in story:
        act(world, number, loss)
    if not world.here:
        world.join(0, 0.0)
    steps = 0
    while world.finish is None:
        assert any(world.here.values()), "nobody works, and nothing is finished"
        world.succeed(steps, float(steps % 5))
        steps += 1
        assert steps < 2000, "the run does not end"
    return world


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings)
def test_every_evaluation_is_counted_once(ladder, plan, story):
    world = play(ladder, plan, story)
    audit_observations(world)
    audit_rungs(world)
    audit_incumbent(world)
    audit_end(world)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings)
def test_a_replay_gives_the_same_orders(ladder, plan, story):
    world = play(ladder, plan, story)
    again = Scheduler(Counting(ladder), plan, {"x": 0})
    assert [again.handle(reread(news)) for news, _ in world.told] == [
        orders for _, orders in world.told
    ]
    assert again.progress == world.scheduler.progress


def reread(news):
    """The news as another process reads them, with not one object in common."""
    kind = TypeAdapter(type(news))
    return kind.validate_json(kind.dump_json(news))


def searched(world):
    return {
        evaluation: news
        for evaluation, news in world.counted.items()
        if evaluation.trial.bracket != COMPARISON_BRACKET
    }


def audit_observations(world):
    """The optimizer saw what was counted, in the order of the news, and nothing else."""
    expected = [
        (world.configurations[evaluation.trial]["x"], evaluation.budget, news.loss)
        for evaluation, news in searched(world).items()
    ]
    assert world.optimizer.observed == expected
    if expected:
        first = min(trial for trial in world.configurations if trial.bracket == 0)
        assert (first, world.configurations[first]) == ((0, 0, 0), {"x": 0})


def audit_rungs(world):
    """Rungs have the planned size, and the best of each are those who climbed."""
    counted = searched(world)
    begun = {e for e in world.attempts if e.trial.bracket != COMPARISON_BRACKET}
    for index in {evaluation.trial.bracket for evaluation in begun}:
        rungs = world.optimizer.rungs(index)
        done, best = True, []
        for number, rung in enumerate(rungs):
            here = [e for e in begun if (e.trial.bracket, e.budget) == (index, rung.budget)]
            fresh = [e.trial for e in here if e.trial.rung == number]
            climbed = {e.trial for e in here} - set(fresh)
            assert len(here) <= rung.trials
            if number:
                assert not here or done, "a rung began before the one below was decided"
                assert climbed <= set(best), "somebody else was promoted"
                if len(here) == rung.trials:
                    assert climbed == set(best)
                    assert [t.number for t in sorted(fresh)] == list(range(len(best), rung.trials))
            done = len(here) == rung.trials and all(e in counted for e in here)
            places = rungs[number + 1].trials if number + 1 < len(rungs) else 0
            ranked = sorted(
                (counted[e].loss, age, e.trial)
                for age, e in enumerate(sorted(here, key=world_age(world)))
                if e in counted and counted[e].loss is not None
            )
            best = [trial for _, _, trial in ranked[:places]]
        assert done == (index in world.brackets)


def world_age(world):
    order = list(world.configurations)
    return lambda evaluation: order.index(evaluation.trial)


def audit_incumbent(world):
    losses = [
        (-evaluation.budget, news.loss)
        for evaluation, news in searched(world).items()
        if news.loss is not None
    ]
    best = world.scheduler.progress.incumbent
    assert (best and (-best.budget, best.loss)) == (min(losses) if losses else None)


def audit_end(world):
    """The end comes when it should, with nothing left over."""
    plan, counted = world.plan, searched(world)
    assert set(world.counted) <= set(world.attempts)
    if plan.max_evaluations is not None:
        assert len(counted) <= plan.max_evaluations
    searched_trials = {e.trial for e in world.attempts if e.trial.bracket != COMPARISON_BRACKET}
    assert searched_trials <= set(world.discarded), "a checkpoint is left"
    best = world.scheduler.progress.incumbent
    everything = len(world.brackets) == plan.n_iterations
    limits = world.stopped, plan.max_evaluations, plan.target_loss
    assert everything or any(limit is not None for limit in limits)
    compared = {e.trial for e in world.counted if e.trial.bracket == COMPARISON_BRACKET}
    arms = 1 if best and best.configuration == {"x": 0} else 2
    planned = {(-1, arm, seed) for arm in range(arms) for seed in range(plan.comparison_seeds)}
    if best is None or plan.comparison_epochs is None:
        assert not compared
    else:
        assert compared == planned
