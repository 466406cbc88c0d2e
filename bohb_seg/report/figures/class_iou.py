"""Figure of the intersection over union of every class."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bohb_seg.report.analysis.comparison import Arm
from bohb_seg.report.style import ARM_LOOKS, new_figure, short, styled

MOST_CLASSES = 40
"""Classes in the figure; the table has all of them."""


@styled
def class_iou(arms: Sequence[Arm], part: str, names: Sequence[str]) -> Figure:
    """Horizontal bars of the mean IoU of these classes, with a circle for every seed."""
    scores = {arm.name: arm.class_scores(part, "iou") for arm in arms}
    figure = new_figure(0.9 + 0.62 * len(names))
    ax = figure.subplots()
    height = 0.8 / len(scores)
    for index, (arm, by_class) in enumerate(scores.items()):
        places = np.arange(len(names)) - 0.4 + height * (index + 0.5)
        _bars(ax, arm, places, height, [by_class.get(name, []) for name in names])
    ax.set(xlim=(0, 1.08), xlabel="intersection over union (higher is better; 1 = perfect)")
    ax.set_yticks(range(len(names)), [short(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.set_title(f"IoU of each class, {part} part")
    figure.legend(handles=[_key(arm) for arm in scores], loc="outside upper right", ncols=2)
    return figure


def _bars(
    ax: Axes,
    arm: str,
    places: npt.NDArray[np.float64],
    height: float,
    scores: Sequence[Sequence[float]],
) -> None:
    look = ARM_LOOKS[arm]
    means = [fmean(own) if own else 0.0 for own in scores]
    ax.barh(places, means, height * 0.92, color=look.colour, hatch=look.hatch, edgecolor="white")
    for place, own, mean in zip(places, scores, means, strict=True):
        circles: Any = {"color": "black", "markersize": 3.5, "markerfacecolor": "white"}
        ax.plot(own, [place] * len(own), "o", clip_on=False, **circles)
        label = f"{mean:.2f}" if own else "not in this part"
        ax.text(max([mean, *own]) + 0.012, place, label, va="center", fontsize=8.5)


def _key(arm: str) -> Patch:
    return Patch(
        facecolor=ARM_LOOKS[arm].colour, hatch=ARM_LOOKS[arm].hatch, edgecolor="white", label=arm
    )
