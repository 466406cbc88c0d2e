"""Figure of the paired differences between default and incumbent."""

from collections.abc import Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.verdict import PairedDifference
from bohb_seg.report.style import ARM_LOOKS, FADED, grid_of_axes, new_figure, styled


@styled
def paired_seeds(differences: Sequence[PairedDifference]) -> Figure:
    """One panel per quantity; a line per seed goes from the default to the incumbent."""
    figure = new_figure(3.4)
    for ax, each in zip(grid_of_axes(figure, len(differences), 4), differences, strict=True):
        _panel(ax, each)
    return figure


def _panel(ax: Axes, each: PairedDifference) -> None:
    for before, after in zip(each.default, each.incumbent, strict=True):
        ax.plot((0, 1), (before, after), color=FADED, linewidth=1.2, zorder=1)
    for seed, height in zip(each.seeds, _apart(each.incumbent, each.default), strict=True):
        ax.text(1.26, height, f"seed {seed}", va="center", fontsize=8.5, color="#555555")
    arms = {each.reference: each.default, "incumbent": each.incumbent}
    for place, (name, values) in enumerate(arms.items()):
        look = ARM_LOOKS[name]
        ax.plot([place] * len(values), values, look.marker, color=look.colour, markersize=7)
        ax.plot((place - 0.16, place + 0.16), [fmean(values)] * 2, color="black", linewidth=2)
    better = "lower" if each.quantity.lower_is_better else "higher"
    ax.set_title(f"{each.quantity.title}\n{better} is better", fontsize=10)
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
