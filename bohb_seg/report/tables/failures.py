"""Table of the attempts without a result."""

from collections.abc import Sequence

from bohb_seg.report.analysis.failures import Failure
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.tables.table import Table, table


def failures(run: RunRecord, found: Sequence[Failure]) -> Table:
    """Attempts without a result, with their reasons."""
    columns = (
        *("time (s)", "trial", "budget (epochs)", "attempt", "worker", "what happened"),
        *("reason", "made good by another attempt"),
    )
    rows = [
        (
            (each.attempt.end or run.end) - run.begin,
            run.name_of(each.attempt.evaluation.trial),
            each.attempt.evaluation.budget,
            each.attempt.number,
            each.attempt.worker,
            each.attempt.fate,
            each.reason,
            each.recovered,
        )
        for each in found
    ]
    return table("failures", "Attempts without a result", columns, rows)
