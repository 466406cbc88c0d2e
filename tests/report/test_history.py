import pytest
from report.journals import news, order, run

from bohb_seg.errors import SettingsError
from bohb_seg.journal import RunResumed
from bohb_seg.report.history import Presence, read, replay, trials
from bohb_seg.trials import Finish, TrialId, WorkersChanged


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


def test_what_a_resumed_master_orders_again_was_lost():
    its = run(
        (1, WorkersChanged(joined=("a",))),
        (2, order((0, 0, 0), 1)),
        (5, RunResumed()),
        (6, order((0, 0, 0), 1, attempt=2)),
    )
    assert fates(its) == [("a", 1, "lost", 6.0), ("a", 2, "running", None)]
    assert its.presences == (Presence("a", 1.0, 5.0),)
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
    budgets = {trial: [e.budget for e in own] for trial, own in trials(its.evaluations).items()}
    assert budgets == {TrialId(0, 0, 0): [1.0, 3.0]}
    assert [each.attempt.fate for each in its.comparison] == ["lost"]
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
