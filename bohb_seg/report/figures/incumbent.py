"""Figure of the search's progress: losses and best losses over time and epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.incumbent import improvements, spending
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord
from bohb_seg.report.style import (
    Limits,
    Look,
    budget_looks,
    key,
    loss_axis,
    new_figure,
    styled,
    time_unit,
)
from bohb_seg.report.wording import decimals, in_epochs

THICK, THIN = 3.0, 1.5
"""Widths of the line of the largest budget, which is the incumbent's, and of the others."""


@styled
def progress(run: RunRecord) -> Figure:
    """Every loss, and the best so far at each budget, over time and over epochs spent."""
    figure = new_figure(4.4)
    left, right = figure.subplots(1, 2, sharey=True)
    spent = spending(run)
    unit, name = time_unit(run.end - run.begin)
    looks = budget_looks(each.budget for each, _, _ in spent)
    losses = [each.loss or 0.0 for each, _, _ in spent]
    ends = loss_axis(left, losses)
    _points(left, [(seconds / unit, each) for each, seconds, _ in spent], looks, ends)
    _points(right, [(epochs, each) for each, _, epochs in spent], looks, ends)
    _best_so_far(run, left, right, unit, looks, ends)
    for ax in (left, right):
        ax.set_xlim(left=0)
    left.set(xlabel=f"{name} since the start", title="Best loss over time")
    right.set(xlabel="epochs trained by all workers together", title="… and over epochs spent")
    figure.legend(
        handles=[key(look, in_epochs(budget)) for budget, look in looks.items()],
        loc="outside lower center",
        ncols=min(6, len(looks)),
        title="loss after (points: evaluations, lines: best so far)",
    )
    return figure


def _points(
    ax: Axes,
    points: Sequence[tuple[float, EvaluationRecord]],
    looks: Mapping[float, Look],
    ends: Limits,
) -> None:
    for budget, look in looks.items():
        own = [(x, each.loss or 0.0) for x, each in points if each.budget == budget]
        xs, losses = zip(*own, strict=True)
        ax.plot(xs, ends.within(losses), look.marker, color=look.colour, markersize=4.5, alpha=0.75)


def _best_so_far(
    run: RunRecord,
    left: Axes,
    right: Axes,
    unit: float,
    looks: Mapping[float, Look],
    ends: Limits,
) -> None:
    epochs = sum(each.attempt.epochs_trained for each in run.evaluations)
    end = max(((each.attempt.end or 0) - run.begin for each in run.finished), default=0)
    found = improvements(run)
    for budget, look in looks.items():
        steps = [each for each in found if each.budget == budget]
        losses = [float(loss) for loss in ends.within([each.loss for each in steps])]
        width = THICK if budget == max(looks) else THIN
        style = {"color": look.colour, "linestyle": look.line, "linewidth": width}
        _steps(left, [each.seconds / unit for each in steps], end / unit, losses, style)
        _steps(right, [each.epochs for each in steps], epochs, losses, style)
        if budget == max(looks):
            _lowest(right, epochs, losses[-1], steps[-1].loss)


def _steps(ax: Axes, xs: Sequence[float], end: float, losses: Sequence[float], style: Any) -> None:
    ax.step([*xs, end], [*losses, losses[-1]], where="post", **style)


def _lowest(ax: Axes, x: float, height: float, loss: float) -> None:
    """Writes the loss behind the end of its line."""
    beside: Any = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
    ax.annotate(decimals(loss, 3), (x, height), weight="bold", **beside)
