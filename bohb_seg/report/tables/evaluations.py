"""Table of all evaluations of the search."""

from collections.abc import Sequence

from bohb_seg.report.analysis.configuration import picked_by
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord
from bohb_seg.report.tables.table import Row, Table, table
from bohb_seg.trials import trial_name


def evaluations(run: RunRecord) -> Table:
    """Every evaluation of the search with its configuration, in order of start."""
    names = list({name: None for e in run.evaluations for name in e.attempt.configuration})
    columns = (
        *("trial", "bracket", "budget (epochs)", "loss", "mIoU", "outcome", "ended early"),
        "averaged weights",
        *("picked by", "attempts", "worker", "start (s)", "duration (s)", "epochs trained"),
        *names,
    )
    rows = [_row(run, each, names) for each in run.evaluations]
    return table("evaluations", "All evaluations of the search", columns, rows, folded=True)


def _row(run: RunRecord, each: EvaluationRecord, names: Sequence[str]) -> Row:
    attempt = each.attempt
    return (
        trial_name(each.id.trial),
        each.id.trial.bracket,
        each.budget,
        each.loss,
        each.info.miou,
        attempt.fate,
        attempt.stopped,
        each.info.averaged,
        picked_by(run, each),
        each.attempts,
        attempt.worker,
        attempt.start - run.begin,
        attempt.end - attempt.start if attempt.end else None,
        attempt.epochs_trained,
        *(attempt.configuration.get(name) for name in names),
    )
