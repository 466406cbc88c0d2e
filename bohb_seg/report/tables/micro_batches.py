"""Table of the evaluations in micro-batches."""

from collections.abc import Sequence

from bohb_seg.report.analysis.micro_batches import MemoryShortage
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.tables.table import Table, table

MOST_ROWS = 12
"""With more rows the table is folded."""


def micro_batches(run: RunRecord, found: Sequence[MemoryShortage]) -> Table:
    """Evaluations in micro-batches, with the sizes that fit."""
    columns = (
        *("trial", "budget (epochs)", "worker", "device", "batch (patches)"),
        *("micro-batch (patches)", "memory ran out"),
    )
    rows = [
        (
            run.name_of(each.attempt.evaluation.trial),
            each.attempt.evaluation.budget,
            each.attempt.worker,
            each.device,
            each.batch,
            each.micro_batch,
            "in this evaluation" if each.here else "in an earlier one",
        )
        for each in found
    ]
    title = "Trained in micro-batches because memory ran out"
    return table("micro_batches", title, columns, rows, folded=len(found) > MOST_ROWS)
