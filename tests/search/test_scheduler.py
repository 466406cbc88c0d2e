"""One decision each: news in, the whole list of orders out."""

import gc
import logging
import sys
from dataclasses import replace

import pytest
from helpers.counting import Counting

from bohb_seg.search.evaluations import Evaluation, InvalidTransitionError
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
from bohb_seg.search.progress import Incumbent, Progress
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.trials import Attempt, EvaluationId, TrialId

SMALL = Ladder(1, 3, 3)  # brackets of 3 + 1 and of 2 trials


def scheduler(ladder=SMALL, **plan):
    optimizer = Counting(ladder)
    plan = Plan(**{"n_iterations": 1, "candidates": 1, **plan})
    machine = Scheduler(optimizer, plan, {"x": 0})
    machine._optimizer_saw = optimizer.observed
    return machine


def evaluate(number, worker="a", budget=1.0, attempt=1, bracket=0, rung=0, x=None):
    trial = TrialId(bracket, rung, number)
    x = number if x is None else x
    model_based = x > 0 and x % 2 == 0
    return Evaluate(EvaluationId(trial, budget), attempt, worker, {"x": x}, model_based)


def done(order, loss=0.0):
    return Evaluated(order.evaluation, order.attempt, order.worker, "finished", loss)


def bad(order, outcome):
    return Evaluated(order.evaluation, order.attempt, order.worker, outcome)


def settled(order):
    return Settled(order.evaluation, order.attempt, order.worker)


def attempt_of(order):
    return Attempt(order.evaluation, order.attempt)


def back(*orders):
    """Workers that come back with what they were given."""
    doing = {order.worker: attempt_of(order) for order in orders}
    return WorkersChanged(joined=tuple(doing), doing=doing)


def play(machine, *news):
    return [machine.handle(item) for item in news]


def test_one_bracket_from_first_worker_to_the_end():
    a = [evaluate(0), evaluate(1), evaluate(2)]
    top = evaluate(1, budget=3.0)
    news = [WorkersChanged(joined=("a",)), done(a[0], 0.5), done(a[1], 0.1), done(a[2], 0.9)]
    assert play(scheduler(), *news, done(top, 0.2)) == [
        [a[0]],
        [settled(a[0]), a[1]],
        [settled(a[1]), a[2]],
        [settled(a[2]), Discard(TrialId(0, 0, 0)), Discard(TrialId(0, 0, 2)), top],
        [
            settled(top),
            Discard(TrialId(0, 0, 1)),
            BracketFinished(0),
            Finish("all 1 brackets are finished"),
        ],
    ]


def test_idle_workers_begin_the_next_bracket():
    orders = scheduler(n_iterations=2).handle(WorkersChanged(joined=tuple("abcdefg")))
    assert orders == [
        evaluate(0, "a"),
        evaluate(1, "b"),
        evaluate(2, "c"),
        evaluate(0, "d", budget=3.0, bracket=1, x=3),
        evaluate(1, "e", budget=3.0, bracket=1, x=4),
    ]


def test_work_of_a_worker_that_left_is_handed_on():
    machine = scheduler(max_attempts=1)
    orders = play(
        machine,
        WorkersChanged(joined=("a", "b")),
        WorkersChanged(left=("a",)),
        done(evaluate(1, "b")),
    )
    assert orders == [
        [evaluate(0, "a"), evaluate(1, "b")],
        [],
        [settled(evaluate(1, "b")), evaluate(0, "b", attempt=2)],
    ]


def test_what_was_begun_goes_before_what_was_not():
    """Three trials are promoted; that whose worker left goes before that which waits longer."""
    machine = scheduler(Ladder(1, 9, 3))
    machine.handle(WorkersChanged(joined=("a",)))
    for number in range(9):
        machine.handle(done(evaluate(number), number))
    top = [evaluate(0, "a", 3.0), evaluate(1, "b", 3.0)]
    assert machine.handle(WorkersChanged(joined=("b",))) == top[1:]
    machine.handle(WorkersChanged(left=("a",)))
    assert machine.handle(done(top[1])) == [settled(top[1]), evaluate(0, "b", 3.0, attempt=2)]


def test_a_crash_is_retried_on_another_worker():
    machine = scheduler()
    orders = play(
        machine,
        WorkersChanged(joined=("a", "b")),
        bad(evaluate(0, "a"), "crashed"),
        done(evaluate(1, "b")),
        done(evaluate(2, "a")),
    )
    assert orders[1:] == [
        [evaluate(2, "a")],
        [settled(evaluate(1, "b")), evaluate(0, "b", attempt=2)],
        [settled(evaluate(2, "a"))],
    ]


def test_work_that_one_worker_should_not_take_goes_to_the_next():
    machine = scheduler(Ladder(3, 3, 3), comparison_epochs=9, comparison_seeds=2)
    play(machine, WorkersChanged(joined=("a", "b")), done(evaluate(0, budget=3.0)))
    raised = evaluate(0, "a", 9, bracket=-1)
    assert play(machine, bad(raised, "crashed"), WorkersChanged(joined=("c",))) == [
        [],
        [evaluate(0, "c", 9, attempt=2, bracket=-1)],
    ]


def test_a_crash_is_retried_in_place_where_there_is_nobody_else():
    machine = scheduler(max_attempts=2)
    orders = play(
        machine,
        WorkersChanged(joined=("a",)),
        bad(evaluate(0), "crashed"),
        bad(evaluate(0, attempt=2), "crashed"),
    )
    assert orders[1:] == [
        [evaluate(0, attempt=2)],
        [settled(evaluate(0, attempt=2)), Discard(TrialId(0, 0, 0)), evaluate(1)],
    ]
    assert machine.progress.evaluations_failed == 1


def test_diverged_is_not_retried_and_its_place_goes_to_a_new_configuration():
    machine = scheduler()
    play(machine, WorkersChanged(joined=("a",)))
    for number in range(2):
        machine.handle(bad(evaluate(number), "diverged"))
    orders = machine.handle(bad(evaluate(2), "diverged"))
    assert orders == [
        settled(evaluate(2)),
        Discard(TrialId(0, 0, 2)),
        evaluate(0, budget=3.0, rung=1, x=3),
    ]


# --- attempts that were lost ------------------------------------------------------------------


def handed_on(**plan):
    """Trial 0 was given to ``a``, which left, and then to ``b``."""
    machine = scheduler(**plan)
    play(machine, WorkersChanged(joined=("a",)), WorkersChanged(left=("a",)))
    assert machine.handle(WorkersChanged(joined=("b",))) == [evaluate(0, "b", attempt=2)]
    return machine


LOST, TAKEN = evaluate(0, "a"), evaluate(0, "b", attempt=2)


def test_the_first_result_wins_also_that_of_a_lost_attempt():
    machine = handed_on()
    assert machine.handle(done(LOST, 0.5)) == [settled(LOST)]
    assert machine._optimizer_saw == [(0, 1.0, 0.5)]
    assert machine.workers == {"b": attempt_of(TAKEN)}
    progress = machine.progress
    assert (progress.evaluations_running, progress.workers_busy) == (0, 1)
    assert machine.handle(done(TAKEN, 0.1)) == [evaluate(1, "b")]
    assert machine._optimizer_saw == [(0, 1.0, 0.5)]


def test_the_first_result_wins_while_nobody_runs_it():
    machine = scheduler()
    play(machine, WorkersChanged(joined=("a",)), WorkersChanged(left=("a",)))
    assert machine.handle(bad(LOST, "diverged")) == [settled(LOST), Discard(TrialId(0, 0, 0))]
    assert machine.handle(WorkersChanged(joined=("b",))) == [evaluate(1, "b")]


def test_a_crash_of_a_lost_attempt_does_not_count():
    machine = handed_on(max_attempts=1)
    assert play(machine, bad(LOST, "crashed"), bad(LOST, "crashed")) == [[], []]
    assert machine.handle(done(TAKEN)) == [settled(TAKEN), evaluate(1, "b")]


def test_a_rung_does_not_wait_for_a_stray():
    machine = scheduler()
    play(machine, WorkersChanged(joined=("a", "b", "c")), WorkersChanged(left=("a",)))
    play(machine, done(evaluate(1, "b"), 0.5), done(evaluate(2, "c"), 0.5))
    assert machine.handle(done(LOST, 0.1))[:3] == [
        settled(LOST),
        *(Discard(TrialId(0, 0, number)) for number in (1, 2)),
    ]
    top = evaluate(0, "c", budget=3.0)
    assert machine.workers == {"b": Attempt(LOST.evaluation, 2), "c": attempt_of(top)}
    assert machine.handle(done(top))[-1] == Finish("all 1 brackets are finished")


def test_a_trial_is_discarded_again_when_its_stray_reports():
    machine = handed_on()
    assert machine.handle(bad(LOST, "diverged")) == [settled(LOST), Discard(TrialId(0, 0, 0))]
    assert machine.handle(done(TAKEN)) == [Discard(TrialId(0, 0, 0)), evaluate(1, "b")]


def test_a_trial_that_lives_is_not_discarded_when_a_stray_reports():
    machine = handed_on()
    play(machine, done(TAKEN, 0.5), done(evaluate(1, "b"), 0.6), done(evaluate(2, "b"), 0.7))
    assert machine.workers == {"b": Attempt(EvaluationId(TrialId(0, 0, 0), 3.0), 1)}
    assert machine.handle(done(LOST)) == []


def test_a_trial_is_discarded_again_after_the_end():
    machine = handed_on()
    assert machine.handle(StopRequested("enough")) == []
    assert machine.handle(done(TAKEN))[-1] == Finish("enough")
    assert machine.handle(done(LOST)) == [Discard(TrialId(0, 0, 0))]


def test_what_the_search_left_open_is_dropped_in_the_comparison():
    machine = scheduler(comparison_epochs=9, comparison_seeds=1)
    play(machine, WorkersChanged(joined=("a", "b")), WorkersChanged(left=("a",)))
    play(machine, StopRequested("enough"), done(evaluate(1, "b"), 0.5))
    best = machine.progress.incumbent
    assert best.trial == (0, 0, 1)
    assert machine.handle(done(LOST, 0.1)) == [Discard(TrialId(0, 0, 0))]
    assert machine.progress.incumbent == best


# --- workers that come back -------------------------------------------------------------------


def test_a_worker_goes_on_with_what_nobody_took_over():
    machine = scheduler(max_attempts=1)
    play(machine, WorkersChanged(joined=("a",)), WorkersChanged(left=("a",)))
    assert machine.handle(back(LOST)) == []
    assert (machine.progress.evaluations_running, machine.progress.evaluations_waiting) == (1, 0)
    assert machine.handle(WorkersChanged(joined=("b",))) == [evaluate(1, "b")]
    assert machine.handle(bad(LOST, "crashed"))[0] == settled(LOST)


def test_a_blink_changes_nothing():
    machine = scheduler()
    play(machine, WorkersChanged(joined=("a", "b")))
    gone = WorkersChanged(left=("a",), joined=("a",), doing={"a": attempt_of(LOST)})
    assert machine.handle(gone) == []
    assert machine.handle(done(LOST)) == [settled(LOST), evaluate(2, "a")]


def test_a_worker_is_a_stray_if_another_took_over():
    machine = handed_on()
    assert machine.handle(back(LOST)) == []
    assert machine.workers == {"b": attempt_of(TAKEN), "a": attempt_of(LOST)}
    assert machine.progress.evaluations_running == 1
    assert machine.handle(WorkersChanged(left=("a",))) == []
    assert machine.progress.evaluations_running == 1


def test_an_older_attempt_is_not_gone_on_with():
    machine = handed_on()
    machine.handle(WorkersChanged(left=("b",)))
    assert machine.handle(back(LOST)) == []
    assert machine.progress.evaluations_waiting == 1
    assert machine.handle(WorkersChanged(joined=("c",))) == [evaluate(0, "c", attempt=3)]


def test_a_stray_works_again_after_its_report():
    machine = handed_on()
    play(machine, done(TAKEN), back(LOST))
    assert machine.handle(done(LOST)) == [evaluate(2, "a")]


def test_an_attempt_that_raised_is_not_gone_on_with():
    """The worker did not hear that its report was booked: the crash must not count twice."""
    machine = scheduler(max_attempts=2)
    play(machine, WorkersChanged(joined=("a", "b")), bad(LOST, "crashed"))
    play(machine, WorkersChanged(left=("a",)))
    assert machine.handle(back(LOST)) == []
    assert machine.progress.evaluations_waiting == 2
    assert machine.handle(bad(LOST, "crashed")) == [evaluate(2, "a", attempt=2)]
    again = done(evaluate(1, "b"))
    assert machine.handle(again)[1:] == [evaluate(0, "b", attempt=2)]


def test_what_nobody_knows_makes_a_stray():
    machine = scheduler()
    assert machine.handle(back(evaluate(5, "a", bracket=7))) == []
    assert machine.progress.workers_busy == 1
    assert machine.handle(WorkersChanged(left=("a",))) == []


# --- results that do not count ----------------------------------------------------------------


def first_bracket_done(machine):
    play(machine, WorkersChanged(joined=("a",)))
    for number in range(3):
        machine.handle(done(evaluate(number), float(number)))
    assert BracketFinished(0) in machine.handle(done(evaluate(0, budget=3.0)))


@pytest.mark.parametrize(
    "news",
    [done(evaluate(0)), done(evaluate(0, "b", budget=3.0)), done(evaluate(7, attempt=9))],
    ids=["lower rung", "other worker", "unknown trial"],
)
def test_what_comes_for_a_finished_bracket_is_dropped_with_a_note(news, caplog):
    machine = scheduler(n_iterations=2)
    first_bracket_done(machine)
    before = machine.progress
    with caplog.at_level(logging.DEBUG):
        assert machine.handle(news) == [Discard(news.evaluation.trial)]
    assert machine.progress == before
    assert "dropped a result" in caplog.text


@pytest.mark.parametrize(
    "news",
    [
        done(evaluate(0, attempt=2)),
        done(evaluate(0, budget=3.0)),
        done(evaluate(7)),
        done(evaluate(0, bracket=1)),
        done(evaluate(0, bracket=-1, budget=9.0)),
    ],
    ids=["attempt", "rung", "trial", "bracket", "comparison"],
)
def test_what_never_began_cannot_end(news):
    machine = scheduler(n_iterations=2, comparison_epochs=9)
    play(machine, WorkersChanged(joined=("a",)))
    before = machine.progress
    with pytest.raises(InvalidTransitionError, match="it never began"):
        machine.handle(news)
    assert machine.progress == before


def test_impossible_news_raise_with_the_history():
    machine = scheduler()
    play(machine, WorkersChanged(joined=("a",)), bad(evaluate(0), "crashed"))
    with pytest.raises(InvalidTransitionError) as error:
        machine.handle(done(evaluate(0, attempt=3)))
    assert error.value.history == (
        "attempt 1: running on a",
        "attempt 1: waiting",
        "attempt 2: running on a",
    )
    with pytest.raises(InvalidTransitionError, match="b left, but it never joined"):
        machine.handle(WorkersChanged(left=("b",)))
    with pytest.raises(InvalidTransitionError, match="a joined, but it is already here"):
        machine.handle(WorkersChanged(joined=("a",)))


# --- memory and time --------------------------------------------------------------------------


def driven(machine, evaluations):
    """One worker, without faults, for so many evaluations."""
    orders = machine.handle(WorkersChanged(joined=("a",)))
    for number in range(evaluations):
        orders = machine.handle(done(orders[-1], float(number % 7)))
    return machine


def test_finished_brackets_are_forgotten():
    machine = driven(scheduler(n_iterations=1000), 100)
    gc.collect()
    alive = [each for each in gc.get_objects() if isinstance(each, Evaluation)]
    assert len(alive) <= 4
    assert machine.progress.evaluations_finished == 100


def test_news_cost_the_same_however_long_the_run_is():
    """Counted in steps of the interpreter, which no clock can disturb."""
    costs = []
    for before in (12, 1200):
        machine = scheduler(n_iterations=1000)
        driven(machine, before)
        (attempt,) = machine.workers.values()
        news = Evaluated(*attempt, "a", "finished", 0.0)
        costs.append(steps(lambda machine=machine, news=news: machine.handle(news)))
    assert costs[0] == costs[1]


def steps(act):
    """Lines of Python that run."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(before)
    return count


# --- phases and limits ------------------------------------------------------------------------


def test_comparison_runs_both_arms_seed_by_seed():
    machine = scheduler(Ladder(3, 3, 3), n_iterations=2, comparison_epochs=9, comparison_seeds=2)
    arms = [
        evaluate(0, worker, 9, bracket=-1, rung=arm, x=arm) for arm, worker in [(0, "a"), (1, "b")]
    ]
    again = [
        evaluate(1, worker, 9, bracket=-1, rung=arm, x=arm) for arm, worker in [(0, "a"), (1, "b")]
    ]
    first, second = evaluate(0, "a", 3.0), evaluate(0, "b", 3.0, bracket=1, x=1)
    orders = play(
        machine,
        WorkersChanged(joined=("a", "b")),
        done(first, 0.5),
        done(second, 0.4),
        done(arms[0]),
        bad(arms[1], "diverged"),
        done(again[0]),
        done(again[1]),
    )
    assert orders == [
        [first, second],
        [settled(first), Discard(TrialId(0, 0, 0)), BracketFinished(0)],
        [settled(second), Discard(TrialId(1, 0, 0)), BracketFinished(1), *arms],
        [settled(arms[0]), Discard(TrialId(-1, 0, 0)), again[0]],
        [settled(arms[1]), Discard(TrialId(-1, 1, 0)), again[1]],
        [settled(again[0]), Discard(TrialId(-1, 0, 1))],
        [
            settled(again[1]),
            Discard(TrialId(-1, 1, 1)),
            Finish("search and comparison are done"),
        ],
    ]
    assert len(machine._optimizer_saw) == 2


def test_only_the_default_arm_if_the_default_won():
    machine = scheduler(Ladder(3, 3, 3), comparison_epochs=9, comparison_seeds=2)
    play(machine, WorkersChanged(joined=("a", "b")))
    orders = machine.handle(done(evaluate(0, budget=3.0)))
    assert [order.evaluation.trial for order in orders[-2:]] == [(-1, 0, 0), (-1, 0, 1)]


def test_nothing_to_compare():
    machine = scheduler(Ladder(3, 3, 3), comparison_epochs=9)
    machine.handle(WorkersChanged(joined=("a",)))
    assert machine.handle(bad(evaluate(0, budget=3.0), "diverged"))[-1] == Finish(
        "all 1 brackets are finished; no evaluation finished, nothing to compare"
    )


def test_a_stop_lets_running_work_end():
    machine = scheduler(comparison_epochs=9, comparison_seeds=1)
    orders = play(
        machine,
        WorkersChanged(joined=("a", "b")),
        done(evaluate(0)),
        StopRequested("enough"),
        done(evaluate(1, "b")),
        done(evaluate(2)),
    )
    assert orders[2:4] == [[], [settled(evaluate(1, "b"))]]
    assert orders[4][-1:] == [evaluate(0, bracket=-1, budget=9)]
    discards = [order.trial for order in orders[4] if isinstance(order, Discard)]
    assert sorted(discards) == [TrialId(0, 0, number) for number in range(3)]


def test_a_stop_before_anything_ran():
    assert scheduler().handle(StopRequested("enough")) == [Finish("enough")]


def test_limits():
    machine = scheduler(max_evaluations=2)
    orders = play(
        machine, WorkersChanged(joined=tuple("abc")), done(evaluate(0)), done(evaluate(1, "b"))
    )
    assert len(orders[0]) == 2
    assert orders[2][-1] == Finish("2 evaluations are done")
    machine = scheduler(target_loss=0.5)
    play(machine, WorkersChanged(joined=("a",)))
    assert machine.handle(done(evaluate(0), 0.5))[-1] == Finish("the target loss 0.5 is reached")


# --- epochs -----------------------------------------------------------------------------------


def rung_of_three(machine):
    """Bracket 0 of SMALL with losses 0, 1, 2; returns what is ordered then."""
    machine.handle(WorkersChanged(joined=("a",)))
    return [machine.handle(done(evaluate(number), float(number))) for number in range(3)][-1]


def test_epochs_are_counted_as_they_are_begun():
    machine = scheduler(max_epochs=3.5)
    orders = machine.handle(WorkersChanged(joined=tuple("abcd")))
    assert orders == [evaluate(0, "a"), evaluate(1, "b"), evaluate(2, "c")]
    assert machine.handle(done(orders[0])) == [settled(orders[0])]
    machine.handle(done(orders[1], 1.0))
    assert machine.handle(done(orders[2], 2.0))[-1] == Finish(
        "no evaluation fits into what is left of 3.5 epochs"
    )


@pytest.mark.parametrize(("continuing", "least"), [(True, 5.0), (False, 6.0)])
def test_an_evaluation_that_just_fits_is_begun(continuing, least):
    """A promoted trial trains 2 epochs more, or 3 from the beginning."""
    top = evaluate(0, budget=3.0)
    machine = scheduler(max_epochs=least, continuing=continuing)
    assert rung_of_three(machine)[-1] == top
    assert machine.handle(done(top))[-1] == Finish("all 1 brackets are finished")
    machine = scheduler(max_epochs=least - 0.5, continuing=continuing)
    assert isinstance(rung_of_three(machine)[-1], Finish)


def test_epochs_that_do_not_add_up_exactly_still_fit():
    machine = scheduler(Ladder(0.1, 0.1, 3), n_iterations=3, max_epochs=0.3)
    orders = machine.handle(WorkersChanged(joined=tuple("abcd")))
    assert len(orders) == 3


def test_an_attempt_that_makes_good_for_a_lost_one_is_not_counted_again():
    machine = scheduler(max_epochs=1)
    orders = play(
        machine,
        WorkersChanged(joined=("a",)),
        WorkersChanged(left=("a",)),
        WorkersChanged(joined=("b",)),
        bad(evaluate(0, "b", attempt=2), "crashed"),
    )
    assert orders[2:] == [[evaluate(0, "b", attempt=2)], [evaluate(0, "b", attempt=3)]]
    assert machine.handle(done(evaluate(0, "b", attempt=3)))[-1] == Finish(
        "no evaluation fits into what is left of 1 epochs"
    )


def test_what_is_too_long_does_not_hold_up_what_is_shorter():
    """9 x 1 and 3 x 3 epochs are begun, 4.5 are left: for two promotions of 2, for none of 6."""
    machine = scheduler(Ladder(1, 9, 3), n_iterations=3, max_epochs=18 + 4.5)
    orders = machine.handle(WorkersChanged(joined=tuple("abcdefghijkl")))
    for each in (*orders[9:], *orders[:9]):
        after = machine.handle(done(each, 0.5))
    promoted = [order for order in after if isinstance(order, Evaluate)]
    assert [(o.evaluation.trial, o.evaluation.budget) for o in promoted] == [
        ((0, 0, 0), 3.0),
        ((0, 0, 1), 3.0),
    ]
    machine.handle(done(promoted[0]))
    assert machine.handle(done(promoted[1]))[-1] == Finish(
        "no evaluation fits into what is left of 22.5 epochs"
    )


def test_nothing_is_drawn_beside_what_is_too_long():
    """Bracket 0 waits for 6 epochs; of the 3.5 that are left no bracket is begun."""
    machine = scheduler(Ladder(1, 9, 3), n_iterations=3, max_epochs=9 + 3 * 2 + 3.5)
    machine.handle(WorkersChanged(joined=("a",)))
    orders = [evaluate(0)]
    for _ in range(12):
        after = machine.handle(done(orders[-1], float(orders[-1].evaluation.trial.number)))
        orders += [o for o in after if isinstance(o, Evaluate)]
    assert {o.evaluation.trial.bracket for o in orders} == {0}
    assert isinstance(after[-1], Finish)


def test_expected_epochs_without_continuing():
    machine = scheduler(continuing=False)
    assert machine.progress.epochs_expected == 3 * 1 + 1 * 3
    top = rung_of_three(machine)[-1]
    machine.handle(done(top))
    assert machine.progress.epochs_done == 6


# --- the runoff -------------------------------------------------------------------------------


SINGLE = Ladder(3, 3, 3)  # brackets of one trial of 3 epochs


def again(rank, seed, x, worker="a", budget=3.0, attempt=1):
    return evaluate(seed, worker, budget, attempt, bracket=-2, rung=rank, x=x)


def searched(losses, **plan):
    """A search of so many trials, best first unless told otherwise; returns what follows it."""
    plan = {"n_iterations": len(losses), "comparison_epochs": 9, "candidates": 3, **plan}
    machine = scheduler(SINGLE, **plan)
    machine.handle(WorkersChanged(joined=("a",)))
    for number, loss in enumerate(losses):
        after = machine.handle(done(evaluate(0, budget=3.0, bracket=number, x=number), loss))
    return machine, after


def run_off(machine, losses):
    """Gives the runoff its losses, seed by seed; returns what follows on the last."""
    (attempt,) = machine.workers.values()
    for loss in losses:
        outcome = "diverged" if loss is None else "finished"
        after = machine.handle(Evaluated(*attempt, "a", outcome, loss))
        (attempt,) = machine.workers.values()
    return after


def test_the_lucky_one_does_not_win():
    """Of the search that is x = 1, but with new seeds x = 2 is the best of the three."""
    machine, after = searched([0.4, 0.1, 0.2, 0.9], comparison_seeds=2)
    assert after[-1] == again(0, 0, 1)
    assert (machine.progress.phase, machine.progress.evaluations_expected) == ("runoff", 6)
    assert machine.progress.epochs_expected == 18
    after = run_off(machine, [0.3, 0.2, 0.5, 0.4, 0.3, 0.5])
    assert after == [
        settled(again(2, 1, 0)),
        Discard(TrialId(-2, 2, 1)),
        evaluate(0, budget=9, bracket=-1, x=0),
    ]
    assert machine.progress.phase == "comparison"
    assert machine.progress.incumbent == Incumbent(
        *(TrialId(2, 0, 0), 3.0, 0.2, {"x": 2}), model_based=True, reevaluations=(0.2, 0.3)
    )
    assert len(machine._optimizer_saw) == 4
    machine.handle(WorkersChanged(joined=("b",)))
    assert machine.workers["b"] == Attempt(EvaluationId(TrialId(-1, 1, 0), 9), 1)


def test_candidates_wait_seed_by_seed():
    machine, _ = searched([0.1, 0.2, 0.3], comparison_seeds=2)
    orders = machine.handle(WorkersChanged(joined=tuple("bcdef")))
    assert orders == [
        *(again(1, 0, 1, "b"), again(2, 0, 2, "c"), again(0, 1, 0, "d")),
        *(again(1, 1, 1, "e"), again(2, 1, 2, "f")),
    ]


def test_the_loss_of_the_search_does_not_count_in_the_runoff():
    machine, _ = searched([-9.0, 0.2], comparison_seeds=1)
    run_off(machine, [0.3, 0.2])
    assert machine.progress.incumbent.configuration == {"x": 1}


def test_a_candidate_that_diverges_once_is_worse_than_any_that_does_not():
    machine, _ = searched([0.1, 0.2], comparison_seeds=2)
    run_off(machine, [None, 9.0, 0.0, 9.0])
    assert machine.progress.incumbent.configuration == {"x": 1}
    assert machine.progress.incumbent.reevaluations == (9.0, 9.0)


@pytest.mark.parametrize("losses", [[0.5, 0.5], [None, None]])
def test_among_equals_the_best_of_the_search_wins(losses):
    machine, _ = searched([0.2, 0.1], comparison_seeds=1)
    run_off(machine, losses)
    assert machine.progress.incumbent.configuration == {"x": 1}


def test_the_default_alone_is_compared_if_it_wins_the_runoff():
    machine, _ = searched([0.2, 0.1], comparison_seeds=1)
    run_off(machine, [0.5, 0.4])
    assert machine.progress.evaluations_expected == 1


@pytest.mark.parametrize(
    ("budgets", "planned"),
    [(6, 3 * 2), (5, 3), (4, 3), (3, 3), (2.5, 2), (2, 2), (1.5, 0), (0.5, 0)],
)
def test_the_runoff_takes_half_of_what_the_comparison_takes(budgets, planned):
    """``budgets``: so many evaluations of 3 epochs are half of the comparison's."""
    machine, _ = searched([0.1, 0.2, 0.3, 0.4], comparison_epochs=3 * budgets, comparison_seeds=1)
    assert machine.progress.phase == ("runoff" if planned else "comparison")
    if planned:
        assert machine.progress.evaluations_expected == planned


@pytest.mark.parametrize(
    ("losses", "plan"),
    [
        ([0.1, 0.2], {"candidates": 1}),
        ([0.1], {}),
        ([0.1, 0.2], {"comparison_epochs": None}),
    ],
    ids=["one candidate", "one trial", "no comparison"],
)
def test_there_is_no_runoff(losses, plan):
    machine, _ = searched(losses, **plan)
    assert machine.progress.phase != "runoff"
    assert machine.progress.incumbent.reevaluations == ()


def test_only_those_of_the_largest_budget_run_off():
    machine = scheduler(n_iterations=2, candidates=3, comparison_epochs=9)
    rung_of_three(machine)
    machine.handle(done(evaluate(0, budget=3.0), 5.0))
    machine.handle(done(evaluate(0, budget=3.0, bracket=1, x=3), 4.0))
    after = machine.handle(done(evaluate(1, budget=3.0, bracket=1, x=4), 3.0))
    assert after[-1] == again(0, 0, 4)
    assert machine.progress.evaluations_expected == 3 * 2


def test_a_stray_of_the_runoff_is_dropped_in_the_comparison():
    machine, _ = searched([0.1, 0.2], comparison_seeds=1)
    lost, taken = again(0, 0, 0), again(0, 0, 0, "b", attempt=2)
    machine.handle(WorkersChanged(left=("a",)))
    assert machine.handle(WorkersChanged(joined=("b",))) == [taken]
    machine.handle(done(taken, 0.3))
    machine.handle(done(again(1, 0, 1, "b"), 0.2))
    best = machine.progress.incumbent
    assert (machine.progress.phase, best.configuration) == ("comparison", {"x": 1})
    assert machine.handle(done(lost, -9.0)) == [Discard(TrialId(-2, 0, 0))]
    assert machine.progress.incumbent == best


# --- what results decide ----------------------------------------------------------------------


def compared(seeds=10, losses=(0.2, 0.1), workers="a", **plan):
    """A run whose comparison has begun, without a runoff."""
    plan = {"adaptive": True, "comparison_seeds": seeds, "candidates": 1, **plan}
    machine, after = searched(losses, **plan)
    if workers[1:]:
        after += machine.handle(WorkersChanged(joined=tuple(workers[1:])))
    return machine, after


def train(machine, loss_of, until=Finish):
    """Workers end what they have, first seeds first, until this order; returns all orders."""
    orders = []
    while not any(isinstance(order, until) for order in orders):
        busy = [(w, a) for w, a in machine.workers.items() if a]
        worker, attempt = min(busy, key=lambda each: each[1].evaluation.trial.number)
        loss = loss_of(attempt.evaluation.trial)
        orders += machine.handle(Evaluated(*attempt, worker, "finished", loss))
    return orders


def seeds_of(orders, bracket=-1, rung=1):
    trials = [o.evaluation.trial for o in orders if isinstance(o, Settled)]
    return sorted(t.number for t in trials if t[:2] == (bracket, rung))


def clear(trial):
    return 0.5 - 0.3 * (trial.rung > 0) + 0.001 * trial.number


def unclear(trial):
    return 0.5 + 0.3 * (trial.rung > 0) * (-1) ** trial.number


def test_a_clear_comparison_ends_at_its_first_look():
    machine, after = compared()
    assert IncumbentChosen(TrialId(1, 0, 0), 1) in after
    assert machine.progress.evaluations_expected == 20
    assert seeds_of(train(machine, clear)) == [0, 1, 2]


def test_an_unclear_comparison_takes_all_its_seeds():
    machine, _ = compared(seeds=5)
    assert seeds_of(train(machine, unclear)) == [0, 1, 2, 3, 4]


def test_idle_workers_begin_the_next_pairs_which_are_given_up():
    machine, after = compared(workers="abcdefghij")
    assert [o.evaluation.trial.number for o in after if isinstance(o, Evaluate)] == [
        *(0, 0, 1, 1, 2, 2, 3, 3, 4, 4)
    ]
    orders = train(machine, clear)
    assert seeds_of(orders) == [0, 1, 2]
    assert len([attempt for attempt in machine.workers.values() if attempt]) == 9


def test_a_worker_that_idles_in_the_runoff_trains_the_default():
    machine, _ = searched([0.1, 0.2], comparison_seeds=10, adaptive=True)
    after = machine.handle(WorkersChanged(joined=tuple("bcdef")))
    trials = [order.evaluation.trial for order in after]
    assert trials == [(-2, 1, 0), (-2, 0, 1), (-2, 1, 1), (-1, 0, 0), (-1, 0, 1)]


def test_a_default_that_won_is_retrained_for_its_numbers_alone():
    machine, _ = compared(losses=(0.1, 0.2))
    orders = train(machine, clear)
    assert (seeds_of(orders), seeds_of(orders, rung=0)) == ([], [0, 1, 2])


def test_more_seeds_re_open_a_comparison_and_only_those_are_trained():
    machine, _ = compared(seeds=3)
    train(machine, unclear)
    after = machine.handle(PlanChanged(replace(machine.plan, comparison_seeds=5), "more"))
    assert not machine.finished
    assert [o.evaluation.trial.number for o in after if isinstance(o, Evaluate)] == [3]
    assert seeds_of(train(machine, unclear)) == [3, 4]
    after = machine.handle(PlanChanged(replace(machine.plan, comparison_seeds=5), "the same"))
    assert isinstance(after[-1], Finish)


def test_a_decided_comparison_needs_no_more_seeds():
    machine, _ = compared(seeds=3)
    train(machine, clear)
    after = machine.handle(PlanChanged(replace(machine.plan, comparison_seeds=9), "more"))
    assert after == [IncumbentChosen(TrialId(1, 0, 0), 1), Finish("search and comparison are done")]


def test_folds_follow_on_three_pairs_and_take_as_many_trainings():
    machine, _ = compared(seeds=10, folds=2)
    folded = {-1: unclear, -3: lambda trial: unclear(trial._replace(number=trial.number // 2))}
    orders = train(machine, lambda trial: folded[trial.bracket](trial))
    assert seeds_of(orders) == [0, 1, 2]
    assert seeds_of(orders, bracket=-3) == list(range(5 * 2))


def test_another_incumbent_is_another_arm_and_the_default_is_not_trained_again():
    machine, _ = compared(seeds=3)
    train(machine, clear)
    machine.handle(PlanChanged(replace(machine.plan, n_iterations=3), "more"))
    assert machine.progress.phase == "search"
    orders = train(machine, lambda trial: -9.0 if trial.bracket == 2 else clear(trial))
    assert IncumbentChosen(TrialId(2, 0, 0), 2) in orders
    assert (seeds_of(orders, rung=0), seeds_of(orders, rung=2)) == ([], [0, 1, 2])


def test_a_candidate_that_ran_off_before_keeps_its_losses():
    machine, _ = searched([0.2, 0.1], comparison_seeds=4, adaptive=True)
    before = seeds_of(train(machine, clear), bracket=-2, rung=0)
    machine.handle(PlanChanged(replace(machine.plan, n_iterations=3), "more"))
    losses = {2: 0.15}
    orders = train(machine, lambda trial: losses.get(trial.bracket, clear(trial)))
    assert seeds_of(orders, bracket=-2, rung=2)[:2] == [0, 1]
    assert before[:2] == [0, 1]
    assert not set(before) & set(seeds_of(orders, bracket=-2, rung=0))


def test_progress():
    machine = scheduler()
    assert machine.progress.bracket == machine.progress.rung == 0
    play(machine, WorkersChanged(joined=("a", "b")), done(evaluate(0), 0.7))
    assert machine.workers == {"a": attempt_of(evaluate(2)), "b": attempt_of(evaluate(1))}
    assert machine.progress == Progress(
        phase="search",
        bracket=0,
        rung=0,
        evaluations_finished=1,
        evaluations_failed=0,
        evaluations_running=2,
        evaluations_waiting=0,
        evaluations_expected=4,
        epochs_done=1.0,
        epochs_expected=5.0,
        workers_idle=0,
        workers_busy=2,
        incumbent=Incumbent(TrialId(0, 0, 0), 1.0, 0.7, {"x": 0}, model_based=False),
    )


# --- deaths, and what would come again ---------------------------------------------------------


def died(order, machine="m"):
    return replace(bad(order, "crashed"), lost_on=machine)


def left(worker):
    return WorkersChanged(left=(worker,))


def deaths(machine, order, count, place="m"):
    """So many workers die of an evaluation, one after the other; the orders after the last."""
    for number in range(count):
        orders = machine.handle(died(order, place))
        assert [each for each in orders if isinstance(each, Evaluate)] == []
        assert machine.handle(left(order.worker)) == []
        if number < count - 1:
            (order,) = machine.handle(WorkersChanged(joined=(f"{order.worker}+",)))
    return orders


def test_an_evaluation_that_kills_its_workers_has_failed():
    machine = scheduler(max_attempts=3)
    (order,) = machine.handle(WorkersChanged(joined=("a",)))
    orders = deaths(machine, order, 3)
    assert orders[0] == Settled(order.evaluation, 3, "a++")
    assert orders[1:] == [Discard(order.evaluation.trial)]
    (other,) = machine.handle(WorkersChanged(joined=("b",)))
    assert other.evaluation.trial == TrialId(0, 0, 1)


def test_a_dead_worker_gets_nothing_until_it_has_left():
    machine = scheduler()
    (order,) = machine.handle(WorkersChanged(joined=("a",)))
    assert machine.handle(died(order)) == []
    assert machine.workers == {"a": attempt_of(order)}
    assert machine.handle(left("a")) == []
    assert machine.workers == {}


def test_deaths_that_the_machine_itself_caused_excuse_later_ones_there():
    machine = scheduler(max_attempts=2)
    (order,) = machine.handle(WorkersChanged(joined=("a",)))
    deaths(machine, order, 1)
    (again,) = machine.handle(WorkersChanged(joined=("b",)))
    *_, order = machine.handle(done(again))  # so it was not the first one's fault
    assert deaths(machine, order, 2) == []  # one is excused, one counts
    (order,) = machine.handle(WorkersChanged(joined=("c",)))
    assert isinstance(machine.handle(died(order))[0], Settled)


def test_another_machines_history_excuses_nothing():
    machine = scheduler(max_attempts=1)
    machine._endings._machines.blame(["elsewhere"])
    (order,) = machine.handle(WorkersChanged(joined=("a",)))
    assert isinstance(machine.handle(died(order, "here"))[0], Settled)


def test_a_worker_that_comes_back_had_not_died():
    machine = scheduler(max_attempts=2)
    (order,) = machine.handle(WorkersChanged(joined=("a",)))
    deaths(machine, order, 1)
    back = WorkersChanged(joined=("a",), doing={"a": attempt_of(order)})
    assert machine.handle(back) == []
    assert machine.progress.evaluations_running == 1
    assert machine.handle(died(order)) == []  # the first one that counts


def test_a_worker_that_comes_back_too_late_had_not_died_either():
    machine = scheduler(max_attempts=2)
    (order,) = machine.handle(WorkersChanged(joined=("a",)))
    deaths(machine, order, 1)
    (again,) = machine.handle(WorkersChanged(joined=("b",)))
    machine.handle(WorkersChanged(joined=("a",), doing={"a": attempt_of(order)}))
    assert machine.handle(died(again)) == []  # the first one that counts


def test_what_would_come_again_is_not_tried_again():
    machine = scheduler(max_attempts=3)
    (order,) = machine.handle(WorkersChanged(joined=("a",)))
    orders = machine.handle(replace(bad(order, "crashed"), final=True))
    assert orders[:2] == [settled(order), Discard(order.evaluation.trial)]
    assert isinstance(orders[2], Evaluate)


def test_the_first_failures_are_told_until_something_finishes():
    machine = scheduler(max_attempts=1)
    (order,) = machine.handle(WorkersChanged(joined=("a",)))
    for count in (1, 2):
        orders = machine.handle(replace(bad(order, "crashed"), error="E: no GPU"))
        assert machine.first_failures.alike == count
        order = orders[-1]
    machine.handle(done(order))
    assert machine.first_failures.alike == 0
