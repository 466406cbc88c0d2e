"""Figure of the losses while default and incumbent were retrained."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from bohb_seg.report.analysis.comparison import Arm
from bohb_seg.report.style import ARM_LOOKS, key, limits, new_figure, numbers, styled

TRAINING_LINE: Any = (0, (1.5, 1.5))
"""Training is dotted with hollow markers, validation solid with filled ones."""
STAR: Any = {
    "linestyle": "",
    "marker": "*",
    "markersize": 13,
    "markeredgecolor": "white",
    "zorder": 4,
}
Series = tuple[list[float], list[float]]
"""Epochs and losses of one seed."""


@styled
def loss_curves(arms: Sequence[Arm]) -> Figure:
    """Training and validation loss against epochs, both arms in one pair of axes."""
    figure = new_figure(4.6)
    ax = figure.subplots()
    drawn: list[float] = []
    for arm in arms:
        drawn += _training(ax, arm)
        drawn += _validation(ax, arm)
    if drawn:
        ends = limits(drawn)
        margin = 0.05 * (ends.top - ends.low) or 0.05
        ax.set_ylim(ends.low - margin, ends.top + margin)
    ax.set(xlabel="epoch", ylabel="loss (lower is better)", title="Loss while training")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(handles=_keys(arms), ncols=2, loc="upper right")
    return figure


def _training(ax: Axes, arm: Arm) -> list[float]:
    """Draws the mean training loss; returns the losses of all seeds."""
    series = _series(arm, "train_loss")
    _mean(ax, arm, series, linestyle=TRAINING_LINE, linewidth=1.6, markerfacecolor="white")
    return _finite(series)


def _validation(ax: Axes, arm: Arm) -> list[float]:
    """Draws the validation losses of the seeds and their mean; returns the losses."""
    series, colour = _series(arm, "validation_loss"), ARM_LOOKS[arm.name].colour
    for epochs, values in series:
        ax.plot(epochs, values, color=colour, linewidth=0.7, alpha=0.55)
    if series:
        for epoch, loss in _best_epochs(arm):
            ax.plot(epoch, loss, color=colour, **STAR)
    _mean(ax, arm, series, linestyle="-", linewidth=2.6, markerfacecolor=colour)
    return _finite(series)


def _series(arm: Arm, name: str) -> list[Series]:
    curves = [each.attempt.curves for each in arm.finished]
    return [(numbers(own["epoch"]), numbers(own[name])) for own in curves if own.get(name)]


def _mean(ax: Axes, arm: Arm, series: Sequence[Series], **options: Any) -> None:
    """Draws the mean over the seeds, as far as all of them go."""
    if not series:
        return
    epochs = min((epochs for epochs, _ in series), key=len)
    length = min(len(values) for _, values in series)
    mean = np.mean([values[:length] for _, values in series], axis=0)
    every = max(1, length // 8)
    marks: Any = {"marker": ARM_LOOKS[arm.name].marker, "markevery": (every // 2, every)}
    ax.plot(epochs, mean, color=ARM_LOOKS[arm.name].colour, markersize=5, **marks, **options)


def _finite(series: Sequence[Series]) -> list[float]:
    return [float(value) for _, values in series for value in values if np.isfinite(value)]


def _best_epochs(arm: Arm) -> list[tuple[int, float]]:
    """Epoch and validation loss of the weights that were kept, of all seeds that report it."""
    found = []
    for each in arm.finished:
        epoch, losses = each.attempt.info.best_epoch, each.attempt.curves.get("validation_loss", ())
        if epoch and 1 <= epoch <= len(losses):
            found.append((epoch, numbers(losses)[epoch - 1]))
    return found


def _keys(arms: Sequence[Arm]) -> list[Line2D]:
    keys = []
    for look, name in ((ARM_LOOKS[arm.name], arm.name) for arm in arms):
        dotted = {"linestyle": TRAINING_LINE, "markerfacecolor": "white"}
        keys += [key(look, f"{name}, training", **dotted)]
        keys += [key(look, f"{name}, validation", linestyle="-", linewidth=2.6)]
    if any(map(_best_epochs, arms)):
        keys.append(Line2D([], [], color="black", label="weights kept", **STAR))
    return keys
