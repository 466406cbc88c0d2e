"""Section: training and validation loss of the final comparison."""

from collections.abc import Sequence

from bohb_seg.report.analysis.comparison import Arm, arms
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import loss_curves as figures
from bohb_seg.report.sections.reasons import NOT_RETRAINED
from bohb_seg.report.sections.section import Section, picture, stands_alone

HEADING = "loss", "Training and validation loss"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The losses while default and incumbent were retrained."""
    told = [arm for arm in arms(run) if any(each.attempt.curves for each in arm.finished)]
    if not told:
        return Section(*HEADING, empty=NOT_RETRAINED)
    shown = picture(
        "loss_curves",
        lambda: figures.loss_curves(told),
        "Thick lines are means over the seeds, as far as all seeds go; thin lines are single seeds."
        " Lower is better. A validation loss that rises while the training loss falls means"
        " overfitting. Training losses can be compared only if both configurations train with the"
        " same loss function.",
        f"Training and validation loss against epochs for {run.reference} and incumbent.",
    )
    return Section(*HEADING, _kept_weights(told), (shown,))


def _kept_weights(found: Sequence[Arm]) -> tuple[str, ...]:
    attempts = [each.attempt for arm in found for each in arm.finished]
    if not any(each.info.best_epoch for each in attempts):
        return ()
    ended = sum(each.stopped == "patience" for each in attempts)
    return (
        "Each retraining kept the weights of the epoch with the lowest validation loss, at the"
        f" star. {ended} of {len(attempts)} ended before their last epoch, because as many epochs"
        " as --patience says had brought no lower loss.",
    )
