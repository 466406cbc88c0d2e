"""A run that other rules led to is rebuilt from its results, and goes on to its end."""

from itertools import chain

from helpers.scheduler_world import (
    LADDERS,
    Repeating,
    World,
    audit_end,
    audit_limits,
    happenings,
    plans,
    play,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.search.events import (
    Evaluate,
    Evaluated,
    Finish,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.search.plan import Plan
from bohb_seg.search.restoration import Record
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.trials import Attempt, EvaluationId, Suggestion, TrialId

PLAN = Plan(n_iterations=1)
shares = st.floats(0, 1)


def events_of(told):
    return [event for news, orders in told for event in (news, *orders)]


def restored(ladder, plan, events, optimizer=Repeating):
    scheduler = Scheduler(optimizer(ladder), plan, {"x": 0})
    return scheduler, scheduler.restore(Record.of(events, plan))


def blame(scheduler):
    """Crashes and deaths of the evaluations that are not settled, and the machines' excuses."""
    open_ones = chain.from_iterable(b.evaluations for b in scheduler._phases.search._open.values())
    crashes = {
        each.id: (sorted(each.crashed_on), each.deaths, each.charged)
        for each in open_ones
        if not each.settled
    }
    return crashes, +scheduler._endings._machines._excuses


class Moody(Repeating):
    """Another sampler: none of its configurations is one of the past."""

    def suggest(self):
        return Suggestion({"x": super().suggest().configuration["x"] + 1000})


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings, shares)
def test_by_the_same_rules_a_run_is_rebuilt_as_it_was(ladder, plan, story, share):
    world = World(ladder, plan)
    for act, number, loss in story[: round(share * len(story))]:
        act(world, number, loss)
    scheduler, due = restored(ladder, plan, events_of(world.told))
    assert due == []
    assert scheduler.progress == world.scheduler.progress
    assert list(scheduler.workers.items()) == list(world.scheduler.workers.items())
    assert set(scheduler.live) == set(world.scheduler.live)
    assert blame(scheduler) == blame(world.scheduler)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings, shares, st.sampled_from([Repeating, Moody]))
def test_a_rebuilt_run_comes_to_its_end(ladder, plan, story, share, sampler):
    """The world goes on with its books, and finds every order of the new scheduler legal."""
    world = World(ladder, plan)
    cut = round(share * len(story))
    for act, number, loss in story[:cut]:
        act(world, number, loss)
    world.scheduler, due = restored(ladder, plan, events_of(world.told), sampler)
    assert due == []
    world.optimizer = world.scheduler._phases.search._optimizer
    play(ladder, plan, story[cut:], world)
    audit_limits(world)
    audit_end(world)


def searched(*events):
    return [WorkersChanged(joined=("a", "b")), *events]


def order(number, budget=1.0, attempt=1, worker="a", x=None):
    configuration = {"x": number if x is None else x}
    return Evaluate(EvaluationId(TrialId(0, 0, number), budget), attempt, worker, configuration)


def result(of, loss):
    news = Evaluated(of.evaluation, of.attempt, of.worker, "finished", loss)
    return news, Settled(of.evaluation, of.attempt, of.worker)


def test_trials_keep_the_configurations_they_had():
    ladder = LADDERS[0]
    first, second = order(0), order(1, worker="b", x=77)
    scheduler, due = restored(ladder, PLAN, searched(first, second, *result(second, 0.5)))
    assert scheduler.progress.incumbent.configuration == {"x": 77}
    assert scheduler.workers == {"a": attempt(first), "b": attempt(due[0])}
    assert [each.evaluation.trial for each in due] == [TrialId(0, 0, 2)]


class Minding(Repeating):
    """Keeps in mind what it suggested."""

    def __init__(self, ladder):
        super().__init__(ladder)
        self.in_training = []

    def suggest(self):
        suggestion = super().suggest()
        self.in_training.append(suggestion.configuration)
        return suggestion

    def withdraw(self, configuration):
        if configuration in self.in_training:
            self.in_training.remove(configuration)


def test_the_optimizer_knows_which_of_its_suggestions_are_not_trained():
    kept = []

    def minding(ladder):
        kept.append(Minding(ladder))
        return kept[-1]

    first, second, third = order(0), order(1, worker="b", x=77), order(2, worker="c")
    begun = [WorkersChanged(joined=("a", "b", "c")), first, second, third]
    scheduler, _ = restored(LADDERS[0], PLAN, begun, minding)
    assert len(kept[0].in_training) == 1  # what the past trained in its place is no suggestion
    scheduler.handle(StopRequested("enough", waits=False))
    assert kept[0].in_training == []


def attempt(its):
    return Attempt(its.evaluation, its.attempt)


def test_a_result_that_the_present_rules_do_not_ask_for_is_left_out():
    """A trial that was promoted although another was better."""
    low = [order(number, worker="ab"[number % 2]) for number in range(9)]
    events = [e for each in low for e in (each, *result(each, 0.1 * each.configuration["x"]))]
    promoted = order(8, 3.0)
    scheduler, due = restored(LADDERS[0], PLAN, searched(*events, promoted, *result(promoted, -9)))
    assert [each.evaluation.trial.number for each in due] == [0, 1]
    assert {each.evaluation.budget for each in due} == {3.0}
    assert scheduler.progress.incumbent.trial == TrialId(0, 0, 0)


def test_a_run_that_was_finished_stays_so():
    scheduler, due = restored(LADDERS[0], PLAN, searched(order(0), Finish("enough")))
    assert (scheduler.finished, due) == (True, [])


def test_attempts_are_numbered_on():
    first, second = order(0), order(0, attempt=2, worker="b")
    gone = WorkersChanged(left=("a",))
    scheduler, _ = restored(LADDERS[0], PLAN, searched(first, gone, second))
    assert scheduler.workers["b"] == attempt(second)
    scheduler.handle(WorkersChanged(left=("b",)))
    (again,) = scheduler.handle(WorkersChanged(joined=("c",)))
    assert attempt(again) == Attempt(first.evaluation, 3)


def test_a_death_that_its_machines_history_explains_does_not_count(tmp_path):
    """One evaluation ended well after a death there, so one later death there is excused."""

    def died(of):
        return Evaluated(of.evaluation, of.attempt, of.worker, "crashed", None, lost_on="m")

    first, again, second = order(0), order(0, attempt=2, worker="b"), order(1, worker="b")
    events = searched(first, died(first), WorkersChanged(left=("a",)), again, *result(again, 0.5))
    events += [second, died(second), WorkersChanged(left=("b",))]
    scheduler, _ = restored(LADDERS[0], Plan(n_iterations=1, max_attempts=1), events)
    assert scheduler.progress.evaluations_failed == 0
    (due,) = scheduler.handle(WorkersChanged(joined=("c",)))
    assert attempt(due) == Attempt(second.evaluation, 2)
