"""Figure of the search's progress: losses and best losses over time and epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.incumbent import Improvement, improvements, spending
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord
from bohb_seg.report.style import (
    Look,
    budget_looks,
    ceiling,
    key,
    loss_axis,
    new_figure,
    styled,
    time_unit,
)
from bohb_seg.report.wording import in_epochs

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
    _points(left, [(seconds / unit, each) for each, seconds, _ in spent], looks, ceiling(losses))
    _points(right, [(epochs, each) for each, _, epochs in spent], looks, ceiling(losses))
    _best_so_far(run, left, right, unit, looks)
    loss_axis(left, losses)
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
    top: float,
) -> None:
    for budget, look in looks.items():
        own = [(x, min(each.loss or 0.0, top)) for x, each in points if each.budget == budget]
        ax.plot(*zip(*own, strict=True), look.marker, color=look.colour, markersize=4.5, alpha=0.75)


def _best_so_far(
    run: RunRecord, left: Axes, right: Axes, unit: float, looks: Mapping[float, Look]
) -> None:
    epochs = sum(each.attempt.epochs_trained for each in run.evaluations)
    end = max(((each.attempt.end or 0) - run.begin for each in run.finished), default=0)
    for budget, look in looks.items():
        steps = [each for each in improvements(run) if each.budget == budget]
        width = THICK if budget == max(looks) else THIN
        style = {"color": look.colour, "linestyle": look.line, "linewidth": width}
        _steps(left, [each.seconds / unit for each in steps], end / unit, steps, style)
        _steps(right, [each.epochs for each in steps], epochs, steps, style)
        if budget == max(looks):
            _lowest(right, epochs, steps[-1].loss)


def _steps(
    ax: Axes, xs: Sequence[float], end: float, steps: Sequence[Improvement], style: Any
) -> None:
    losses = [each.loss for each in steps]
    ax.step([*xs, end], [*losses, losses[-1]], where="post", **style)


def _lowest(ax: Axes, x: float, loss: float) -> None:
    """Writes the loss behind the end of its line."""
    beside: Any = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
    ax.annotate(f"{loss:.3f}", (x, loss), weight="bold", **beside)
