"""Section: the verdict."""

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.verdict import paired_differences, verdict
from bohb_seg.report.figures import verdict as figures
from bohb_seg.report.sections.section import Section, picture
from bohb_seg.report.tables import verdict as tables

ANCHOR = "verdict"


def section(run: RunRecord) -> Section:
    """The answer in one sentence, with the paired differences behind it."""
    found = arms(run)
    answer, differences = verdict(run, found), paired_differences(found)
    pictures = []
    if differences:
        pictures.append(
            picture(
                "verdict",
                figures.paired_seeds(differences),
                "Each grey line is one seed and goes from the result of the default to that of the"
                " incumbent; black bars are means. Lines that all run the same way speak for a real"
                " difference.",
                "Results of default and incumbent for every seed, joined by lines.",
            )
        )
    return Section(
        ANCHOR,
        "Verdict",
        (answer.sentence, *answer.details, answer.rule),
        tuple(pictures),
        (tables.paired_differences(differences), tables.retrainings(found)) if found else (),
    )
