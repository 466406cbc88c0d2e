"""One decision each: news in, the whole list of orders out."""

import logging

import pytest
from search.conftest import Counting

from bohb_seg.brackets import InvalidTransitionError
from bohb_seg.hyperband import Ladder
from bohb_seg.scheduler import Incumbent, Plan, Progress, Scheduler
from bohb_seg.trials import (
    BracketFinished,
    Discard,
    Evaluate,
    Evaluated,
    EvaluationId,
    Finish,
    StopRequested,
    TrialId,
    WorkersChanged,
)

SMALL = Ladder(1, 3, 3)  # brackets of 3 + 1 and of 2 trials


def scheduler(ladder=SMALL, **plan):
    return Scheduler(Counting(ladder), Plan(**{"n_iterations": 1, **plan}), {"x": 0})


def evaluate(number, worker="a", budget=1.0, attempt=1, bracket=0, rung=0, x=None):
    trial = TrialId(bracket, rung, number)
    x = number if x is None else x
    model_based = x > 0 and x % 2 == 0
    return Evaluate(EvaluationId(trial, budget), attempt, worker, {"x": x}, model_based)


def done(order, loss=0.0):
    return Evaluated(order.evaluation, order.attempt, order.worker, "finished", loss)


def bad(order, outcome):
    return Evaluated(order.evaluation, order.attempt, order.worker, outcome)


def play(machine, *news):
    return [machine.handle(item) for item in news]


def test_one_bracket_from_first_worker_to_the_end():
    a = [evaluate(0), evaluate(1), evaluate(2)]
    top = evaluate(1, budget=3.0)
    news = [WorkersChanged(joined=("a",)), done(a[0], 0.5), done(a[1], 0.1), done(a[2], 0.9)]
    assert play(scheduler(), *news, done(top, 0.2)) == [
        [a[0]],
        [a[1]],
        [a[2]],
        [Discard(TrialId(0, 0, 0)), Discard(TrialId(0, 0, 2)), top],
        [Discard(TrialId(0, 0, 1)), BracketFinished(0), Finish("all 1 brackets are finished")],
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
        [evaluate(0, "b", attempt=2)],
    ]


def test_a_crash_is_retried_on_another_worker():
    machine = scheduler()
    orders = play(
        machine,
        WorkersChanged(joined=("a", "b")),
        bad(evaluate(0, "a"), "crashed"),
        done(evaluate(1, "b")),
        done(evaluate(2, "a")),
    )
    assert orders[1:] == [[evaluate(2, "a")], [evaluate(0, "b", attempt=2)], []]


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
        [Discard(TrialId(0, 0, 0)), evaluate(1)],
    ]
    assert machine.progress.evaluations_failed == 1


def test_diverged_is_not_retried_and_its_place_goes_to_a_new_configuration():
    machine = scheduler()
    play(machine, WorkersChanged(joined=("a",)))
    for number in range(2):
        machine.handle(bad(evaluate(number), "diverged"))
    orders = machine.handle(bad(evaluate(2), "diverged"))
    assert orders == [
        Discard(TrialId(0, 0, 2)),
        evaluate(0, budget=3.0, rung=1, x=3),
    ]


@pytest.mark.parametrize(
    "news",
    [
        done(evaluate(0, "a")),
        done(evaluate(0, "b", attempt=2)),
        done(evaluate(0, "a", budget=3.0)),
        done(evaluate(7, "a")),
        done(evaluate(0, "stranger")),
    ],
    ids=["late", "other worker", "other budget", "unknown trial", "stranger"],
)
def test_results_that_do_not_count_are_dropped_with_a_note(news, caplog):
    machine = scheduler()
    play(
        machine,
        WorkersChanged(joined=("a", "b")),
        WorkersChanged(left=("a",)),
        WorkersChanged(joined=("c",)),
    )
    before = machine.progress
    with caplog.at_level(logging.WARNING):
        assert machine.handle(news) == []
    assert machine.progress == before
    assert "dropped a result" in caplog.text


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
        [Discard(TrialId(0, 0, 0)), BracketFinished(0)],
        [Discard(TrialId(1, 0, 0)), BracketFinished(1), *arms],
        [Discard(TrialId(-1, 0, 0)), again[0]],
        [Discard(TrialId(-1, 1, 0)), again[1]],
        [Discard(TrialId(-1, 0, 1))],
        [Discard(TrialId(-1, 1, 1)), Finish("search and comparison are done")],
    ]
    assert len(machine._optimizer.observed) == 2


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
    assert orders[2:4] == [[], []]
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


def test_progress():
    machine = scheduler()
    assert machine.progress.bracket == machine.progress.rung == 0
    play(machine, WorkersChanged(joined=("a", "b")), done(evaluate(0), 0.7))
    assert machine.workers == ("a", "b")
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
