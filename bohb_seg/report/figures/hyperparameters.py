"""Figures of single hyperparameters: their values against the loss, and their shares."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.hyperparameters import CHANCE, Influence
from bohb_seg.report.style import (
    ARM_LOOKS,
    grid_of_axes,
    limits,
    log_axis,
    loss_axis,
    new_figure,
    numbers,
    short,
    styled,
)
from bohb_seg.report.wording import in_epochs

COLOUR = ARM_LOOKS["incumbent"].colour
MOST_BARS, MOST_PANELS = 40, 24
"""Hyperparameters in the figures, those with the largest shares; the table has all of them."""
MOST_CHOICES = 12
"""Choices whose names fit below a panel."""
POSSIBLE_CHANCE: Any = {"facecolor": "white", "hatch": "///"}


@styled
def shares(influences: Sequence[Influence]) -> Figure:
    """Bars: the share of the spread of loss ranks that goes with each hyperparameter alone."""
    known = [each for each in influences if each.share is not None and each.chance is not None]
    known = known[:MOST_BARS]
    figure = new_figure(1.3 + 0.42 * len(known))
    ax = figure.subplots()
    for place, each in enumerate(known):
        _bar(ax, place, each.share or 0, by_chance=(each.chance or 0) > CHANCE)
    ax.set_yticks(range(len(known)), [short(each.name) for each in known])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set(xlim=(0, 1.2), xlabel="share of the spread of loss ranks (0 = none, 1 = all)")
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.set_title("How much each hyperparameter alone goes with the loss")
    return figure


@styled
def hyperparameters(influences: Sequence[Influence], on_log_scale: Sequence[str]) -> Figure:
    """A panel per hyperparameter: its values against the loss at one budget.

    Args:
        influences: One per hyperparameter; at least one.
        on_log_scale: Names of hyperparameters that are searched on a logarithmic scale.
    """
    influences = influences[:MOST_PANELS]
    columns = min(4, len(influences))
    figure = new_figure(2.9 * -(-len(influences) // columns))
    axes = grid_of_axes(figure, len(influences), columns, sharey=True)
    for ax, each in zip(axes, influences, strict=True):
        _values(ax, each, each.name in on_log_scale)
        ax.set_xlabel(short(each.name))
    title = "Losses by value of each hyperparameter"
    figure.suptitle(title, x=0.01, ha="left", weight="bold", size=11)
    first = influences[0]
    for ax in axes[::columns]:
        loss_axis(ax, first.losses, f"loss after {in_epochs(first.budget)}\n")
    return figure


def _bar(ax: Axes, place: int, share: float, by_chance: bool) -> None:
    look = POSSIBLE_CHANCE if by_chance else {"facecolor": COLOUR}
    ax.barh(place, share, 0.7, edgecolor=COLOUR, **look)
    note = ", could be chance" if by_chance else ""
    ax.text(share + 0.01, place, f"{100 * share:.0f} %{note}", va="center")


def _values(ax: Axes, each: Influence, log: bool) -> None:
    losses = limits(each.losses).within(each.losses)
    xs: Sequence[Any] = each.values
    if not each.numeric:
        choices = {name: x for x, name in enumerate(sorted({str(v) for v in each.values}))}
        xs = [choices[str(v)] + 0.05 * (i % 7 - 3) for i, v in enumerate(each.values)]
        named = list(choices) if len(choices) <= MOST_CHOICES else []
        ax.set_xticks(range(len(named)), [short(name) for name in named])
        ax.set_xlim(-0.5, len(choices) - 0.5)
    else:
        xs = numbers(each.values)
        if log:
            log_axis(ax)
    ax.plot(xs, losses, "o", color=COLOUR, markersize=4.5, alpha=0.75)
