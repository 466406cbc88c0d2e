"""Pictures of the final comparison; each function draws one. Pure: numbers in, Figure out."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bohb_seg.report.comparison import Arm
from bohb_seg.report.curves import Counts, PrecisionRecall, Reals, row_shares
from bohb_seg.report.style import (
    ARMS,
    FADED,
    ceiling,
    grid_of_axes,
    key,
    new_figure,
    numbers,
    styled,
)
from bohb_seg.report.verdict import PairedDifference

TRAINING_LINE: Any = (0, (1.5, 1.5))
"""Training is dotted with hollow markers, validation solid with filled ones."""


STAR: Any = {
    "linestyle": "",
    "marker": "*",
    "markersize": 13,
    "markeredgecolor": "white",
    "zorder": 4,
}


@styled
def paired_seeds(differences: Sequence[PairedDifference]) -> Figure:
    """One panel per quantity; a line per seed goes from the default to the tuned result."""
    figure = new_figure(3.4)
    for ax, each in zip(grid_of_axes(figure, len(differences), 4), differences, strict=True):
        _slopes(ax, each)
    return figure


@styled
def loss_curves(arms: Sequence[Arm]) -> Figure:
    """Training and validation loss against epochs, both arms in one pair of axes."""
    figure = new_figure(4.6)
    ax = figure.subplots()
    drawn: list[float] = []
    for arm in arms:
        for kind in ("train_loss", "validation_loss"):
            drawn += _seed_curves(ax, arm, kind)
    if drawn:
        low, top = min(drawn), ceiling(drawn)
        ax.set_ylim(low - 0.05 * (top - low), top + 0.05 * (top - low))
    ax.set(xlabel="epoch", ylabel="loss (lower is better)", title="Loss while training")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(handles=_curve_keys(arms), ncols=2, loc="upper right")
    return figure


@styled
def precision_recall(
    curves: Mapping[str, Mapping[str, PrecisionRecall | None]], part: str
) -> Figure:
    """A panel per class and one for all classes; both arms in each.

    Args:
        curves: Arm name -> class name -> curve.
        part: Which part of the data the pixels are from, for the titles.
    """
    names = list(next(iter(curves.values())))
    columns = min(4, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(2.8 * rows + 0.5)
    axes = grid_of_axes(figure, len(names), columns, sharex=True, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        _class_curves(ax, name, {arm: its[name] for arm, its in curves.items()})
    figure.supxlabel("recall: share of the class's pixels that are found", fontsize=10)
    figure.supylabel("precision: share of what is named that is right", fontsize=10)
    guess = [key(ARMS["tuned"], "guessing", color=FADED, linestyle=":", marker="")]
    figure.legend(handles=_arm_lines(curves) + guess, loc="outside upper right", ncols=3)
    figure.suptitle(f"Precision and recall, {part} part", x=0.01, ha="left", weight="bold", size=11)
    return figure


@styled
def class_iou(arms: Sequence[Arm], part: str) -> Figure:
    """Horizontal bars of the mean IoU per class; a dot for every seed."""
    scores = {arm.name: arm.class_scores(part, "iou") for arm in arms}
    names = list(next(iter(scores.values())))
    figure = new_figure(0.9 + 0.62 * len(names))
    ax = figure.subplots()
    height = 0.8 / len(scores)
    for index, (arm, by_class) in enumerate(scores.items()):
        places = np.arange(len(names)) - 0.4 + height * (index + 0.5)
        _bars(ax, arm, places, height, [by_class.get(name, []) for name in names])
    ax.set(xlim=(0, 1.08), xlabel="intersection over union (higher is better; 1 = perfect)")
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set_title(f"IoU of each class, {part} part")
    figure.legend(handles=[_bar_key(arm) for arm in scores], loc="outside upper right", ncols=2)
    return figure


@styled
def confusions(matrices: Mapping[str, Counts], names: Sequence[str], part: str) -> Figure:
    """Confusion matrices side by side; rows sum to 100 %.

    Args:
        matrices: Arm name -> counts (classes, classes), rows = truth.
        names: Of the classes.
        part: For the title.
    """
    figure = new_figure(1.4 + 0.5 * len(names))
    axes = figure.subplots(1, len(matrices), sharey=True, squeeze=False)[0]
    for ax, (arm, counts) in zip(axes, matrices.items(), strict=True):
        _confusion(ax, row_shares(counts), names)
        ax.set_title(f"{arm}, {part} part")
        ax.set_xlabel("named as")
    axes[0].set_ylabel("truly is")
    return figure


def _slopes(ax: Axes, each: PairedDifference) -> None:
    for before, after in zip(each.default, each.tuned, strict=True):
        ax.plot((0, 1), (before, after), color=FADED, linewidth=1.2, zorder=1)
    for seed, height in zip(each.seeds, _apart(each.tuned, each.default), strict=True):
        ax.text(1.26, height, f"seed {seed}", va="center", fontsize=8.5, color="#555555")
    for place, (name, values) in enumerate((("default", each.default), ("tuned", each.tuned))):
        look = ARMS[name]
        ax.plot([place] * len(values), values, look.marker, color=look.colour, markersize=7)
        ax.plot((place - 0.16, place + 0.16), [fmean(values)] * 2, color="black", linewidth=2)
    better = "lower" if each.quantity.lower_is_better else "higher"
    ax.set_title(f"{each.quantity.title}\n{better} is better", fontsize=10)
    ax.set_xticks((0, 1), ("default", "tuned"))
    ax.set_xlim(-0.4, 1.95)
    ax.margins(y=0.15)
    ax.grid(axis="x", visible=False)


def _apart(heights: Sequence[float], others: Sequence[float]) -> list[float]:
    """Heights for labels, moved up where they would overlap; ``others`` share the axis."""
    gap = 0.06 * (max(*heights, *others) - min(*heights, *others))
    placed = dict[int, float]()
    for index in sorted(range(len(heights)), key=lambda index: heights[index]):
        placed[index] = max([heights[index], *(height + gap for height in placed.values())])
    return [placed[index] for index in range(len(heights))]


def _seed_curves(ax: Axes, arm: Arm, kind: str) -> list[float]:
    """Draws a thin line per seed (validation) and the thick mean; returns what was drawn."""
    series = []
    for each in arm.finished:
        curves = each.attempt.curves
        if curves.get(kind):
            series.append((numbers(curves["epoch"]), numbers(curves[kind])))
    if not series:
        return []
    look, training = ARMS[arm.name], kind == "train_loss"
    if not training:
        for epochs, values in series:
            ax.plot(epochs, values, color=look.colour, linewidth=0.7, alpha=0.55)
        for epoch, loss in _best_epochs(arm):
            ax.plot(epoch, loss, color=look.colour, **STAR)
    epochs, length = min((each[0] for each in series), key=len), min(len(e[1]) for e in series)
    mean = np.mean([values[:length] for _, values in series], axis=0)
    every = max(1, length // 8)
    style = TRAINING_LINE if training else "-"
    ax.plot(
        epochs,
        mean,
        color=look.colour,
        linestyle=style,
        linewidth=1.6 if training else 2.6,
        marker=look.marker,
        markevery=(every // 2, every),
        markersize=5,
        markerfacecolor="white" if training else look.colour,
    )
    return [float(v) for _, values in series for v in values if np.isfinite(v)]


def _best_epochs(arm: Arm) -> list[tuple[int, float]]:
    """Epoch and validation loss of the weights that were kept, of every seed that says so."""
    found = []
    for each in arm.finished:
        epoch, losses = each.attempt.best_epoch, each.attempt.curves.get("validation_loss", ())
        if epoch and 1 <= epoch <= len(losses):
            found.append((epoch, numbers(losses)[epoch - 1]))
    return found


def _curve_keys(arms: Sequence[Arm]) -> list[Line2D]:
    keys = []
    for look, name in ((ARMS[arm.name], arm.name) for arm in arms):
        dotted = {"linestyle": TRAINING_LINE, "markerfacecolor": "white"}
        keys += [key(look, f"{name}, training", **dotted)]
        keys += [key(look, f"{name}, validation", linestyle="-", linewidth=2.6)]
    if any(map(_best_epochs, arms)):
        keys.append(Line2D([], [], color="black", label="weights kept", **STAR))
    return keys


def _bar_key(arm: str) -> Patch:
    return Patch(facecolor=ARMS[arm].colour, hatch=ARMS[arm].hatch, edgecolor="white", label=arm)


def _arm_lines(names: Mapping[str, object]) -> list[Line2D]:
    return [key(ARMS[name], name, marker="") for name in names]


def _class_curves(ax: Axes, name: str, curves: Mapping[str, PrecisionRecall | None]) -> None:
    known = {arm: curve for arm, curve in curves.items() if curve is not None}
    averages = ", ".join(f"{arm} {its.average_precision:.3f}" for arm, its in known.items())
    ax.set_title(name, fontsize=10, pad=20)
    ax.text(0, 1.025, f"AP {averages}" if known else "", transform=ax.transAxes, fontsize=8.5)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.05))
    if not known:
        ax.text(0.5, 0.5, "no pixel of this class\nin this part", ha="center", va="center")
    for arm, curve in known.items():
        look = ARMS[arm]
        ax.plot(curve.recall, curve.precision, color=look.colour, linestyle=look.line)
        ax.axhline(curve.prevalence, color=FADED, linestyle=":", linewidth=1.2)


def _bars(
    ax: Axes, arm: str, places: Reals, height: float, scores: Sequence[Sequence[float]]
) -> None:
    look = ARMS[arm]
    means = [fmean(own) if own else 0.0 for own in scores]
    ax.barh(places, means, height * 0.92, color=look.colour, hatch=look.hatch, edgecolor="white")
    for place, own, mean in zip(places, scores, means, strict=True):
        ax.plot(
            own, [place] * len(own), "o", color="black", markersize=3.5, markerfacecolor="white"
        )
        label = f"{mean:.2f}" if own else "not in this part"
        ax.text(max([mean, *own]) + 0.012, place, label, va="center", fontsize=8.5)


def _confusion(ax: Axes, shares: Reals, names: Sequence[str]) -> None:
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(shares):
        text = "–" if np.isnan(share) else f"{100 * share:.0f}%"
        ax.text(
            column,
            row,
            text,
            ha="center",
            va="center",
            fontsize=9,
            color="white" if share > 0.55 else "black",
            weight="bold" if row == column else "normal",
        )
    ax.set_xticks(range(len(names)), names, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(names)), names)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
