"""Figure of the learning curves of all trials."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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

Curve = tuple[list[float], list[float]]
"""Epochs and validation losses."""


@styled
def learning_curves(run: RunRecord) -> Figure:
    """The validation loss of every trial, epoch by epoch; incumbent and default stand out."""
    figure = new_figure(4.8)
    ax = figure.subplots()
    others: list[Curve] = []
    collapsed: list[tuple[float, float]] = []
    drawn, last, best = [], 1.0, incumbent(run)
    for evaluations in by_trial(run.evaluations).values():
        epochs, losses = _longest_curve(evaluations)
        if epochs:
            arm = _arm(evaluations[0], run, best)
            _in_front(ax, epochs, losses, arm) if arm else others.append((epochs, losses))
            if has_collapsed(evaluations):
                collapsed.append((epochs[-1], losses[-1]))
            drawn += [loss for loss in losses if np.isfinite(loss)]
            last = max(last, epochs[-1])
    _behind(ax, others)
    if collapsed:
        ax.plot(*zip(*collapsed, strict=True), **COLLAPSED)
    loss_axis(ax, drawn)
    ticks = [budget for budget in _budgets(run) if budget <= last] or [1]
    epoch_axis(ax, ticks, "epoch (logarithmic; ticks are the budgets)")
    ax.set_title("Learning curves of all trials")
    ax.legend(handles=_keys(run) + collapsed_key(run.evaluations), loc="upper right")
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
    """``incumbent``, ``default`` or ``baseline``, or, for other trials, the empty string."""
    if best is not None and best.id.trial == first.id.trial:
        return "incumbent"
    is_default = same_configuration(first.attempt.configuration, run.started.default)
    return run.reference if is_default else ""


def _in_front(ax: Axes, epochs: list[float], losses: list[float], arm: str) -> None:
    look = ARM_LOOKS[arm]
    ax.plot(epochs, losses, color=look.colour, linestyle=look.line, linewidth=3, zorder=3)
    ax.plot(epochs[-1:], losses[-1:], "o", color=look.colour, markersize=7, zorder=4)


def _behind(ax: Axes, curves: Sequence[Curve]) -> None:
    """Draws all curves at once: the library takes a millisecond for each call."""
    lines = [np.column_stack(curve) for curve in curves]
    ax.add_collection(LineCollection(lines, colors=PALE, linewidths=0.9, alpha=0.8, zorder=1))
    ends = [(epochs[-1], losses[-1]) for epochs, losses in curves]
    if ends:
        ax.plot(*zip(*ends, strict=True), "o", color=PALE, markersize=3.5, zorder=2)


def _keys(run: RunRecord) -> list[Line2D]:
    return [
        key(ARM_LOOKS["incumbent"], "incumbent", linewidth=3, marker=""),
        key(ARM_LOOKS[run.reference], run.reference, linewidth=3, marker=""),
        key(Look(PALE), "other trials, dot: training stopped", linewidth=1, markersize=4),
    ]
