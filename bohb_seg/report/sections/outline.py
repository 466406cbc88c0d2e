"""The order of the sections on the page."""

from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.sections import (
    budgets,
    class_iou,
    configuration,
    confusion,
    cost,
    evaluations,
    failures,
    hyperparameters,
    incumbent,
    learning_curves,
    loss_curves,
    patches,
    picks,
    precision_and_recall,
    precision_recall,
    ranking,
    rungs,
    runoff,
    verdict,
    workers,
)
from bohb_seg.report.sections.section import Section


def sections(run: RunRecord) -> tuple[Section, ...]:
    """All sections of the page."""
    return (*_comparison(run), *_search(run))


def _comparison(run: RunRecord) -> tuple[Section, ...]:
    """Sections on default and incumbent: which is better, and what their networks predict."""
    return (
        verdict.section(run),
        configuration.section(run),
        loss_curves.section(run),
        precision_recall.section(run),
        precision_and_recall.section(run),
        class_iou.section(run),
        confusion.section(run),
        *patches.sections(run),
    )


def _search(run: RunRecord) -> tuple[Section, ...]:
    """Sections on the search: its course, its lessons and its cost."""
    return (
        *runoff.sections(run),
        incumbent.section(run),
        learning_curves.section(run),
        rungs.section(run),
        budgets.section(run),
        ranking.section(run),
        picks.section(run),
        hyperparameters.section(run),
        workers.section(run),
        failures.section(run),
        cost.section(run),
        evaluations.section(run),
    )
