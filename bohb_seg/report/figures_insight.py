"""Pictures of how well the search searched: ranks, picks, hyperparameters, workers' time."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bohb_seg.report.accounts import worker_times
from bohb_seg.report.history import Attempt, Run
from bohb_seg.report.picking import CHANCE, Influence, Picks
from bohb_seg.report.ranking import RankCorrelation
from bohb_seg.report.style import (
    ARMS,
    FAILED,
    Look,
    ceiling,
    grid_of_axes,
    in_epochs,
    loss_axis,
    new_figure,
    styled,
    time_unit,
)
from bohb_seg.rpc.names import worker_name
from bohb_seg.trials import COMPARISON_BRACKET, RUNOFF_BRACKET

MODEL, RANDOM = Look("#00568C", marker="^"), Look("#E69F00", marker="o")
IDLE = "#e6e6e6"
MOST_LABELS = 40
"""Workers whose names fit beside their rows."""
BARS: Mapping[str, Any] = {
    "finished": {"facecolor": "#2a7ab8", "edgecolor": "white"},
    "runoff": {"facecolor": "#9cc7e6", "edgecolor": "#2a7ab8", "hatch": "\\\\\\"},
    "comparison": {"facecolor": "#9cc7e6", "edgecolor": "#2a7ab8", "hatch": "..."},
    "diverged": {"facecolor": "#f2c14e", "edgecolor": "#7a5c00", "hatch": "///"},
    "crashed": {"facecolor": "#f2c14e", "edgecolor": "#7a5c00", "hatch": "xxx"},
    "lost": {"facecolor": "white", "edgecolor": FAILED, "hatch": "xxxx"},
    "late": {"facecolor": "white", "edgecolor": FAILED, "hatch": "////"},
    "running": {"facecolor": "#cfe8cf", "edgecolor": "#3b7d3b", "hatch": "---"},
}
BAR_LABELS = {
    "finished": "search, finished",
    "runoff": "runoff, finished",
    "comparison": "comparison, finished",
    "late": "late (result dropped)",
    "lost": "lost with its worker",
    "running": "still running",
}


@styled
def rank_correlations(found: Sequence[RankCorrelation]) -> Figure:
    """A panel per two budgets with a correlation: each point is a trial, its two losses."""
    found = [each for each in found if each.rho is not None]
    columns = 2 if len(found) in (2, 4) else min(3, len(found))
    figure = new_figure(3.2 * -(-len(found) // columns))
    for ax, each in zip(grid_of_axes(figure, len(found), columns), found, strict=True):
        xs, ys = np.array(each.pairs).T
        ax.plot(
            np.minimum(xs, ceiling(xs)),
            np.minimum(ys, ceiling(ys)),
            "o",
            color=ARMS["tuned"].colour,
            markersize=5,
            alpha=0.8,
        )
        ax.set(
            xlabel=f"loss after {in_epochs(each.small)}",
            ylabel=f"loss after {in_epochs(each.large)}",
        )
        ax.set_title(f"rank correlation {each.rho:.2f}\n({len(each.pairs)} trials)", fontsize=10)
    return figure


@styled
def picks(found: Sequence[Picks]) -> Figure:
    """Losses of model-based and of random picks beside each other, at each budget."""
    figure = new_figure(4.2)
    ax = figure.subplots()
    losses = [loss for each in found for loss in (*each.model, *each.random)]
    top = loss_axis(ax, losses)
    for place, each in enumerate(found):
        _cloud(ax, place - 0.2, each.random, RANDOM, top, filled=False)
        _cloud(ax, place + 0.2, each.model, MODEL, top, filled=True)
    labels = [
        f"{in_epochs(e.budget)}\n{len(e.random)} random, {len(e.model)} by model" for e in found
    ]
    ax.set_xticks(range(len(found)), labels)
    ax.set_xlim(-0.6, len(found) - 0.4)
    ax.grid(axis="x", visible=False)
    ax.set_title("Model-based against random picks")
    random: Any = {
        "color": RANDOM.colour,
        "marker": "o",
        "markerfacecolor": "white",
        "linestyle": "",
    }
    figure.legend(
        handles=[
            Line2D([], [], **random, label="drawn at random"),
            Line2D([], [], color=MODEL.colour, marker="^", linestyle="", label="picked by model"),
            Line2D([], [], color="black", linewidth=2.5, label="median"),
        ],
        loc="outside lower center",
        ncols=3,
    )
    return figure


@styled
def shares(found: Sequence[Influence]) -> Figure:
    """Bars: how much of the spread of loss ranks goes with each hyperparameter alone."""
    known = [each for each in found if each.share is not None and each.chance is not None]
    figure = new_figure(1.3 + 0.42 * len(known))
    ax = figure.subplots()
    for place, each in enumerate(known):
        likely = (each.chance or 0) > CHANCE
        look: Any = (
            {"facecolor": "white", "hatch": "///"} if likely else {"facecolor": MODEL.colour}
        )
        ax.barh(place, each.share or 0, 0.7, edgecolor=MODEL.colour, **look)
        note = ", could be chance" if likely else ""
        ax.text(
            (each.share or 0) + 0.01, place, f"{100 * (each.share or 0):.0f} %{note}", va="center"
        )
    ax.set_yticks(range(len(known)), [each.name for each in known])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set(xlim=(0, 1.2), xlabel="share of the spread of loss ranks (0 = none, 1 = all)")
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.set_title("How much each hyperparameter alone goes with the loss")
    return figure


@styled
def hyperparameters(found: Sequence[Influence], logarithmic: Sequence[str]) -> Figure:
    """A panel per hyperparameter: its values against the loss at one budget.

    Args:
        found: Of each hyperparameter.
        logarithmic: Names of those that are searched on a logarithmic scale.
    """
    columns = min(4, len(found))
    figure = new_figure(2.9 * -(-len(found) // columns))
    for ax, each in zip(grid_of_axes(figure, len(found), columns, sharey=True), found, strict=True):
        _values(ax, each, each.name in logarithmic)
        ax.set_xlabel(each.name)
    figure.suptitle(
        "Losses by value of each hyperparameter", x=0.01, ha="left", weight="bold", size=11
    )
    losses = found[0].losses
    for ax in figure.axes[::columns]:
        loss_axis(ax, losses, f"loss after {in_epochs(found[0].budget)}\n")
    return figure


@styled
def timeline(run: Run) -> Figure:
    """A row per worker: what it did when; empty grey is idle, white is absent."""
    workers = worker_times(run)
    rows = {each.worker: place for place, each in enumerate(workers)}
    figure = new_figure(min(10.0, 1.9 + max(0.32, 0.5 - 0.01 * len(workers)) * len(workers)))
    ax = figure.subplots()
    unit, name = time_unit(run.end - run.begin)
    for stay in run.presences:
        span = ((stay.start - run.begin) / unit, ((stay.end or run.end) - stay.start) / unit)
        ax.broken_barh([span], (rows[stay.worker] - 0.4, 0.8), facecolor=IDLE)
    for attempt in run.attempts:
        _bar(ax, attempt, run, rows[attempt.worker], unit)
    for time in run.resumed:
        ax.axvline((time - run.begin) / unit, color="black", linestyle=":", linewidth=1.2)
    _worker_labels(ax, workers)
    ax.set(xlabel=f"{name} since the start", title="What the workers did")
    ax.set_xlim(0, (run.end - run.begin) / unit or 1)
    ax.set_ylim(len(workers) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    figure.legend(handles=_bar_keys(run), loc="outside lower center", ncols=4)
    return figure


def _cloud(
    ax: Axes, place: float, losses: Sequence[float], look: Look, top: float, filled: bool
) -> None:
    if not losses:
        return
    xs = [place + 0.04 * ((3 * index) % 7 - 3) for index in range(len(losses))]
    face = look.colour if filled else "white"
    ax.plot(
        xs,
        np.minimum(losses, top),
        look.marker,
        color=look.colour,
        markerfacecolor=face,
        markersize=5.5,
        linestyle="",
    )
    ax.plot(
        (place - 0.16, place + 0.16), [min(median(losses), top)] * 2, color="black", linewidth=2.5
    )


def _values(ax: Axes, each: Influence, logarithmic: bool) -> None:
    losses = np.minimum(each.losses, ceiling(each.losses))
    xs: Sequence[Any] = each.values
    if not each.numeric:
        choices = sorted({str(value) for value in each.values})
        xs = [choices.index(str(v)) + 0.05 * (i % 7 - 3) for i, v in enumerate(each.values)]
        ax.set_xticks(range(len(choices)), choices)
        ax.set_xlim(-0.5, len(choices) - 0.5)
    elif logarithmic:
        ax.set_xscale("log")
    ax.plot(xs, losses, "o", color=ARMS["tuned"].colour, markersize=4.5, alpha=0.75)


def _bar(ax: Axes, attempt: Attempt, run: Run, row: int, unit: float) -> None:
    start = (attempt.start - run.begin) / unit
    length = ((attempt.end or run.end) - attempt.start) / unit
    ax.broken_barh([(start, length)], (row - 0.4, 0.8), linewidth=0.6, **BARS[_bar_kind(attempt)])


def _bar_kind(attempt: Attempt) -> str:
    if attempt.fate != "finished":
        return attempt.fate
    finals = {RUNOFF_BRACKET: "runoff", COMPARISON_BRACKET: "comparison"}
    return finals.get(attempt.evaluation.trial.bracket, "finished")


def _bar_keys(run: Run) -> list[Any]:
    kinds = {_bar_kind(attempt) for attempt in run.attempts}
    keys: list[Any] = [
        Patch(**look, label=BAR_LABELS.get(kind, kind))
        for kind, look in BARS.items()
        if kind in kinds
    ]
    keys.append(Patch(facecolor=IDLE, label="idle"))
    if run.resumed:
        keys.append(Line2D([], [], color="black", linestyle=":", label="master resumed"))
    return keys


def _worker_labels(ax: Axes, workers: Sequence[Any]) -> None:
    if len(workers) > MOST_LABELS:
        ax.set_ylabel(f"{len(workers)} workers")
        return
    ax.set_yticks(range(len(workers)), [_short(each.worker) for each in workers])
    for place, each in enumerate(workers):
        ax.annotate(
            f"{100 * each.busy_share:.0f} % busy",
            (1, place),
            xytext=(6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=9,
            annotation_clip=False,
        )


def _short(worker: str, length: int = 28) -> str:
    """A worker's name without what HpBandSter puts before it."""
    name = worker_name(worker)
    return name if len(name) <= length else f"…{name[1 - length :]}"
