"""Section: the verdict."""

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.verdict import paired_differences, verdict
from bohb_seg.report.figures import verdict as figures
from bohb_seg.report.sections.section import Gap, Picture, Section, listed, picture, stands_alone
from bohb_seg.report.tables import verdict as tables

HEADING = "verdict", "Verdict"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The answer in one sentence, with the paired differences behind it."""
    found = arms(run)
    answer, differences = verdict(run, found), paired_differences(found)
    pictures: list[Picture | Gap] = []
    if differences:
        pictures.append(
            picture(
                "verdict",
                lambda: figures.paired_seeds(differences),
                f"Each grey line is one seed and goes from the result of the {run.reference} to"
                " that of the incumbent; black bars are means. Lines that all run the same way"
                " speak for a real difference.",
                f"Results of {run.reference} and incumbent for every seed, joined by lines.",
            )
        )
    lists = (
        listed("paired_differences", lambda: tables.paired_differences(differences)),
        listed("comparison_seeds", lambda: tables.retrainings(found)),
    )
    return Section(
        *HEADING,
        (answer.sentence, *answer.details, answer.rule),
        tuple(pictures),
        lists if found else (),
    )
