from dataclasses import replace

import pytest
from helpers.journals import evaluation, news, order, run

from bohb_seg.errors import SettingsError
from bohb_seg.report.analysis.history import read, replay
from bohb_seg.report.analysis.records import Presence, by_trial
from bohb_seg.search.events import Discard, Finish, PlanChanged, Settled, WorkersChanged
from bohb_seg.search.plan import Plan
from bohb_seg.storage.journal_entries import RunResumed
from bohb_seg.trials import Attempt, TrialId


def fates(its):
    return [(each.worker, each.number, each.fate, each.end) for each in its.attempts]


def test_an_attempt_runs_until_its_result():
    its = run((1, order((0, 0, 0), 1)), (5, order((0, 0, 1), 1, "b")), (9, news((0, 0, 0), 1, 0.5)))
    assert fates(its) == [("a", 1, "finished", 9.0), ("b", 1, "running", None)]


def test_a_worker_that_leaves_loses_its_attempt_and_another_one_counts():
    its = run(
        (1, WorkersChanged(joined=("a", "b"))),
        (2, order((0, 0, 0), 1, "a")),
        (4, WorkersChanged(left=("a",))),
        (5, order((0, 0, 0), 1, "b", attempt=2)),
        (7, news((0, 0, 0), 1, 0.25, "b", attempt=2)),
    )
    assert fates(its) == [("a", 1, "lost", 4.0), ("b", 2, "finished", 7.0)]
    assert [(each.loss, each.attempts) for each in its.evaluations] == [(0.25, 2)]
    assert its.presences == (Presence("a", 1.0, 4.0), Presence("b", 1.0, None))


def test_the_first_result_counts_and_the_second_is_late():
    its = run(
        (2, order((0, 0, 0), 1, "a")),
        (4, WorkersChanged(left=("a",))),
        (5, order((0, 0, 0), 1, "b", attempt=2)),
        (6, news((0, 0, 0), 1, 0.5, "a", attempt=1)),
        (7, news((0, 0, 0), 1, 0.25, "b", attempt=2)),
    )
    assert fates(its) == [("a", 1, "finished", 6.0), ("b", 2, "late", 7.0)]
    assert [each.loss for each in its.evaluations] == [0.5]


def test_only_what_settled_names_counts():
    """An independent word: the later result was the one that counted."""
    its = run(
        (2, order((0, 0, 0), 1, "a")),
        (4, WorkersChanged(left=("a",))),
        (5, order((0, 0, 0), 1, "b", attempt=2)),
        (6, Settled(evaluation((0, 0, 1), 1), 1, "c")),
        (7, news((0, 0, 0), 1, None, "a", attempt=1, outcome="crashed")),
        (8, news((0, 0, 0), 1, None, "b", attempt=2, outcome="crashed")),
        (8, Settled(evaluation((0, 0, 0), 1), 2, "b")),
        (9, news((0, 0, 0), 1, 0.5, "a", attempt=1)),
        settles=False,
    )
    assert fates(its) == [("a", 1, "late", 7.0), ("b", 2, "crashed", 8.0)]
    assert [each.attempt.number for each in its.evaluations] == [2]


def test_what_is_not_settled_does_not_count():
    its = run((1, order((0, 0, 0), 1)), (9, news((0, 0, 0), 1, 0.5)), settles=False)
    assert fates(its) == [("a", 1, "late", 9.0)]
    assert [each.loss for each in its.evaluations] == [None]


@pytest.mark.parametrize(
    ("final", "fate"), [(False, "late"), (True, "crashed")], ids=["unwanted", "too long"]
)
def test_what_was_given_up_is_late_unless_it_took_too_long(final, fate):
    """A search that was stopped waits for nothing that runs."""
    crashed = news((0, 0, 0), 1, None, outcome="crashed")
    ended = replace(crashed, error="given up: whatever the reason", final=final)
    its = run((1, order((0, 0, 0), 1)), (9, ended), settles=final)
    assert fates(its) == [("a", 1, fate, 9.0)]


def test_what_ran_at_the_end_was_given_up_and_its_worker_is_not_lost():
    its = run((1, order((-1, 0, 3), 1)), (4, Finish("the verdict is final")))
    assert fates(its) == [("a", 1, "late", 4.0)]
    assert its.attempts[0].error == "nobody waited for its result any more"


def test_a_stray_is_late_whatever_it_brings():
    its = run(
        (1, order((0, 0, 0), 1, "a")),
        (2, WorkersChanged(left=("a",))),
        (3, order((0, 0, 0), 1, "b", attempt=2)),
        (4, news((0, 0, 0), 1, 0.5, "a", attempt=1, epochs_trained=1)),
        (5, news((0, 0, 0), 1, None, "b", attempt=2, outcome="crashed", epochs_trained=9)),
    )
    assert fates(its) == [("a", 1, "finished", 4.0), ("b", 2, "late", 5.0)]
    assert [each.epochs_trained for each in its.attempts] == [1.0, 0.0]


def test_a_result_after_the_end_of_the_search_is_late():
    its = run(
        (1, order((0, 0, 0), 1, "a")),
        (2, WorkersChanged(left=("a",))),
        (2, Discard(TrialId(0, 0, 0))),
        (3, WorkersChanged(joined=("a",), doing={"a": Attempt(evaluation((0, 0, 0), 1), 1)})),
        (4, news((0, 0, 0), 1, 0.5, "a", attempt=1)),
        settles=False,
    )
    assert fates(its) == [("a", 1, "late", 4.0)]
    assert its.finished == ()


def back(worker, number, trial=(0, 0, 0)):
    return WorkersChanged(joined=(worker,), doing={worker: Attempt(evaluation(trial, 1), number)})


AGAIN = order((0, 0, 0), 1, "b", attempt=2)


@pytest.mark.parametrize(
    ("between", "fate"),
    [
        ((), "running"),
        ((WorkersChanged(joined=("b",)), AGAIN), "lost"),
        ((AGAIN, WorkersChanged(left=("b",))), "lost"),
        ((Discard(TrialId(0, 0, 0)),), "lost"),
    ],
    ids=["nobody took over", "elsewhere", "older", "eliminated"],
)
def test_a_worker_that_comes_back_goes_on_if_nobody_took_over(between, fate):
    its = run(
        (1, order((0, 0, 0), 1, "a")),
        (2, WorkersChanged(left=("a",))),
        *((3, event) for event in between),
        (4, back("a", 1)),
    )
    assert its.attempts[0].fate == fate
    assert its.attempts[0].end == (None if fate == "running" else 2.0)


def test_nobody_goes_on_with_what_another_attempt_settled():
    its = run(
        (1, order((0, 0, 0), 1, "a")),
        (2, WorkersChanged(left=("a",))),
        (3, AGAIN),
        (4, WorkersChanged(left=("b",))),
        (5, news((0, 0, 0), 1, 0.5, "a", attempt=1)),
        (6, back("b", 2)),
    )
    assert fates(its) == [("a", 1, "finished", 5.0), ("b", 2, "lost", 4.0)]


@pytest.mark.parametrize(
    ("end", "fate"),
    [
        (news((0, 0, 0), 1, 0.5, "a"), "finished"),
        (news((0, 0, 0), 1, None, "a", outcome="crashed"), "crashed"),
        (WorkersChanged(left=("a",)), "lost"),
    ],
)
def test_the_fate_of_an_attempt_that_went_on_is_that_of_its_end(end, fate):
    gone = (2, WorkersChanged(left=("a",)))
    its = run((1, order((0, 0, 0), 1, "a")), gone, (4, back("a", 1)), (9, end))
    assert fates(its) == [("a", 1, fate, 9.0)]


def test_what_raised_is_not_gone_on_with():
    its = run(
        (1, order((0, 0, 0), 1, "a")),
        (2, news((0, 0, 0), 1, None, "a", outcome="crashed")),
        (3, WorkersChanged(left=("a",))),
        (4, back("a", 1)),
        (5, news((0, 0, 0), 1, None, "a", outcome="crashed")),
    )
    assert fates(its) == [("a", 1, "crashed", 2.0)]


def test_workers_and_their_attempts_outlive_a_master():
    its = run(
        (1, WorkersChanged(joined=("a", "b"))),
        (2, order((0, 0, 0), 1, "a")),
        (2, order((0, 0, 1), 1, "b")),
        (5, RunResumed()),
        (6, WorkersChanged(left=("b",))),
        (7, news((0, 0, 0), 1, 0.5, "a")),
    )
    assert fates(its) == [("a", 1, "finished", 7.0), ("b", 1, "lost", 6.0)]
    assert its.presences == (Presence("a", 1.0, None), Presence("b", 1.0, 6.0))
    assert its.resumed == (5.0,)


def test_a_crash_counts_only_if_no_other_attempt_gives_a_result():
    crashed = (3, news((0, 0, 0), 1, None, outcome="crashed"))
    again = [(4, order((0, 0, 0), 1, attempt=2)), (5, news((0, 0, 0), 1, 0.5, attempt=2))]
    alone = run((2, order((0, 0, 0), 1)), crashed)
    healed = run((2, order((0, 0, 0), 1)), crashed, *again)
    assert [each.attempt.fate for each in alone.evaluations] == ["crashed"]
    assert [each.attempt.fate for each in healed.evaluations] == ["finished"]


def test_search_and_comparison_are_kept_apart_and_trials_hold_their_rungs():
    its = run(
        (1, order((0, 0, 0), 3)),
        (2, news((0, 0, 0), 3, 0.4)),
        (1, order((0, 0, 0), 1)),
        (2, news((0, 0, 0), 1, 0.5)),
        (3, order((-1, 0, 0), 9)),
        (9, Finish("done")),
    )
    budgets = {trial: [e.budget for e in own] for trial, own in by_trial(its.evaluations).items()}
    assert budgets == {TrialId(0, 0, 0): [1.0, 3.0]}
    assert [each.attempt.fate for each in its.comparison] == ["late"]
    assert its.finish == "done"


@pytest.mark.parametrize("content", [None, ""])
def test_what_is_no_run_directory_is_one_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "events.jsonl").write_text(content)
    with pytest.raises(SettingsError, match=r"not a run directory|holds no started run"):
        read(tmp_path)


def test_a_journal_must_begin_with_a_run(tmp_path):
    with pytest.raises(SettingsError, match="holds no started run"):
        replay(tmp_path, [])


def test_a_run_that_grows_has_not_ended():
    grown = (2, PlanChanged(Plan(n_iterations=2), "more"))
    assert run((1, Finish("done")), grown).finish is None
    assert run((1, Finish("done")), grown, (3, Finish("done again"))).finish == "done again"
