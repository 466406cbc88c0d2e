"""The phases of a run, without workers."""

from helpers.counting import Counting

from bohb_seg.search.events import Finish
from bohb_seg.search.hyperband import Ladder
from bohb_seg.search.phases import NEXT_PHASES, Phases
from bohb_seg.search.plan import Plan
from bohb_seg.trials import (
    COMPARISON_BRACKET,
    RUNOFF_BRACKET,
    Attempt,
    EvaluationId,
    Info,
    TrialId,
)

DEFAULT = {"x": 0}


def phases(**plan):
    """A run of three brackets, each with a single trial."""
    return Phases(Counting(Ladder(4, 4)), DEFAULT, Plan(n_iterations=3, **plan))


def train(run, loss):
    """One worker takes the next evaluation and ends it."""
    evaluation = run.working.next_for("w", ["w"])
    evaluation.start("w")
    evaluation.finish(loss)
    return run.working.settle(evaluation, Info())


def train_all(run):
    """One worker trains all of the present phase; each evaluation is worse than the one before."""
    loss, phase = 0.0, run.present
    orders = []
    while run.present == phase:
        train(run, loss := loss + 1)
        orders += run.go_on()
    return orders


def test_every_phase_has_a_next_one_and_the_search_can_be_reached_from_all():
    assert all(NEXT_PHASES.values())
    assert all("search" in after for phase, after in NEXT_PHASES.items() if phase != "search")


def test_a_run_goes_through_all_phases():
    run = phases(comparison_epochs=4, comparison_seeds=2)
    seen = [run.present]
    while not run.finished:
        train_all(run)
        seen.append(run.present)
    assert seen == ["search", "runoff", "comparison", "finished"]
    assert run.incumbent.reevaluations


def test_without_a_comparison_the_search_is_all():
    run = phases()
    assert train_all(run)[-1] == Finish("all 3 brackets are finished")
    assert run.finished


def test_a_request_ends_the_search_when_nothing_runs():
    run = phases(comparison_epochs=4)
    train(run, 1.0)
    running = run.working.next_for("w", ["w"])
    running.start("w")
    run.stop_search("long enough")
    assert run.begins_nothing
    assert not list(run.go_on())
    running.finish(2.0)
    run.working.settle(running, Info())
    list(run.go_on())
    assert run.present == "runoff"


def test_a_stopped_search_without_a_result_has_nothing_to_compare():
    run = phases(comparison_epochs=4)
    run.stop_search("long enough")
    assert list(run.go_on()) == [
        Finish("long enough; no evaluation finished, nothing to compare"),
    ]


def test_attempts_belong_to_the_phase_that_ordered_them():
    run = phases(comparison_epochs=4, comparison_seeds=2)
    search = run.working
    train_all(run)
    runoff = run.working
    train_all(run)
    comparison = run.working
    for bracket, phase in {
        0: search,
        RUNOFF_BRACKET: runoff,
        COMPARISON_BRACKET: comparison,
    }.items():
        attempt = Attempt(EvaluationId(TrialId(bracket, 0, 0), 4.0), 1)
        assert run.home(attempt) is phase
    assert run.known(None) is None
    assert run.known(Attempt(EvaluationId(TrialId(7, 0, 0), 4.0), 1)) is None
