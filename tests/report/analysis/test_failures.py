from helpers.journals import news, order, run

from bohb_seg.report.analysis.failures import failures


def test_failures_name_their_reason_and_whether_they_were_made_good():
    its = run(
        (1, order((0, 0, 0), 1)),
        (2, news((0, 0, 0), 1, None, outcome="crashed")),
        (3, order((0, 0, 0), 1, attempt=2)),
        (4, news((0, 0, 0), 1, 0.5, attempt=2)),
        (5, order((0, 0, 1), 1)),
        (6, news((0, 0, 1), 1, None, outcome="diverged")),
    )
    told = [(f.attempt.fate, f.reason, f.recovered) for f in failures(its)]
    assert told == [
        ("crashed", "ValueError: crashed", True),
        ("diverged", "ValueError: diverged", False),
    ]
