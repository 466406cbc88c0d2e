"""Pictures of the search; each function draws one. Pure: numbers in, Figure out."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bohb_seg.report.history import Evaluation, Run, trials
from bohb_seg.report.search import BudgetSummary, incumbent, same, spending, steps
from bohb_seg.report.style import (
    ARMS,
    FAILED,
    PALE,
    Look,
    budget_looks,
    ceiling,
    epoch_axis,
    grid_of_axes,
    in_epochs,
    key,
    loss_axis,
    new_figure,
    numbers,
    styled,
    time_unit,
)

COLLAPSED: Any = {
    "linestyle": "",
    "marker": "D",
    "color": FAILED,
    "markerfacecolor": "white",
    "markersize": 5.5,
    "zorder": 5,
}
MOST_BRACKETS = 12
"""Panels in the figure of rungs; the table has all brackets."""


@styled
def progress(run: Run) -> Figure:
    """Every loss, and the best so far at each budget, over time and over epochs spent."""
    figure = new_figure(4.4)
    left, right = figure.subplots(1, 2, sharey=True)
    spent = spending(run)
    unit, name = time_unit(run.end - run.begin)
    looks = budget_looks(each.budget for each, _, _ in spent)
    losses = [each.loss or 0.0 for each, _, _ in spent]
    _progress(left, [(seconds / unit, each) for each, seconds, _ in spent], looks, ceiling(losses))
    _progress(right, [(epochs, each) for each, _, epochs in spent], looks, ceiling(losses))
    _best_so_far(run, left, right, unit, looks)
    loss_axis(left, losses)
    for ax in (left, right):
        ax.set_xlim(left=0)
    left.set(xlabel=f"{name} since the start", title="Best loss over time")
    right.set(xlabel="epochs trained by all workers together", title="… and over epochs spent")
    keys = [key(look, in_epochs(budget)) for budget, look in looks.items()]
    figure.legend(
        handles=keys,
        loc="outside lower center",
        ncols=min(6, len(keys)),
        title="loss after (points: evaluations, lines: best so far)",
    )
    return figure


@styled
def learning_curves(run: Run) -> Figure:
    """The validation loss of every trial, epoch by epoch; incumbent and default stand out."""
    figure = new_figure(4.8)
    ax = figure.subplots()
    best, drawn, last = incumbent(run), [], 1.0
    for its in trials(run.evaluations).values():
        epochs, losses = _longest_curve(its)
        if epochs:
            collapsed = _has_collapsed(its)
            _learning_curve(ax, epochs, losses, _trial_look(its[0], run, best), collapsed)
            drawn += [loss for loss in losses if np.isfinite(loss)]
            last = max(last, epochs[-1])
    loss_axis(ax, drawn)
    budgets = sorted({each.budget for each in run.evaluations})
    epoch_axis(
        ax, [b for b in budgets if b <= last] or [1], "epoch (logarithmic; ticks are the budgets)"
    )
    ax.set_title("Learning curves of all trials")
    keys = [
        key(ARMS["tuned"], "incumbent", linewidth=3, marker=""),
        key(ARMS["default"], "default configuration", linewidth=3, marker=""),
        key(
            Look(PALE),
            "other trials, dot: training stopped",
            linewidth=1,
            markersize=4,
        ),
    ]
    ax.legend(handles=keys + _collapsed_key(run), loc="upper right")
    return figure


@styled
def rungs(run: Run) -> Figure:
    """A panel per bracket: each trial's losses over the budgets it reached."""
    brackets: dict[int, list[list[Evaluation]]] = {}
    for trial, its in trials(run.evaluations).items():
        brackets.setdefault(trial.bracket, []).append(its)
    shown = sorted(brackets)[-MOST_BRACKETS:]
    columns = min(4, len(shown))
    figure = new_figure(0.6 + 2.9 * -(-len(shown) // columns))
    axes = grid_of_axes(figure, len(shown), columns, sharey=True, sharex=True)
    losses = [each.loss for each in run.evaluations if each.loss is not None]
    budgets = sorted({each.budget for each in run.evaluations})
    for ax, bracket in zip(axes, shown, strict=True):
        for its in brackets[bracket]:
            _rise(ax, its, ceiling(losses))
        ax.set_title(f"bracket {bracket}")
        epoch_axis(ax, budgets, "budget (epochs)")
    for ax in axes[::columns]:
        loss_axis(ax, losses, "loss")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low, high + 0.1 * (high - low))
    keys = _rung_keys() + _collapsed_key(run)
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys))
    return figure


@styled
def losses_by_budget(summaries: Sequence[BudgetSummary]) -> Figure:
    """All losses at each budget as points over a box; failures are counted below."""
    figure = new_figure(4.2)
    ax = figure.subplots()
    losses = [loss for each in summaries for loss in each.losses]
    top = loss_axis(ax, losses)
    looks = budget_looks(each.budget for each in summaries)
    for place, each in enumerate(summaries):
        _strip(ax, place, each.losses, looks[each.budget], top)
        if each.losses:
            ax.boxplot(
                [np.minimum(each.losses, top)],
                positions=[place],
                widths=0.5,
                showfliers=False,
                medianprops={"color": "black", "linewidth": 2},
            )
    ax.set_xticks(range(len(summaries)), [_counted(each) for each in summaries])
    ax.set_xlabel("budget")
    ax.grid(axis="x", visible=False)
    ax.set_title("Losses by budget")
    return figure


def _progress(
    ax: Axes, points: Sequence[tuple[float, Evaluation]], looks: Mapping[float, Look], top: float
) -> None:
    for budget, look in looks.items():
        own = [(x, min(each.loss or 0.0, top)) for x, each in points if each.budget == budget]
        ax.plot(*zip(*own, strict=True), look.marker, color=look.colour, markersize=4.5, alpha=0.75)


def _best_so_far(
    run: Run, left: Axes, right: Axes, unit: float, looks: Mapping[float, Look]
) -> None:
    spent = sum(each.attempt.epochs_trained for each in run.evaluations)
    end = max(((each.attempt.end or 0) - run.begin for each in run.finished), default=0)
    for budget, look in looks.items():
        own = [step for step in steps(run) if step.budget == budget]
        losses = [step.loss for step in own]
        width = 3.0 if budget == max(looks) else 1.5
        style = {"color": look.colour, "linestyle": look.line, "linewidth": width}
        for ax, xs, last in (
            (left, [step.seconds / unit for step in own], end / unit),
            (right, [step.epochs for step in own], spent),
        ):
            ax.step([*xs, last], [*losses, losses[-1]], where="post", **style)
        if budget == max(looks):
            right.annotate(
                f"{losses[-1]:.3f}",
                (spent, losses[-1]),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                weight="bold",
            )


def _longest_curve(its: Sequence[Evaluation]) -> tuple[list[float], list[float]]:
    for each in reversed(its):
        curves = each.attempt.curves
        if curves.get("validation_loss"):
            return numbers(curves["epoch"]), numbers(curves["validation_loss"])
    return [], []


def _trial_look(first: Evaluation, run: Run, best: Evaluation | None) -> str:
    if best is not None and best.id.trial == first.id.trial:
        return "tuned"
    return "default" if same(first.attempt.configuration, run.started.default) else ""


def _has_collapsed(its: Iterable[Evaluation]) -> bool:
    return any(each.attempt.stopped == "collapsed" for each in its)


def _collapsed_key(run: Run) -> list[Line2D]:
    label = "ended early: collapsed"
    return [Line2D([], [], **COLLAPSED, label=label)] if _has_collapsed(run.evaluations) else []


def _learning_curve(
    ax: Axes, epochs: list[float], losses: list[float], arm: str, collapsed: bool
) -> None:
    look = ARMS.get(arm, Look(PALE))
    front = bool(arm)
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
    if collapsed:
        ax.plot(epochs[-1:], losses[-1:], **COLLAPSED)


def _rise(ax: Axes, its: Sequence[Evaluation], top: float) -> None:
    """A trial's way through its rungs: filled where promoted, hollow where it stopped."""
    points = [(each.budget, min(each.loss, top)) for each in its if each.loss is not None]
    for (x, y), (next_x, next_y) in pairwise(points):
        ax.plot((x, next_x), (y, next_y), color=ARMS["tuned"].colour, linewidth=1.1)
        ax.plot(x, y, "o", color=ARMS["tuned"].colour, markersize=5)
    if points and _has_collapsed(its):
        ax.plot(*points[-1], **COLLAPSED)
    elif points:
        ax.plot(*points[-1], "o", color="#555555", markerfacecolor="white", markersize=5)
    for each in its:
        if each.attempt.fate in ("diverged", "crashed"):
            ax.plot(
                each.budget,
                0.96,
                "x",
                transform=ax.get_xaxis_transform(),
                color=FAILED,
                markersize=7,
                markeredgewidth=2,
            )


def _rung_keys() -> list[Line2D]:
    dot: Any = {"linestyle": "", "marker": "o"}
    return [
        Line2D([], [], color=ARMS["tuned"].colour, **dot, label="went on to the next budget"),
        Line2D([], [], color="#555555", markerfacecolor="white", **dot, label="stopped here"),
        Line2D([], [], color=FAILED, linestyle="", marker="x", label="failed (at the top)"),
    ]


def _strip(ax: Axes, place: float, losses: Sequence[float], look: Look, top: float) -> None:
    spread = np.linspace(-0.18, 0.18, 7)
    xs = [place + spread[(3 * index) % 7] for index in range(len(losses))]
    ax.plot(xs, np.minimum(losses, top), look.marker, color=look.colour, markersize=5, alpha=0.8)


def _counted(each: BudgetSummary) -> str:
    failed = f"\n{each.failed} failed" if each.failed else ""
    return f"{in_epochs(each.budget)}\n{len(each.losses)} losses{failed}"
