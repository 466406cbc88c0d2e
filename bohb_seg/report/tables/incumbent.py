"""Table of the changes of the incumbent."""

from bohb_seg.report.analysis.incumbent import improvements
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.tables.table import Table, table
from bohb_seg.trials import trial_name


def incumbents(run: RunRecord) -> Table:
    """The incumbents of the search in order of time."""
    rows = [
        (each.seconds, each.epochs, each.budget, each.loss, trial_name(each.trial))
        for each in improvements(run)
        if each.new_incumbent
    ]
    columns = ("time (s)", "epochs spent", "budget (epochs)", "loss", "trial")
    return table("incumbent", "How the incumbent changed", columns, rows, folded=True)
