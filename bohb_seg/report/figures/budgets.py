"""Figure of the losses by budget."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bohb_seg.report.analysis.budgets import BudgetSummary
from bohb_seg.report.style import Limits, Look, budget_looks, loss_axis, new_figure, styled
from bohb_seg.report.wording import in_epochs


@styled
def losses_by_budget(summaries: Sequence[BudgetSummary]) -> Figure:
    """All losses at each budget as points over a box; losses and failures are counted below."""
    figure = new_figure(4.2)
    ax = figure.subplots()
    losses = [loss for each in summaries for loss in each.losses]
    ends = loss_axis(ax, losses)
    looks = budget_looks(each.budget for each in summaries)
    for place, each in enumerate(summaries):
        _points(ax, place, each.losses, looks[each.budget], ends)
        if each.losses:
            ax.boxplot(
                [ends.within(each.losses)],
                positions=[place],
                widths=0.5,
                showfliers=False,
                medianprops={"color": "black", "linewidth": 2},
            )
    ax.set_xticks(range(len(summaries)), [_label(each) for each in summaries])
    ax.set_xlabel("budget")
    ax.grid(axis="x", visible=False)
    ax.set_title("Losses by budget")
    return figure


def _points(ax: Axes, place: int, losses: Sequence[float], look: Look, ends: Limits) -> None:
    spread = np.linspace(-0.18, 0.18, 7)
    xs = [place + spread[(3 * index) % 7] for index in range(len(losses))]
    ax.plot(xs, ends.within(losses), look.marker, color=look.colour, markersize=5, alpha=0.8)


def _label(each: BudgetSummary) -> str:
    failed = f"\n{each.failed} failed" if each.failed else ""
    return f"{in_epochs(each.budget)}\n{len(each.losses)} losses{failed}"
