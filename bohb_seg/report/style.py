"""The look of all figures: readable in colour and in grey, because shapes differ as well.

Names of classes, files and hyperparameters are text and never markup: no ``$`` begins a formula.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogFormatter, NullFormatter

from bohb_seg.report.wording import FARTHEST, bounded

WIDTH = 9.0
"""Inches, shown about 1000 pixels wide: 10-point text is as large as the text of the page."""
DPI = 130
"""Dots per inch; figures are drawn a little larger than shown, which keeps small text crisp."""
SHOWN_DPI = 115
"""Dots per inch at which the page shows figures at most."""
LONGEST_NAME = 28
"""Letters of a name of a class or a hyperparameter that figures show."""
FONT = "DejaVu Sans"
"""The font of all figures: it comes with matplotlib."""
OTHER_FONTS = (
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK KR"),
    *("Noto Sans JP", "Noto Sans SC", "Noto Sans TC", "Noto Sans KR", "Source Han Sans"),
    *(
        "WenQuanYi Micro Hei",
        "WenQuanYi Zen Hei",
        "Droid Sans Fallback",
        "IPAGothic",
        "NanumGothic",
    ),
    *("Hiragino Sans", "PingFang SC", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic"),
    *(
        "Noto Sans Devanagari",
        "Noto Sans Bengali",
        "Noto Sans Tamil",
        "Noto Sans Thai",
        "Noto Sans",
    ),
    *("FreeSans", "FreeSerif", "Unifont", "Arial Unicode MS"),
)
"""Fonts for what it does not have, if they are installed."""
RC: Any = {
    "figure.dpi": DPI,
    "savefig.dpi": "figure",
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
    "text.parse_math": False,
}

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Look:
    """Colour, and for grey print line style, marker and hatch, of one kind of thing."""

    colour: str
    line: Any = "-"
    marker: str = "o"
    hatch: str = ""


_REFERENCE = Look("#E69F00", (0, (5, 2)), "s", "///")
ARM_LOOKS = {
    "default": _REFERENCE,
    "baseline": _REFERENCE,
    "incumbent": Look("#00568C", "-", "o", ""),
}
APART = 0.15
"""Share of the axis between its losses and those at its edge that are too far for any axis."""
FADED = "#9aa0a6"
"""Colour of context."""
PALE = "#c3c8cd"
"""Colour of context where there is much of it."""
FAILED = "#B3261E"
"""Colour of failures."""

_BUDGET_MARKERS = ("v", "s", "D", "^", "P", "o")
_BUDGET_LINES = ((0, (1, 1.2)), (0, (3, 1.5)), (0, (6, 2)), (0, (6, 2, 1, 2)), (0, (8, 1)), "-")


def budget_looks(budgets: Iterable[float]) -> dict[float, Look]:
    """Looks of budgets: larger ones are darker; the largest is a solid line with round markers."""
    ordered = sorted(set(budgets))
    shades = mpl.colormaps["viridis_r"](np.linspace(0.25, 0.95, max(len(ordered), 2)))
    looks = {}
    for rank, budget in enumerate(ordered):
        shape = max(rank - len(ordered) + len(_BUDGET_MARKERS), 0)
        colour = mpl.colors.to_hex(shades[rank - len(ordered)])
        looks[budget] = Look(colour, _BUDGET_LINES[shape], _BUDGET_MARKERS[shape])
    return looks


@cache
def _fonts() -> tuple[tuple[str, ...], frozenset[int]]:
    """Families that are there, the first before all others, and the characters that they have."""
    there = {font.name for font in font_manager.fontManager.ttflist}
    families = [FONT, *(name for name in OTHER_FONTS if name in there)]
    files = [font_manager.findfont(font_manager.FontProperties(family=[f])) for f in families]
    characters = (font_manager.get_font(file).get_charmap() for file in files)
    return tuple(families), frozenset().union(*characters)


def drawable(name: str) -> str:
    """A name from outside, in which characters that no font here has are escapes (``\\u9053``)."""
    known = _fonts()[1]
    return "".join(
        c if ord(c) in known else c.encode("unicode_escape").decode("ascii") for c in name
    )


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """Makes a function draw in this style; matplotlib's own settings stay as they are."""

    @wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context({**RC, "font.family": list(_fonts()[0])}):
            return function(*args, **kwargs)

    return inner


@styled
def png(figure: Figure) -> bytes:
    """Renders a figure; in style again, because ticks are made only now."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """An empty figure; height and width in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def grid_of_axes(figure: Figure, count: int, columns: int, **options: Any) -> list[Axes]:
    """Makes ``count`` axes in rows of ``columns``; the rest of the last row stays empty."""
    rows = -(-count // columns)
    axes = figure.subplots(rows, columns, squeeze=False, **options).ravel()
    for unused in axes[count:]:
        unused.set_visible(False)
    return list(axes[:count])


@dataclass(frozen=True)
class Limits:
    """Lower and upper end of an axis of losses."""

    low: float
    top: float

    def within(self, losses: Sequence[float]) -> npt.NDArray[np.float64]:
        """The losses, with those beyond an end drawn at it."""
        return np.clip(np.asarray(losses, dtype=np.float64), self.low, self.top)


def limits(losses: Sequence[float]) -> Limits:
    """Ends of the axis of losses: a few extreme ones must not squeeze all others flat."""
    near = [loss for loss in losses if abs(loss) < FARTHEST] or [0.0]
    low, upper_quartile, high = (float(each) for each in np.quantile(near, (0, 0.75, 1)))
    limit = upper_quartile + 4 * (upper_quartile - low)
    top = high if high <= limit or upper_quartile == low else limit
    room = APART * (top - low) or APART
    return Limits(
        low - room if min(losses) <= -FARTHEST else low,
        top + room if max(losses) >= FARTHEST else top,
    )


def loss_axis(ax: Axes, losses: Sequence[float], label: str = "validation loss") -> Limits:
    """Labels the y axis and gives it limits for losses; a note above it counts those beyond.

    Returns:
        The limits, at which losses beyond should be drawn.
    """
    ends = limits(losses)
    margin = 0.06 * (ends.top - ends.low) or 0.05
    ax.set_ylim(ends.low - margin, ends.top + margin)
    ax.set_ylabel(f"{label} (lower is better)")
    above, below = sum(loss > ends.top for loss in losses), sum(loss < ends.low for loss in losses)
    beyond = [f"▲ {above} higher"] * bool(above) + [f"▼ {below} lower"] * bool(below)
    if beyond:
        place: Any = {"transform": ax.transAxes, "ha": "right", "va": "bottom"}
        note = f"{', '.join(beyond)}, at the edge"
        ax.text(1, 1.015, note, fontsize=8, color="#444444", **place)
    return ends


class PlainLogFormatter(LogFormatter):
    """Numbers at the ticks of a logarithmic axis, without markup."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """The number at a tick; empty where ticks are too many for numbers."""
        return f"{x:g}" if super().__call__(x, pos) else ""


def log_axis(ax: Axes) -> None:
    """Makes the x axis logarithmic, with plain numbers."""
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(PlainLogFormatter())
    ax.xaxis.set_minor_formatter(PlainLogFormatter(minor_thresholds=(1, 0.4)))


def epoch_axis(ax: Axes, ticks: Sequence[float], label: str) -> None:
    """Makes the x axis logarithmic, with exactly these ticks as plain numbers."""
    ax.set_xscale("log")
    ax.set_xticks(list(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.minorticks_off()
    ax.set_xlabel(label)


def time_unit(seconds: float) -> tuple[float, str]:
    """Unit that suits a span of time: its length in seconds, and its name."""
    if seconds < 180:
        return 1.0, "seconds"
    return (60.0, "minutes") if seconds < 3 * 3600 else (3600.0, "hours")


def short(name: str, most: int = LONGEST_NAME) -> str:
    """A name from outside that can be drawn and fits beside an axis, or has so many letters."""
    name = drawable(name)
    return name if len(name) <= most else f"{name[: most - 1]}…"


def numbers(values: Sequence[float | None]) -> list[float]:
    """A curve for matplotlib, with gaps where a value is None."""
    return [np.nan if value is None else bounded(float(value)) for value in values]


def key(look: Look, label: str, **options: Any) -> Line2D:
    """Legend entry with line and marker of a look."""
    style: dict[str, Any] = {"color": look.colour, "linestyle": look.line, "marker": look.marker}
    return Line2D([], [], label=label, **{**style, **options})
