"""Section: the incumbent's configuration beside the default."""

from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.configuration import Picker, picked_by
from bohb_seg.report.analysis.incumbent import incumbent
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord
from bohb_seg.report.analysis.runoff import candidates
from bohb_seg.report.sections.section import Section, listed, stands_alone
from bohb_seg.report.tables import configuration as tables
from bohb_seg.report.wording import decimals, in_epochs
from bohb_seg.trials import Configuration, trial_name

HEADING = "configuration", "The incumbent and what it is compared with"

ORIGINS: dict[Picker, str] = {
    "default": "the default configuration itself",
    "baseline": "the baseline itself",
    "recipe": "one of the recipes that were tried first",
    "model": "picked by the model",
    "random": "drawn at random",
}


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """Both configurations, and the reason why the incumbent is the incumbent."""
    best = incumbent(run)
    retrained = _retrained(run, best)
    table = listed("configuration", lambda: tables.configurations(retrained, run))
    if best is None:
        reason = f"No evaluation has finished yet, so there is only the {run.reference}."
        return Section(*HEADING, tables=(table,), empty=reason)
    origin = ORIGINS[picked_by(run, best)]
    sentence = f"The incumbent is trial {trial_name(best.id.trial)}, {origin}: {_why(run, best)}"
    return Section(*HEADING, (sentence, *_about_baseline(run)), tables=(table,))


def _about_baseline(run: RunRecord) -> tuple[str, ...]:
    """The origin of the baseline, and whether the search tried it."""
    if not run.started.baseline:
        return ()
    tried = any(picked_by(run, each) == "baseline" for each in run.evaluations)
    beyond = "" if tried else "; it lies outside the search space, so the search did not try it"
    return (f"The baseline is {run.started.baseline}{beyond}.",)


def _retrained(run: RunRecord, best: EvaluationRecord | None) -> Configuration | None:
    """The configuration that was retrained as the incumbent, or else leads now."""
    for arm in arms(run):
        if arm.name == "incumbent":
            return arm.configuration
    return None if best is None else best.attempt.configuration


def _why(run: RunRecord, best: EvaluationRecord) -> str:
    loss = f"{decimals(best.loss or 0.0)} on the validation part after {in_epochs(best.budget)}"
    winner = next((each for each in candidates(run) if each.won), None)
    if winner is None:
        return f"its loss of {loss} is the lowest at the largest budget reached."
    if winner.mean is None:
        return (
            f"its loss of {loss} is the lowest of the search, and no candidate passed the runoff."
        )
    return (
        f"of the candidates of the runoff it has the lowest mean loss, {decimals(winner.mean)}; its"
        f" loss in the search was {loss}."
    )
