"""Tables of the workers' time and of all attempts."""

from collections.abc import Sequence

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.workers import WorkerTime
from bohb_seg.report.tables.table import Table, table

MOST_ROWS = 16
"""With more rows the table of workers is folded."""


def workers(found: Sequence[WorkerTime]) -> Table:
    """Time of each worker: busy, idle and without result."""
    columns = (
        *("worker", "attempts", "busy (s)", "idle (s)", "without result (s)"),
        *("busy (share)", "attempts lost"),
    )
    rows = [(e.worker, e.attempts, e.busy, e.idle, e.wasted, e.busy_share, e.losses) for e in found]
    return table("workers", "Workers", columns, rows, folded=len(found) > MOST_ROWS)


def timeline(run: RunRecord) -> Table:
    """Every attempt with its times."""
    columns = ("worker", "trial", "budget (epochs)", "attempt", "start (s)", "end (s)", "fate")
    rows = [
        (
            each.worker,
            run.name_of(each.evaluation.trial),
            each.evaluation.budget,
            each.number,
            each.start - run.begin,
            each.end - run.begin if each.end else None,
            each.fate,
        )
        for each in run.attempts
    ]
    return table("timeline", "All attempts", columns, rows, folded=True)
