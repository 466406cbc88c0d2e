"""Table of the learning curves."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from bohb_seg.report.analysis.records import RunRecord, by_trial
from bohb_seg.report.tables.table import Row, Table, table
from bohb_seg.trials import trial_name

CURVES = (
    "train_loss",
    "validation_loss",
    "validation_miou",
    "validation_accuracy",
    "learning_rate",
    "seconds",
)
"""Curves that go into the CSV file."""


def learning_curves(run: RunRecord) -> Table:
    """All learning curves, a row per trial and epoch."""
    rows: list[Row] = []
    for trial, evaluations in by_trial(run.evaluations).items():
        longest: Mapping[str, Sequence[float | None]] = {}
        for each in evaluations:
            longest = each.attempt.curves or longest
        for epoch, *values in zip_longest(*(longest.get(name, ()) for name in ("epoch", *CURVES))):
            rows.append((trial_name(trial), epoch, *values))
    columns = ("trial", "epoch", *CURVES)
    return table("learning_curves", "Learning curves", columns, rows, folded=True)
