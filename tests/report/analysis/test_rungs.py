from helpers.journals import search

from bohb_seg.report.analysis.rungs import RungSummary, rungs


def test_rungs_count_failures_and_promotions():
    its = search({1: 0.5}, {1: 0.4, 3: 0.3}, {1: None}, {1: 0.2, 3: 0.1})
    assert rungs(its) == (
        RungSummary(0, 1.0, evaluated=4, failed=1, promoted=2, best=0.2, median=0.4),
        RungSummary(0, 3.0, evaluated=2, failed=0, promoted=0, best=0.1, median=0.2),
    )
