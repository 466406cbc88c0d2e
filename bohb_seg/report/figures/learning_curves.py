"""Figure of the learning curves of all trials."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.configuration import same_configuration
from bohb_seg.report.analysis.incumbent import incumbent
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord, by_trial
from bohb_seg.report.figures.marks import COLLAPSED, collapsed_key, has_collapsed
from bohb_seg.report.style import (
    ARM_LOOKS,
    PALE,
    Look,
    epoch_axis,
    key,
    loss_axis,
    new_figure,
    numbers,
    styled,
)


@styled
def learning_curves(run: RunRecord) -> Figure:
    """The validation loss of every trial, epoch by epoch; incumbent and default stand out."""
    figure = new_figure(4.8)
    ax = figure.subplots()
    drawn, last = [], 1.0
    best = incumbent(run)
    for evaluations in by_trial(run.evaluations).values():
        epochs, losses = _longest_curve(evaluations)
        if epochs:
            _curve(ax, epochs, losses, _arm(evaluations[0], run, best))
            if has_collapsed(evaluations):
                ax.plot(epochs[-1:], losses[-1:], **COLLAPSED)
            drawn += [loss for loss in losses if np.isfinite(loss)]
            last = max(last, epochs[-1])
    loss_axis(ax, drawn)
    ticks = [budget for budget in _budgets(run) if budget <= last] or [1]
    epoch_axis(ax, ticks, "epoch (logarithmic; ticks are the budgets)")
    ax.set_title("Learning curves of all trials")
    keys = [
        key(ARM_LOOKS["incumbent"], "incumbent", linewidth=3, marker=""),
        key(ARM_LOOKS["default"], "default", linewidth=3, marker=""),
        key(Look(PALE), "other trials, dot: training stopped", linewidth=1, markersize=4),
    ]
    ax.legend(handles=keys + collapsed_key(run.evaluations), loc="upper right")
    return figure


def _longest_curve(evaluations: Sequence[EvaluationRecord]) -> tuple[list[float], list[float]]:
    """Epochs and validation losses at the largest budget that has them; empty without any."""
    for each in reversed(evaluations):
        curves = each.attempt.curves
        if curves.get("validation_loss"):
            return numbers(curves["epoch"]), numbers(curves["validation_loss"])
    return [], []


def _budgets(run: RunRecord) -> list[float]:
    return sorted({each.budget for each in run.evaluations})


def _arm(first: EvaluationRecord, run: RunRecord, best: EvaluationRecord | None) -> str:
    """``incumbent``, ``default`` or, for other trials, the empty string."""
    if best is not None and best.id.trial == first.id.trial:
        return "incumbent"
    is_default = same_configuration(first.attempt.configuration, run.started.default)
    return "default" if is_default else ""


def _curve(ax: Axes, epochs: list[float], losses: list[float], arm: str) -> None:
    look, front = ARM_LOOKS.get(arm, Look(PALE)), bool(arm)
    ax.plot(
        epochs,
        losses,
        color=look.colour,
        linestyle=look.line,
        linewidth=3 if front else 0.9,
        zorder=3 if front else 1,
        alpha=1 if front else 0.8,
    )
    ax.plot(
        epochs[-1:],
        losses[-1:],
        "o",
        color=look.colour,
        markersize=7 if front else 3.5,
        zorder=4 if front else 2,
    )
