"""A simulated cluster for the scheduler: it checks every order and keeps books of its own."""

import math
from collections import Counter
from dataclasses import replace

from helpers.counting import Counting
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bohb_seg.search.events import (
    BracketFinished,
    Discard,
    Evaluate,
    Evaluated,
    Finish,
    IncumbentChosen,
    PlanChanged,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.search.hyperband import Ladder
from bohb_seg.search.plan import Plan
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.search.sequence import judge_in_order, whole_seeds
from bohb_seg.search.verdict import FIRST_LOOK, Retrained, Terms
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    FOLDS_BRACKET,
    RUNOFF_BRACKET,
    Attempt,
    Info,
    Suggestion,
)

LADDERS = [Ladder(1, 9, 3), Ladder(1, 4, 2), Ladder(3, 3, 3), Ladder(1, 27, 3)]


PHASES = {RUNOFF_BRACKET: "runoff", COMPARISON_BRACKET: "comparison", FOLDS_BRACKET: "folds"}


class Repeating(Counting):
    """Suggests few configurations again and again, that of the default among them."""

    def suggest(self):
        suggestion = super().suggest()
        return Suggestion({"x": suggestion.configuration["x"] % 5}, suggestion.model_based)


class World:
    """A cluster that keeps books of its own: who is at what, what counts, what was thrown away."""

    def __init__(self, ladder, plan):
        self.plan = plan
        self.optimizer = Repeating(ladder)
        self.scheduler = Scheduler(self.optimizer, plan, {"x": 0})
        self.phases = ["search"]
        self.told = []  # (news, orders)
        self.here = {}  # worker -> the Evaluate it is at, or None
        self.away = []  # Evaluates whose worker was given up but may still be at them
        self.ended = []  # Evaluates that were reported once
        self.running = {}  # evaluation -> the Evaluate that runs
        self.lost = {}  # evaluation -> the latest Evaluate, while nobody runs what it left
        self.attempts = Counter()
        self.crashes = Counter()
        self.deaths = {}  # evaluation -> {worker: (machine, whether it counted)}
        self.excuses = Counter()  # by machine
        self.counted = {}  # evaluation -> Evaluated, in the order of the news
        self.configurations = {}
        self.discarded = []
        self.again = None  # the trial whose checkpoint a dropped result may have written again
        self.brackets = []
        self.finish = None
        self.stopped = None
        self.workers = 0
        self.was_stopped = self.has_grown = False
        self.begun = None  # the plan when the comparison began
        self.chosen = None

    # what can happen

    def join(self, number, loss):
        names = self.new_names(1 + number % 3)
        self.here |= dict.fromkeys(names)
        self.tell(WorkersChanged(joined=names))

    def leave(self, number, loss):
        """Killed, frozen or cut off: nobody can tell, and it may come back."""
        if self.here:
            name = pick(list(self.here), number)
            self.give_up(name)
            self.tell(WorkersChanged(left=(name,)))

    def restart(self, number, loss):
        """A worker that is back, with nothing to do, before anybody saw it leave: both at once."""
        if self.here:
            name = pick(list(self.here), number)
            self.give_up(name)
            self.here[name] = None
            self.tell(WorkersChanged(left=(name,), joined=(name,)))

    def blink(self, number, loss):
        """A worker that was cut off and is back at its work: both at once."""
        if at_work := self.at_work():
            order = pick(at_work, number)
            self.give_up(order.worker)
            self.take_back(order)
            name, doing = order.worker, attempt_of(order)
            self.tell(WorkersChanged(left=(name,), joined=(name,), doing={name: doing}))

    def come_back(self, number, loss):
        """Still at what it was given, whatever became of that; somebody new comes with it."""
        self.rejoin([order for order in self.away if order.worker not in self.here], number)

    def redeliver(self, number, loss):
        """Left right after its report, and does not know that it was heard."""
        if lately := self.ended[-3:]:
            order = pick(lately, number)
            if order.worker in self.here:
                self.give_up(order.worker)
                self.tell(WorkersChanged(left=(order.worker,)))
            self.rejoin([order], number)

    def succeed(self, number, loss):
        self.end(number, "finished", loss)

    def diverge(self, number, loss):
        self.end(number, "diverged", None)

    def crash(self, number, loss):
        self.end(number, "crashed", None)

    def die(self, number, loss):
        """Its process ends at what it was given; one in three was only cut off, and may be back."""
        if at_work := self.at_work():
            order = pick(at_work, number)
            self.report(order, "crashed", None, machine=f"m{number % 2}")
            del self.here[order.worker]
            self.away += [order] * (number % 3 == 0)
            self.tell(WorkersChanged(left=(order.worker,)))

    def give_up_hope(self, number, loss):
        """A crash that would come again, as the worker says."""
        if at_work := self.at_work():
            self.report(pick(at_work, number), "crashed", None, final=True)

    def late(self, number, loss):
        """A worker that was given up reports nevertheless, without having come back."""
        if self.away:
            order = pick(self.away, number)
            self.away.remove(order)
            self.report(order, pick(("finished", "finished", "diverged", "crashed"), number), loss)

    def echo(self, number, loss):
        """A report comes twice; the second time it may say something else."""
        if self.ended:
            outcome = pick(("finished", "diverged", "crashed"), number)
            self.report(pick(self.ended, number), outcome, -1e9)

    def stop(self, number, loss):
        if number % 7 == 0:
            self.stopped = StopRequested("stop")
            self.was_stopped = True
            self.tell(self.stopped)

    def grow(self, number, loss):
        """Larger than before: more seeds, folds or brackets; a run that was finished may go on."""
        if not self.plan.adaptive or number % 3:
            return
        before, self.has_grown = self.plan, True
        self.plan = replace(
            before,
            n_iterations=before.n_iterations + (number % 6 == 0),
            comparison_seeds=before.comparison_seeds + number % 4,
            folds=before.folds or 2 * (number % 5 == 0),
        )
        if self.plan.n_iterations > before.n_iterations:
            self.stopped = None
        self.finish = None
        self.tell(PlanChanged(self.plan, "grown"))

    # what that means

    def new_names(self, count):
        self.workers += count
        return tuple(f"w{self.workers - i}" for i in range(count))

    def at_work(self):
        return [order for order in self.here.values() if order is not None]

    def give_up(self, name):
        order = self.here.pop(name)
        if order is None:
            return
        self.away.append(order)
        if self.running.get(order.evaluation) == order:
            self.lost[order.evaluation] = self.running.pop(order.evaluation)

    def take_back(self, order):
        self.here[order.worker] = order
        if order in self.away:
            self.away.remove(order)
        _, counted = self.deaths.get(order.evaluation, {}).pop(order.worker, ("", False))
        self.crashes[order.evaluation] -= counted
        open_ = order.evaluation.trial not in self.discarded
        if open_ and self.lost.get(order.evaluation) == order:
            self.running[order.evaluation] = self.lost.pop(order.evaluation)

    def rejoin(self, orders, number):
        if orders:
            order = pick(orders, number)
            names = (*self.new_names(number % 2), order.worker)
            self.here |= dict.fromkeys(names)
            self.take_back(order)
            self.tell(WorkersChanged(joined=names, doing={order.worker: attempt_of(order)}))

    def end(self, number, outcome, loss):
        if at_work := self.at_work():
            self.report(pick(at_work, number), outcome, loss)

    def report(self, order, outcome, loss, machine="", final=False):
        """The first result counts; a crash only where it runs."""
        evaluation = order.evaluation
        news = replace(result(order, outcome, loss), lost_on=machine, final=final)
        runs = self.running.get(evaluation) == order
        over = evaluation in self.counted or evaluation.trial in self.discarded
        counts = not over and (runs or outcome != "crashed")
        frees = self.here.get(order.worker) == order
        frees = frees and not machine
        if frees:
            self.here[order.worker] = None
        if order not in self.ended:
            self.ended.append(order)
        if not counts:
            self.drop(news, frees)
            return
        excused = bool(machine) and self.excuses[machine] > 0
        self.excuses[machine] -= excused
        if machine:
            self.lost[evaluation] = order
            self.deaths.setdefault(evaluation, {})[order.worker] = machine, not excused
        self.crashes[evaluation] += outcome == "crashed" and not excused
        self.running.pop(evaluation, None)
        enough = self.crashes[evaluation] == self.plan.max_attempts and not excused
        settles = outcome != "crashed" or enough or final
        if outcome != "crashed":
            self.excuses.update(its for its, _ in self.deaths.get(evaluation, {}).values())
        if settles:
            self.lost.pop(evaluation, None)
            self.counted[evaluation] = news
        orders = self.tell(news)
        settled = [place for place, each in enumerate(orders) if isinstance(each, Settled)]
        assert settled == ([0] if settles else [])
        if settles:
            assert orders[0] == Settled(evaluation, order.attempt, order.worker)

    def drop(self, news, frees):
        trial = news.evaluation.trial
        self.again = trial if trial in self.discarded else None
        before = self.scheduler.progress.incumbent, list(self.optimizer.observed)
        orders = self.tell(news)
        assert self.again is None, "the checkpoint of a stray is left"
        assert before == (self.scheduler.progress.incumbent, self.optimizer.observed)
        assert frees or all(isinstance(order, Discard) for order in orders)
        assert not any(isinstance(order, Settled) for order in orders)

    # what follows

    def tell(self, news):
        orders = self.scheduler.handle(news)
        self.told.append((news, orders))
        for phase in self.passed(orders):
            if phase not in (self.phases[-1], "finished"):
                self.phases.append(phase)
        for order in orders:
            self.obey(order)
        assert {
            name: order and attempt_of(order) for name, order in self.here.items()
        } == self.scheduler.workers
        self.audit_progress()
        return orders

    def passed(self, orders):
        """Phases that these orders passed through; one that has nothing to do is over at once."""
        for order in orders:
            if isinstance(order, IncumbentChosen):
                yield "comparison"
                self.chosen = order
        ended = any(isinstance(order, Finish) for order in orders)
        if ended and self.plan.folds and self.chosen and self.chosen.arm:
            yield "folds"
        yield self.scheduler.progress.phase

    def audit_progress(self):
        progress = self.scheduler.progress
        busy = len(self.at_work())
        assert (progress.workers_busy, progress.workers_idle) == (busy, len(self.here) - busy)
        running = [each for each in self.running if phase(each) == self.phases[-1]]
        assert progress.evaluations_running == len(running)
        mine = {e: n for e, n in self.counted.items() if phase(e) == self.phases[-1]}
        assert progress.evaluations_finished == len(mine)
        assert progress.evaluations_failed == sum(n.loss is None for n in mine.values())
        assert math.isclose(progress.epochs_done, sum(map(self.epochs, mine)))

    def epochs(self, evaluation):
        """Those after the rung below, if it goes on from there."""
        (bracket, rung, _), budget = evaluation
        below = [0.0]
        if bracket >= 0 and self.plan.continuing:
            rungs = self.optimizer.rungs(bracket)[rung:]
            below += [each.budget for each in rungs if each.budget < budget]
        return budget - max(below)

    def obey(self, order):
        trial = order.trial if isinstance(order, Discard) else None
        given_up = self.plan.adaptive and isinstance(order, Settled | Discard)
        assert self.finish is None or given_up or trial == self.again, "an order after the end"
        match order:
            case Evaluate():
                self.start(order)
            case Discard():
                assert trial not in [evaluation.trial for evaluation in self.running]
                assert trial == self.again or trial not in self.discarded
                self.discarded += [] if trial == self.again else [trial]
                self.again = None
            case BracketFinished():
                self.brackets.append(order.bracket)
            case Finish():
                assert all(self.plan.adaptive and e.trial.bracket < 0 for e in self.running)
                self.finish = order

    def start(self, order):
        trial = order.evaluation.trial
        assert self.here[order.worker] is None, "the worker is busy"
        running = [evaluation.trial for evaluation in self.running]
        assert trial not in running, "two attempts at once"
        assert order.evaluation not in self.counted, "already counted"
        assert trial not in self.discarded, "its checkpoint is gone"
        if phase(order.evaluation) in ("comparison", "folds"):
            self.begun = self.begun or self.plan
        self.attempts[order.evaluation] += 1
        assert order.attempt == self.attempts[order.evaluation]
        assert self.configurations.setdefault(trial, order.configuration) == order.configuration
        ahead = self.plan.adaptive and phase(order.evaluation) == "comparison"
        ahead = ahead and self.phases[-1] == "runoff" and trial.rung == 0
        assert ahead or phase(order.evaluation) == self.phases[-1], "not its phase"
        if trial.bracket >= 0:
            assert self.stopped is None, "new work after the stop"
        self.lost.pop(order.evaluation, None)
        self.running[order.evaluation] = self.here[order.worker] = order


def pick(things, number):
    return things[number % len(things)]


def attempt_of(order):
    return Attempt(order.evaluation, order.attempt)


def phase(evaluation):
    return PHASES.get(evaluation.trial.bracket, "search")


def result(order, outcome, loss):
    if outcome != "finished":
        loss = None
    return Evaluated(order.evaluation, order.attempt, order.worker, outcome, loss)


ACTIONS = [
    World.join,
    World.leave,
    World.leave,
    World.restart,
    World.blink,
    World.come_back,
    World.come_back,
    World.redeliver,
    World.succeed,
    World.succeed,
    World.succeed,
    World.diverge,
    World.crash,
    World.die,
    World.die,
    World.give_up_hope,
    World.late,
    World.echo,
    World.stop,
    World.grow,
]


happening = st.tuples(
    st.sampled_from(ACTIONS),
    st.integers(0, 20),
    st.floats(-5, 5, allow_nan=False).map(lambda loss: round(loss, 1)),  # with ties
)


# Long ones on purpose: of its own accord hypothesis makes lists of about five.
long = st.lists(happening, min_size=25, max_size=60)


happenings = st.lists(happening, max_size=9) | long.map(lambda its: [(World.join, 2, 0.0), *its])


plans = st.builds(
    Plan,
    n_iterations=st.integers(1, 4),
    max_attempts=st.integers(1, 3),
    comparison_epochs=st.none() | st.sampled_from([5.0, 30.0]),
    comparison_seeds=st.integers(1, 2) | st.integers(4, 6),
    folds=st.sampled_from([0, 0, 2]),
    delta=st.just(0.0),
    adaptive=st.booleans(),
    candidates=st.integers(1, 4),
    max_evaluations=st.none() | st.integers(1, 12),
    max_epochs=st.none() | st.integers(3, 60),
    continuing=st.booleans(),
    target_loss=st.none() | st.just(-4.5),
)


def play(ladder, plan, story, world=None):
    world = world or World(ladder, plan)
    for act, number, loss in story:
        act(world, number, loss)
    if not world.here:
        world.join(0, 0.0)
    steps = 0
    while world.finish is None:
        assert world.at_work(), "nobody works, and nothing is finished"
        world.succeed(steps, float(steps % 5))
        steps += 1
        assert steps < 2000, "the run does not end"
    return world


def reread(news):
    """The news as another process reads them, with not one object in common."""
    kind = TypeAdapter(type(news))
    return kind.validate_json(kind.dump_json(news))


def searched(world):
    return {e: news for e, news in world.counted.items() if phase(e) == "search"}


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
    begun = {e for e in world.attempts if phase(e) == "search"}
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


def audit_limits(world):
    """Nothing was begun beyond the limits."""
    plan, begun = world.plan, [e for e in world.attempts if phase(e) == "search"]
    if plan.max_evaluations is not None:
        assert len(begun) <= plan.max_evaluations
    if plan.max_epochs is not None:
        assert sum(map(world.epochs, begun)) <= plan.max_epochs


def ranking(world):
    """(configuration, trial, loss) at the largest budget finished, each configuration once."""
    finished = {e: n.loss for e, n in searched(world).items() if n.loss is not None}
    largest = max((e.budget for e in finished), default=0.0)
    ranked = sorted((loss, e.trial) for e, loss in finished.items() if e.budget == largest)
    best = {}
    for loss, trial in ranked:
        best.setdefault(world.configurations[trial]["x"], (trial, loss))
    return largest, [(x, trial, loss) for x, (trial, loss) in best.items()]


def runoff_size(plan, candidates, budget):
    """(candidates, seeds): the first of these that the comparison's half has room for."""
    if plan.comparison_epochs is None:
        return 0, 0
    options = [(candidates, 2), *((fewer, 1) for fewer in range(candidates, 1, -1))]
    half = plan.comparison_epochs * plan.comparison_seeds
    fitting = [(n, seeds) for n, seeds in options if n > 1 and n * seeds * budget <= half]
    return fitting[0] if fitting else (0, 0)


def audit_incumbent(world):
    """The winner of the runoff, in which took part who should; without one the lowest loss."""
    if world.plan.adaptive:
        audit_race(world)
        return
    budget, best = ranking(world)
    candidates, seeds = runoff_size(world.plan, min(world.plan.candidates, len(best)), budget)
    rerun = {e: news.loss for e, news in world.counted.items() if phase(e) == "runoff"}
    assert rerun.keys() == {
        ((RUNOFF_BRACKET, rank, seed), budget)
        for rank in range(candidates)
        for seed in range(seeds)
    }
    losses = [
        tuple(rerun[(RUNOFF_BRACKET, rank, seed), budget] for seed in range(seeds))
        for rank in range(candidates)
    ]
    for rank in range(candidates):
        assert world.configurations[RUNOFF_BRACKET, rank, 0] == {"x": best[rank][0]}
    means = [math.inf if None in its else sum(its) / seeds for its in losses]
    first = means.index(min(means)) if means else 0
    found = world.scheduler.progress.incumbent
    assert (found is None) == (not best)
    if best:
        (x, trial, loss), again = best[first], losses[first] if losses else ()
        assert (found.configuration, found.trial, found.budget) == ({"x": x}, trial, budget)
        assert (found.loss, found.reevaluations) == (loss, again)


def audit_end(world):
    """The end comes when it should, with nothing left over."""
    plan = world.plan
    assert set(world.counted) <= set(world.attempts)
    in_order = [p for p in ("search", "runoff", "comparison", "folds") if p in world.phases]
    assert world.phases == in_order or world.has_grown
    given_up = {e.trial for e in world.attempts if plan.adaptive and e not in world.counted}
    assert all(trial.bracket < 0 for trial in given_up if trial not in world.discarded)
    left = {e.trial for e in world.attempts} - given_up
    assert left <= set(world.discarded), "a checkpoint is left"
    best = world.scheduler.progress.incumbent
    everything = len(world.brackets) == plan.n_iterations
    limits = world.was_stopped or None, plan.max_evaluations, plan.max_epochs, plan.target_loss
    assert everything or any(limit is not None for limit in limits)
    compared = {e.trial for e in world.counted if phase(e) == "comparison"}
    arms = 1 if best and best.configuration == {"x": 0} else 2
    planned = {(-1, arm, seed) for arm in range(arms) for seed in range(plan.comparison_seeds)}
    if best is None or plan.comparison_epochs is None:
        assert not compared
    elif plan.adaptive:
        audit_verdict(world, best)
    else:
        assert compared == planned


def audit_race(world):
    """Every candidate has two seeds or more; the lowest mean of those with the same seeds won."""
    found = world.scheduler.progress.incumbent
    budget, best = ranking(world)
    assert (found is None) == (not best)
    if world.has_grown or not best:
        return
    rerun = {e.trial: news.loss for e, news in world.counted.items() if phase(e) == "runoff"}
    rungs = sorted({rung for _, rung, _ in rerun})
    half = (world.plan.comparison_epochs or 0) * world.plan.comparison_seeds // budget
    candidates = min(world.plan.candidates, len(best), int(half) // 2)
    assert len(rungs) == (candidates if candidates > 1 else 0)
    assert len(rerun) <= half
    seeds = {rung: sum(trial[1] == rung for trial in rerun) for rung in rungs}
    most = max(seeds.values(), default=0)
    assert all(count >= 2 for count in seeds.values())
    rows = {r: [rerun[-2, r, seed] for seed in range(count)] for r, count in seeds.items()}
    means = {
        rung: math.inf if None in row else sum(row) / most
        for rung, row in rows.items()
        if len(row) == most
    }
    first = min(means, key=means.get) if means else 0
    x, trial, loss = best[first]
    assert (found.configuration, found.trial, found.loss) == ({"x": x}, trial, loss)
    assert found.reevaluations == (tuple(rows[first]) if rows else ())
    for rung in rungs:
        assert world.configurations[RUNOFF_BRACKET, rung, 0] == {"x": best[rung][0]}


def audit_verdict(world, best):
    """The pairs of the incumbent are as many as the verdict needs, whatever else was trained."""
    plan, arm = world.plan, world.chosen.arm
    assert world.chosen.trial == best.trial
    alone = best.configuration == {"x": 0}
    assert alone == (arm == 0)
    for trial, configuration in world.configurations.items():
        if trial.bracket in (COMPARISON_BRACKET, FOLDS_BRACKET) and trial.rung == arm:
            assert configuration == best.configuration
    compared = list(settled_pairs(world, COMPARISON_BRACKET, arm, 0))
    first, most = min(FIRST_LOOK, plan.comparison_seeds), plan.comparison_seeds
    whole = whole_seeds(compared, {0, min(arm, 1)})
    assert whole >= first
    if alone:
        return
    runoff = [
        Retrained(e.trial.rung, e.trial.number, news.loss, Info())
        for e, news in world.counted.items()
        if phase(e) == "runoff"
    ]
    if plan.folds:
        compared += settled_pairs(world, FOLDS_BRACKET, arm, plan.folds)
        most = max(FIRST_LOOK, most // plan.folds)
        whole = whole_seeds([e for e in compared if e.fold is not None], {0, 1}, plan.folds)
    found = judge_in_order(compared, runoff, Terms.of(plan, world.begun))
    assert whole >= min(most, FIRST_LOOK)
    assert whole >= most or found.is_final


def settled_pairs(world, bracket, arm, folds):
    for (trial, _), news in world.counted.items():
        if trial.bracket == bracket and trial.rung in (0, arm):
            seed, fold = divmod(trial.number, folds) if folds else (trial.number, None)
            yield Retrained(min(trial.rung, 1), seed, news.loss, Info(), fold)
