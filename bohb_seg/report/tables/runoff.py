"""Table of the runoff's candidates."""

from collections.abc import Sequence

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.runoff import Candidate
from bohb_seg.report.tables.configuration import differences
from bohb_seg.report.tables.table import Table, table
from bohb_seg.trials import trial_name


def runoff(found: Sequence[Candidate], run: RunRecord) -> Table:
    """The candidates with their losses in the search and in the runoff."""
    most = max(len(each.losses) for each in found)
    again = [f"re-evaluation {number + 1}" for number in range(most)]
    columns = (
        *("candidate", "trial", "loss in the search", *again, "mean of these", "won"),
        f"differs from the {run.reference} in",
    )
    rows = [
        (
            each.number,
            trial_name(each.search.id.trial),
            each.search_loss,
            *(*each.losses, *[None] * (most - len(each.losses))),
            each.mean,
            each.won,
            differences(each.search.attempt.configuration, run),
        )
        for each in found
    ]
    return table("runoff", "Candidates of the runoff", columns, rows)
