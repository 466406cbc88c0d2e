from helpers.journals import news, order, run

from bohb_seg.report.analysis.workers import worker_times
from bohb_seg.search.events import WorkersChanged


def test_a_worker_is_busy_wastes_its_time_or_is_idle():
    its = run(
        (0, WorkersChanged(joined=("a", "b"))),
        (0, order((0, 0, 0), 3, "a")),
        (0, order((0, 0, 1), 3, "b")),
        (1800, WorkersChanged(left=("b",))),
        (3600, news((0, 0, 0), 3, 0.5, "a", epochs_trained=2)),
        (3600, order((-1, 0, 0), 9, "a")),
        (7200, news((-1, 0, 0), 9, 0.4, "a")),
    )
    first, second = worker_times(its)
    assert (first.busy, first.idle, first.busy_share) == (7200.0, 0.0, 1.0)
    assert (second.busy, second.wasted, second.idle, second.losses) == (0.0, 1800.0, 0.0, 1)
