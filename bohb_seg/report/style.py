"""One look for all figures: readable in colour and in grey, because shapes differ as well."""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

WIDTH = 9.0
"""Inches; shown about 1000 pixels wide, so that 10-point text is as large as the page's text."""
DPI = 130
RC: Any = {
    "figure.dpi": DPI,
    "savefig.dpi": "figure",
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "hatch.linewidth": 0.7,
    "lines.linewidth": 1.8,
    "path.simplify": True,
}

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Look:
    """How one kind of thing is drawn everywhere: colours for the eye, shapes for grey print."""

    colour: str
    line: Any = "-"
    marker: str = "o"
    hatch: str = ""


ARMS = {
    "default": Look("#E69F00", (0, (5, 2)), "s", "///"),
    "tuned": Look("#00568C", "-", "o", ""),
}
FADED = "#9aa0a6"
PALE = "#c3c8cd"
"""Things that are context, not the point; pale where there are many of them."""
FAILED = "#B3261E"

_BUDGET_MARKERS = ("v", "s", "D", "^", "P", "o")
_BUDGET_LINES = ((0, (1, 1.2)), (0, (3, 1.5)), (0, (6, 2)), (0, (6, 2, 1, 2)), (0, (8, 1)), "-")


def budget_looks(budgets: Iterable[float]) -> dict[float, Look]:
    """Larger budgets are darker; the largest is a solid line with round markers."""
    ordered = sorted(set(budgets))
    shades = mpl.colormaps["viridis_r"](np.linspace(0.25, 0.95, max(len(ordered), 2)))
    looks = {}
    for rank, budget in enumerate(ordered):
        shape = max(rank - len(ordered) + len(_BUDGET_MARKERS), 0)
        colour = mpl.colors.to_hex(shades[rank - len(ordered)])
        looks[budget] = Look(colour, _BUDGET_LINES[shape], _BUDGET_MARKERS[shape])
    return looks


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Draws with our style without changing anyone else's settings."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(RC):
            return function(*args, **kwargs)

    return inner


@styled
def png(figure: Figure) -> bytes:
    """Renders a figure; axes' ticks are made only now, hence the style again."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure of our width; ``height`` in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def grid_of_axes(figure: Figure, count: int, columns: int, **options: Any) -> list[Axes]:
    """``count`` axes in rows of ``columns``; what is left of the last row stays empty."""
    rows = -(-count // columns)
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for unused in axes[count:]:
        unused.set_visible(False)
    return list(axes[:count])


def ceiling(losses: Sequence[float]) -> float:
    """Where the loss axis ends, so that a few huge losses do not squeeze all others flat."""
    low, middle, high = np.quantile(losses, (0, 0.75, 1))
    limit = middle + 4 * (middle - low)
    return float(high if high <= limit or middle == low else limit)


def loss_axis(ax: Axes, losses: Sequence[float], label: str = "validation loss") -> float:
    """Labels and limits a y axis for ``losses``; says how many lie above. Returns its ceiling."""
    top, low = ceiling(losses), min(losses)
    margin = 0.06 * (top - low) or 0.05
    ax.set_ylim(low - margin, top + margin)
    ax.set_ylabel(f"{label} (lower is better)")
    above = sum(loss > top for loss in losses)
    if above:
        ax.text(
            0.995,
            0.99,
            f"▲ {above} above the axis, drawn at its edge",
            transform=ax.transAxes,
            ha="right",
            va="top",
            fontsize=8,
            color="#444444",
        )
    return top


def epoch_axis(ax: Axes, ticks: Sequence[float], label: str) -> None:
    """A logarithmic x axis with exactly these ticks, written as plain numbers."""
    ax.set_xscale("log")
    ax.set_xticks(list(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.minorticks_off()
    ax.set_xlabel(label)


def time_unit(seconds: float) -> tuple[float, str]:
    """The unit that suits a span: (seconds per unit, name)."""
    if seconds < 180:
        return 1.0, "seconds"
    return (60.0, "minutes") if seconds < 3 * 3600 else (3600.0, "hours")


def numbers(values: Sequence[float | None]) -> list[float]:
    """A curve as matplotlib draws it: with gaps where it is None."""
    return [np.nan if value is None else float(value) for value in values]


def in_epochs(budget: float) -> str:
    """A budget with its unit."""
    return f"{budget:g} epoch" if budget == 1 else f"{budget:g} epochs"


def key(look: Look, label: str, **options: Any) -> Line2D:
    """A legend entry that shows line and marker of a look."""
    style: dict[str, Any] = {"color": look.colour, "linestyle": look.line, "marker": look.marker}
    return Line2D([], [], label=label, **{**style, **options})
