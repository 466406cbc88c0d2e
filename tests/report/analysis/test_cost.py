from helpers.journals import news, order, run, run_off

from bohb_seg.report.analysis.cost import Cost, costs
from bohb_seg.report.figures.workers import timeline
from bohb_seg.search.events import WorkersChanged


def test_cost_counts_lost_time_and_trained_epochs():
    its = run(
        (0, WorkersChanged(joined=("a", "b"))),
        (0, order((0, 0, 0), 3, "a")),
        (0, order((0, 0, 1), 3, "b")),
        (1800, WorkersChanged(left=("b",))),
        (3600, news((0, 0, 0), 3, 0.5, "a", epochs_trained=2)),
        (3600, order((-1, 0, 0), 9, "a")),
        (7200, news((-1, 0, 0), 9, 0.4, "a")),
    )
    assert costs(its) == (
        Cost("search", 2, 2, 2.0, 1.5, 0.5, 1.0),
        Cost("comparison", 1, 1, 9.0, 1.0, 0.0, 1.0),
        Cost("all", 3, 3, 11.0, 2.5, 0.5, 2.0),
    )


def test_the_runoff_is_no_part_of_the_search():
    its = run_off((0.5, None), (0.4, 0.4))
    assert [each.id.trial for each in its.evaluations] == [(0, 0, 0), (0, 0, 1)]
    assert [each.id.trial for each in its.runoff] == [
        (-2, 0, 0),
        (-2, 0, 1),
        (-2, 1, 0),
        (-2, 1, 1),
    ]
    assert [(each.phase, each.evaluations) for each in costs(its)] == [
        *(("search", 2), ("runoff", 4), ("comparison", 1), ("all", 7))
    ]


def test_folds_have_a_row_and_a_bar_of_their_own():
    its = run(
        *((0, order((0, 0, 0), 3)), (3600, news((0, 0, 0), 3, 0.5))),
        *((3600, order((-1, 0, 0), 9)), (7200, news((-1, 0, 0), 9, 0.4))),
        *((7200, order((-3, 0, 0), 9)), (10800, news((-3, 0, 0), 9, 0.4))),
    )
    assert [(each.phase, each.epochs) for each in costs(its)] == [
        *(("search", 3.0), ("comparison", 9.0), ("folds", 9.0), ("all", 21.0))
    ]
    keys = timeline(its).legends[0].get_texts()
    assert "comparison on folds, finished" in [each.get_text() for each in keys]


def test_a_silent_worker_is_counted_with_its_whole_budget():
    its = run((1, order((0, 0, 0), 9)), (2, news((0, 0, 0), 9, 0.5)))
    assert its.attempts[0].epochs_trained == 9
    assert costs(its)[0].epochs == 9
