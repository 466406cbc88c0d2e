"""Section: learning curves of all trials."""

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import learning_curves as figures
from bohb_seg.report.sections.section import Section, picture, stands_alone
from bohb_seg.report.tables import learning_curves as tables

HEADING = "curves", "Learning curves of all trials"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The validation loss of every trial, epoch by epoch."""
    table = tables.learning_curves(run)
    losses = table.columns.index("validation_loss")
    if not any(row[losses] is not None for row in table.rows):
        reason = "No worker has reported losses by epoch, so there are no learning curves."
        return Section(*HEADING, empty=reason)
    shown = picture(
        "learning_curves",
        lambda: figures.learning_curves(run),
        "Each line is one trial. It ends with a dot at the budget where the trial was stopped, so"
        " good trials reach far to the right. Lines that cross show where early stopping could have"
        " chosen wrongly.",
        "Validation loss against epoch for every trial.",
    )
    return Section(*HEADING, _collapsed(run), (shown,), (table,))


def _collapsed(run: RunRecord) -> tuple[str, ...]:
    count = sum(each.attempt.stopped == "collapsed" for each in run.evaluations)
    if not count:
        return ()
    which = "evaluation ends" if count == 1 else "evaluations end"
    return (
        f"{count} of {len(run.evaluations)} {which} early, at a diamond: the network had"
        " collapsed, which means that it gave the same answer for every image and learnt nothing"
        " more. The loss of such an evaluation is its true one.",
    )
