"""Section: the verdict."""

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.verdict import judged, told
from bohb_seg.report.figures import verdict as figures
from bohb_seg.report.sections.section import Gap, Picture, Section, listed, picture, stands_alone
from bohb_seg.report.tables import verdict as tables
from bohb_seg.search.verdict import Difference, Verdict

HEADING = "verdict", "Verdict"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The answer in one sentence, with the paired differences behind it."""
    verdict, found = judged(run), arms(run)
    answer, differences = told(run, verdict), _differences(verdict)
    lists = (
        listed(
            "paired_differences",
            lambda: tables.paired_differences(verdict, differences, run.reference),
        ),
        listed("comparison_seeds", lambda: tables.retrainings(found)),
    )
    return Section(
        *HEADING,
        (answer.sentence, *answer.details, answer.rule),
        _pictures(run, verdict, differences),
        lists if found or differences else (),
    )


def _differences(verdict: Verdict) -> list[Difference]:
    """Differences in loss and mIoU on every part, the one that decides first."""
    others = [each for each in verdict.others if each.quantity.label is None]
    return [verdict.difference, *others] if verdict.difference else others


def _pictures(
    run: RunRecord, verdict: Verdict, differences: list[Difference]
) -> tuple[Picture | Gap, ...]:
    if verdict.difference is None:
        return ()
    return (
        picture(
            "verdict",
            lambda: figures.difference(verdict, run.reference),
            _caption(run, verdict),
            "The difference of every seed, its mean and the intervals of the mean.",
        ),
        picture(
            "paired_seeds",
            lambda: figures.paired_seeds(differences, run.reference),
            f"Each grey line is one seed and goes from the result of the {run.reference} to"
            " that of the incumbent; black bars are means. The first panel is the quantity that"
            " decides.",
            f"Results of {run.reference} and incumbent for every seed, joined by lines.",
        ),
    )


def _caption(run: RunRecord, verdict: Verdict) -> str:
    """How to read the picture, and what it says here."""
    found = {
        "better": "Here the thin line lies on the better side of 0: better.",
        "worse": "Here the thin line lies on the worse side of 0: worse.",
        "equivalent": "Here the thin line holds 0 and the thick one lies in the green band:"
        " equivalent.",
        "undecided": "Here neither line settles it: undecided."
        if verdict.low is not None
        else "There are too few seeds for an interval yet.",
    }[verdict.answer]
    band = (
        f" The green band holds the differences of at most {verdict.delta:g} that count as none."
        if verdict.delta is not None
        else ""
    )
    return (
        f"Each dot is one seed: the incumbent's result minus that of the {run.reference}. The"
        " diamond is their mean, the thin line its 95 % interval, the thick line its 90 %"
        f" interval.{band} {found}"
    )
