"""The verdict of a run, by the rule by which the scheduler ended the comparison.

``search.verdict.judge`` decides; here its answer is put into words. Sentence, figures, tiles and
tables all show one :class:`~bohb_seg.search.verdict.Verdict`, so that they cannot disagree.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bohb_seg.report.analysis.configuration import same_configuration
from bohb_seg.report.analysis.incumbent import incumbent
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord
from bohb_seg.report.wording import decimals, is_number
from bohb_seg.search.verdict import (
    FEWEST_GROUPS,
    FIRST_LOOK,
    FOLDS,
    Difference,
    Quantity,
    Verdict,
)
from bohb_seg.trials import DEFAULT_ARM

MOST_NAMED = 12
"""Groups that a sentence names; of more it tells the number."""

RULE = (
    "How this is decided: both configurations are retrained with the same seeds and the same data."
    " For each seed the {reference}'s mIoU is subtracted from the incumbent's (the loss, where a"
    " worker reports no mIoU). After the third seed and after each further one, two intervals of"
    " the mean difference are looked at. If the 95 % interval lies on one side of 0, the incumbent"
    " is called better or worse, and no further seed is trained. Else, if the 90 % interval lies"
    " within delta of 0, the two are called equivalent. Else the verdict is undecided. Both"
    " intervals are so wide that the chance of a wrong answer at any of these looks is at most 5 %."
    " With five groups of test images or more they also hold what depends on the choice of images."
)


@dataclass(frozen=True)
class Told:
    """A verdict in words.

    Args:
        sentence: The answer.
        details: What one should know beside it, a paragraph each.
        rule: How it is decided.
    """

    sentence: str
    details: tuple[str, ...]
    rule: str


def judged(run: RunRecord) -> Verdict:
    """The verdict on what a run has retrained so far."""
    return run.compared.verdict


def told(run: RunRecord, verdict: Verdict) -> Told:
    """The verdict in words, also of a run whose comparison is missing or has just begun."""
    rule = RULE.format(reference=run.reference)
    missing = _missing(run)
    first = verdict.difference
    if missing or first is None:
        sentence = missing or "No seed has a result for both configurations yet."
        return Told(sentence, _left_out(verdict), rule)
    beside = [
        _numbers(each, run)
        for each in verdict.others
        if each.quantity.part == first.quantity.part and each.quantity.label is None
    ]
    details = (
        *_advice(run, verdict, first),
        *_about_folds(run, verdict),
        *beside,
        *_caveats(run, verdict, first),
        *_model(run, verdict),
    )
    return Told(_sentence(run, verdict, first), details, rule)


def of_classes(verdict: Verdict) -> list[Difference]:
    """Differences in the IoU of each class, on the part that says most about new images."""
    found = [each for each in verdict.others if each.quantity.label is not None]
    return [each for each in found if each.quantity.part == found[0].quantity.part]


def title(quantity: Quantity) -> str:
    """Name of a quantity for tables and sentences."""
    name = {"miou": "mIoU", "iou": f"IoU of {quantity.label}"}.get(quantity.name, quantity.name)
    return f"{name} over all folds" if quantity.part == FOLDS else f"{quantity.part} {name}"


def signed(value: float) -> str:
    """A difference with its sign."""
    return f"{'' if value < 0 else '+'}{decimals(value)}"


def delta_of(verdict: Verdict, quantity: Quantity) -> float:
    """The delta that counts for a quantity; 0 where none does."""
    return verdict.delta or 0.0 if quantity.name == "miou" else 0.0


def _missing(run: RunRecord) -> str | None:
    """Reason why there is nothing to compare; None if both arms are there."""
    rungs = {each.id.trial.rung for each in (*run.comparison, *run.folds)}
    if {DEFAULT_ARM, run.compared.arm} <= rungs and run.compared.arm != DEFAULT_ARM:
        return None
    if _default_leads(run) and (rungs or run.finish):
        if run.runoff:
            winner = f"The {run.reference} configuration"
            return f"{winner} won the runoff: nothing better than it was found."
        return f"The search found nothing better than the {run.reference} configuration."
    if run.finish is None:
        return "There is no verdict yet: the run is still going on, or was interrupted."
    return f"There is no verdict: the run ended without a comparison ({run.finish})."


def _default_leads(run: RunRecord) -> bool:
    best = incumbent(run)
    default = run.started.default
    return best is not None and same_configuration(best.attempt.configuration, default)


# --- the sentence -----------------------------------------------------------------------------


def _sentence(run: RunRecord, verdict: Verdict, first: Difference) -> str:
    name, place = title(first.quantity), _place(run, first)
    seeds = f"{len(first.seeds)} seed{'' if len(first.seeds) == 1 else 's'}"
    direction = "lower" if first.mean < 0 else "higher"
    change = f"{name} is {direction} by {decimals(abs(first.mean))}"
    if first.low is None or first.high is None:
        return (
            f"Undecided: {seeds} cannot decide, {FIRST_LOOK} are needed at least; so far the"
            f" incumbent's {change}."
        )
    assert first.inner_low is not None
    assert first.inner_high is not None
    measured = f"95 % interval {signed(first.low)} to {signed(first.high)}, {seeds}"
    match verdict.answer:
        case "better" | "worse":
            return (
                f"The incumbent is {verdict.answer} than the {run.reference}: its {change}"
                f" ({measured}), {place}."
            )
        case "equivalent":
            inner = f"90 % interval {signed(first.inner_low)} to {signed(first.inner_high)}"
            return (
                f"The incumbent is equivalent to the {run.reference}: the {name} differs by less"
                f" than {verdict.delta or 0:g} ({inner}, {seeds}), {place}."
            )
        case "undecided":
            return f"Undecided: the incumbent's {change} ({measured}), {place}."


def _place(run: RunRecord, first: Difference) -> str:
    """How far the answer reaches: over further images, or over further seeds only."""
    if first.images is not None:
        return "on images like these, whichever seed"
    if first.quantity.part == "validation":
        return "on these validation images, whichever seed"
    count = first.groups or run.started.data.get("test_groups")
    if first.groups == 1 or count == 1:
        return "on this one group of test images, whichever seed"
    groups = f"{count} groups of " if is_number(count) and count else ""
    return f"on these {groups}test images, whichever seed"


# --- beside it --------------------------------------------------------------------------------


def _advice(run: RunRecord, verdict: Verdict, first: Difference) -> Iterator[str]:
    """Ways to a decision, or to a verdict that says more."""
    command = f"bohb-master --resume --run-dir {shlex.quote(str(run.directory))}"
    if verdict.answer == "undecided":
        yield _more_seeds(run, verdict, first, command)
    if first.images is None and first.quantity.name == "miou" and first.quantity.part == "test":
        yield (
            f"How much of this hangs on the choice of test images cannot be told from fewer than"
            f" {FEWEST_GROUPS} groups of them; '{command} --final-folds K' retrains both"
            " configurations on K folds, so that every group tests once."
        )


def _more_seeds(run: RunRecord, verdict: Verdict, first: Difference, command: str) -> str:
    more = verdict.more_seeds
    if more is not None and run.finish is None:
        return f"About {more} more {_seeds(more)} would probably decide it."
    if more is not None:
        folds = max(1, run.compared.terms.folds)
        total = (len(verdict.seeds) + len(verdict.left_out) + more) * folds
        return (
            f"About {more} more {_seeds(more)} would probably decide it:"
            f" '{command} --final-seeds {total}'."
        )
    if (first.images or 0.0) ** 2 * len(first.seeds) > (first.spread or 0.0) ** 2:
        return (
            "More seeds would hardly decide it: most of the uncertainty is in the choice of images."
            " More groups of test images would say more."
        )
    planned = run.compared.terms.planned
    return (
        "No reasonable number of further seeds would probably decide it: the difference is too"
        f" small beside its spread, and seeds beyond the {planned} that were planned have only a"
        " small share of the error left. Seeds that are planned from the beginning"
        " (--final-seeds) find smaller differences."
    )


def _seeds(count: int) -> str:
    return "seed" if count == 1 else "seeds"


def _about_folds(run: RunRecord, verdict: Verdict) -> Iterator[str]:
    """Paragraphs on the folds, the groups that the search has seen, and the untouched part."""
    if not run.folds:
        return
    every = _groups(run.folds)
    untouched = _groups(run.comparison)
    yield (
        f"The verdict rests on {run.compared.terms.folds} folds: for every seed each of them tested"
        " once, and the pixels of all folds were counted together."
    )
    if untouched and untouched <= every:
        yield (
            f"The search has seen {_names(every - untouched)}: it learned from them or chose by"
            f" them, which may flatter the incumbent there. It has never seen {_names(untouched)}."
        )
    for each in verdict.others:
        if each.quantity == Quantity("test", "miou"):
            yield f"On the untouched part alone: {_numbers(each, run)}"


def _groups(evaluations: Sequence[EvaluationRecord]) -> set[str]:
    """Names of the groups that were tested."""
    tables = (each.info.parts.get("test", {}).get("groups") for each in evaluations)
    return {str(name) for table in tables if isinstance(table, Mapping) for name in table}


def _names(groups: set[str]) -> str:
    if len(groups) > MOST_NAMED:
        return f"{len(groups)} groups"
    return ", ".join(sorted(groups)) or "no group"


def _numbers(each: Difference, run: RunRecord) -> str:
    before, after = (sum(arm) / len(arm) for arm in (each.default, each.incumbent))
    text = (
        f"The {title(each.quantity)} is {decimals(before)} with the {run.reference} and"
        f" {decimals(after)} with the incumbent"
    )
    if each.low is None or each.high is None:
        return f"{text}."
    return f"{text}; 95 % interval of the difference {signed(each.low)} to {signed(each.high)}."


def _caveats(run: RunRecord, verdict: Verdict, first: Difference) -> Iterator[str]:
    yield from _left_out(verdict)
    if first.quantity.part == "validation":
        yield (
            "There is no test part: the search chose by the validation part, which flatters the"
            " incumbent."
        )
    if first.quantity.name == "loss":
        yield (
            "The workers report no mIoU, so the loss decides, and no difference is small enough to"
            " be called equivalent beforehand."
        )


def _left_out(verdict: Verdict) -> tuple[str, ...]:
    count = len(verdict.left_out)
    if not count:
        return ()
    names = ", ".join(str(seed) for seed in verdict.left_out)
    return (
        f"{count} {_seeds(count)} {'is' if count == 1 else 'are'} left out ({names}): a retraining"
        " of it diverged or failed.",
    )


def _model(run: RunRecord, verdict: Verdict) -> Iterator[str]:
    """The arm whose model was kept, if it is not the incumbent."""
    earlier = "final_delta" not in run.started.settings  # then the incumbent's model was kept
    if verdict.answer in ("worse", "equivalent") and not earlier:
        yield (
            f"So model.keras in the run directory is the best retrained model of the"
            f" {run.reference}."
        )
