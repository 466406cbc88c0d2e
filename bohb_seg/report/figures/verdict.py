"""Figures of the verdict: the difference with its interval, and the pairs behind it."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bohb_seg.report.analysis.verdict import title
from bohb_seg.report.style import ARM_LOOKS, FADED, grid_of_axes, new_figure, short, styled
from bohb_seg.search.verdict import Difference, Verdict

BAND = "#dceadf"
"""Colour of the band of differences that count as equivalent."""
MOST_NAMED = 12
"""Seeds up to which each is named in a figure."""
ROWS, ROW = 3, 0.25
"""Rows of dots, and the distance between two of them on the axis."""
PANELS = 4
"""Quantities of which pairs are drawn."""


@styled
def difference(verdict: Verdict, reference: str) -> Figure:
    """The difference that decides: each seed, its mean, both intervals, and the band of delta."""
    first = verdict.difference
    assert first is not None
    figure = new_figure(2.9)
    ax = figure.subplots()
    if verdict.delta is not None:
        ax.axvspan(-verdict.delta, verdict.delta, color=BAND, zorder=0)
    ax.axvline(0, color="#555555", linewidth=1.2, zorder=1)
    _seeds(ax, first)
    _interval(ax, first, 0.0)
    better = "left" if first.quantity.lower_is_better else "right"
    ax.set_xlabel(
        f"incumbent minus {reference}: difference in {title(first.quantity)}"
        f" ({better} of 0 is better)"
    )
    ax.set_yticks((0, 0.85 + ROW), ("mean", "each seed"))
    ax.set_ylim(-0.5, 1.65)
    ax.grid(axis="y", visible=False)
    ax.set_title(f"Difference in {title(first.quantity)}: {verdict.answer}")
    figure.legend(handles=_keys(verdict), loc="outside lower center", ncols=4)
    return figure


@styled
def class_differences(found: Sequence[Difference], reference: str) -> Figure:
    """Mean difference and intervals of the IoU of each class."""
    figure = new_figure(1.3 + 0.4 * len(found))
    ax = figure.subplots()
    ax.axvline(0, color="#555555", linewidth=1.2, zorder=1)
    for row, each in enumerate(found):
        ax.plot(
            np.subtract(each.incumbent, each.default),
            [row + 0.22] * len(each.seeds),
            "o",
            color=FADED,
            markersize=4,
        )
        _interval(ax, each, float(row))
    ax.set_yticks(range(len(found)), [short(each.quantity.label or "") for each in found])
    ax.set_ylim(len(found) - 0.4, -0.6)
    ax.set_xlabel(f"incumbent minus {reference}: difference in IoU (right of 0 is better)")
    ax.set_title(f"Difference in the IoU of each class, {found[0].quantity.part} part")
    ax.grid(axis="y", visible=False)
    return figure


@styled
def paired_seeds(differences: Sequence[Difference], reference: str) -> Figure:
    """One panel per quantity; a line per seed goes from the default to the incumbent."""
    figure = new_figure(3.4)
    shown = differences[:PANELS]
    for ax, each in zip(grid_of_axes(figure, len(shown), PANELS), shown, strict=True):
        _panel(ax, each, reference)
    return figure


def _seeds(ax: Axes, first: Difference) -> None:
    """A dot for each seed, in rows so that neighbours do not hide each other."""
    values = np.subtract(first.incumbent, first.default)
    heights = np.empty(len(values))
    heights[np.argsort(values)] = 0.85 + ROW * (np.arange(len(values)) % ROWS)
    ax.plot(values, heights, "o", color=ARM_LOOKS["incumbent"].colour, markersize=7, zorder=3)
    if len(values) <= MOST_NAMED:
        for seed, x, y in zip(first.seeds, values, heights, strict=True):
            place: Any = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(str(seed), (x, y), fontsize=8, color="#444444", **place)


def _interval(ax: Axes, each: Difference, height: float) -> None:
    """The mean; the 95 % interval as a thin line, that of 90 % as a thick one."""
    if each.low is not None and each.high is not None:
        ax.plot(
            (each.low, each.high),
            (height, height),
            color="black",
            linewidth=1.4,
            marker="|",
            markersize=9,
            zorder=2,
        )
    if each.inner_low is not None and each.inner_high is not None:
        ends = each.inner_low, each.inner_high
        ax.plot(
            ends, (height, height), color="black", linewidth=4.5, solid_capstyle="butt", zorder=2
        )
    ax.plot(each.mean, height, "D", color="black", markerfacecolor="white", markersize=8, zorder=4)


def _keys(verdict: Verdict) -> list[Line2D | Patch]:
    dot = ARM_LOOKS["incumbent"].colour
    keys: list[Line2D | Patch] = [
        Line2D([], [], color=dot, linestyle="", marker="o", label="one seed"),
        Line2D([], [], color="black", linewidth=1.4, marker="|", label="95 % interval"),
    ]
    if verdict.delta is not None:
        keys.append(Line2D([], [], color="black", linewidth=4.5, label="90 % interval"))
        keys.append(Patch(color=BAND, label=f"equivalent: within {verdict.delta:g}"))
    return keys


def _panel(ax: Axes, each: Difference, reference: str) -> None:
    for before, after in zip(each.default, each.incumbent, strict=True):
        ax.plot((0, 1), (before, after), color=FADED, linewidth=1.2, zorder=1)
    if len(each.seeds) <= MOST_NAMED:
        for seed, height in zip(each.seeds, _apart(each.incumbent, each.default), strict=True):
            ax.text(1.26, height, f"seed {seed}", va="center", fontsize=8.5, color="#555555")
    arms = {reference: each.default, "incumbent": each.incumbent}
    for place, (name, values) in enumerate(arms.items()):
        look = ARM_LOOKS[name]
        ax.plot([place] * len(values), values, look.marker, color=look.colour, markersize=7)
        ax.plot((place - 0.16, place + 0.16), [fmean(values)] * 2, color="black", linewidth=2)
    better = "lower" if each.quantity.lower_is_better else "higher"
    ax.set_title(f"{title(each.quantity)}\n{better} is better", fontsize=10)
    ax.set_xticks((0, 1), list(arms))
    ax.set_xlim(-0.4, 1.95)
    ax.margins(y=0.15)
    ax.grid(axis="x", visible=False)


def _apart(heights: Sequence[float], others: Sequence[float]) -> list[float]:
    """Heights for labels, moved up where labels would overlap; ``others`` share the axis."""
    gap = 0.06 * (max(*heights, *others) - min(*heights, *others))
    placed = dict[int, float]()
    for index in sorted(range(len(heights)), key=lambda index: heights[index]):
        placed[index] = max([heights[index], *(height + gap for height in placed.values())])
    return [placed[index] for index in range(len(heights))]
