"""Figure of the precision-recall curves of every class."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.precision_recall import Curves, PrecisionRecall
from bohb_seg.report.style import ARM_LOOKS, FADED, grid_of_axes, key, new_figure, short, styled

MOST_COLUMNS = 4
LONGEST_TITLE = 22
"""Letters of a name above a panel."""
MOST_CLASSES = 23
"""Classes in the figure, beside the panel of all together; the tables have all of them."""


@styled
def precision_recall(curves: Mapping[str, Curves], part: str) -> Figure:
    """A panel per class and one for all classes; both arms in each.

    Args:
        curves: Curves by name of the arm.
        part: Part of the data that the pixels are from, for the title.
    """
    names = list(next(iter(curves.values())))
    columns = min(MOST_COLUMNS, len(names))
    figure = new_figure(2.95 * -(-len(names) // columns) + 0.5)
    axes = grid_of_axes(figure, len(names), columns, sharex=True, sharey=True)
    for ax, name in zip(axes, names, strict=True):
        _panel(ax, name, {arm: by_class[name] for arm, by_class in curves.items()})
    for ax in axes[-columns:]:  # also above the empty places of the last row
        ax.tick_params(labelbottom=True)
    figure.supxlabel("recall: share of the class's pixels that are found", fontsize=10)
    figure.supylabel("precision: share of the named pixels that are right", fontsize=10)
    keys = [key(ARM_LOOKS[arm], arm, marker="") for arm in curves]
    keys.append(key(ARM_LOOKS["default"], "guessing", color=FADED, linestyle=":", marker=""))
    figure.legend(handles=keys, loc="outside upper right", ncols=3)
    figure.suptitle(f"Precision and recall, {part} part", x=0.01, ha="left", weight="bold", size=11)
    return figure


def _panel(ax: Axes, name: str, curves: Mapping[str, PrecisionRecall | None]) -> None:
    known = {arm: curve for arm, curve in curves.items() if curve is not None}
    averages = [f"AP {its.average_precision:.3f} {arm}" for arm, its in known.items()]
    ax.set_title(short(name, LONGEST_TITLE), fontsize=10, pad=5 + 12 * len(curves))
    ax.text(0, 1.025, "\n".join(averages), transform=ax.transAxes, fontsize=8.5)
    ax.set(xlim=(0, 1.02), ylim=(0, 1.05))
    ax.set_xticks((0, 0.5, 1), ("0", "0.5", "1"))
    if not known:
        ax.text(0.5, 0.5, "no pixel of this class\nin this part", ha="center", va="center")
    for arm, curve in known.items():
        look = ARM_LOOKS[arm]
        ax.plot(curve.recall, curve.precision, color=look.colour, linestyle=look.line)
        ax.axhline(curve.prevalence, color=FADED, linestyle=":", linewidth=1.2)
