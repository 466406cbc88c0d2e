"""The runoff: losses of the search's best few with further seeds, and how much was luck."""

from collections.abc import Sequence
from dataclasses import dataclass

from bohb_seg.report.analysis.averages import mean
from bohb_seg.report.analysis.configuration import same_configuration
from bohb_seg.report.analysis.incumbent import runoff_winner
from bohb_seg.report.analysis.records import EvaluationRecord, RunRecord
from bohb_seg.report.wording import decimals, in_epochs
from bohb_seg.trials import trial_name


@dataclass(frozen=True)
class Candidate:
    """A configuration that took part in the runoff.

    Args:
        number: Its place in the search, from 1.
        search: Its evaluation in the search, at the budget of the runoff.
        search_loss: Loss of that evaluation.
        losses: Losses with further seeds, in order of the seeds; None without a loss (yet).
        failed: Number of re-evaluations that diverged or crashed.
        rotated: Whether other groups of images validated some of the trainings.
        won: Whether the runoff has ended, and this is its winner.
    """

    number: int
    search: EvaluationRecord
    search_loss: float
    losses: tuple[float | None, ...]
    failed: int
    rotated: bool
    won: bool

    @property
    def mean(self) -> float | None:
        """Mean loss with further seeds; None if one is missing, which is worse than any number."""
        known = [loss for loss in self.losses if loss is not None]
        return mean(known) if len(known) == len(self.losses) else None

    @property
    def luck(self) -> float | None:
        """Luck in the loss of the search: the mean with further seeds minus that loss."""
        return None if self.mean is None else self.mean - self.search_loss


def candidates(run: RunRecord) -> tuple[Candidate, ...]:
    """All candidates in their order in the search; none if there was no runoff."""
    winner = runoff_winner(run)
    ranks = sorted({each.id.trial.rung for each in run.runoff})
    return tuple(
        _candidate(run, rank, won=winner is not None and winner.id.trial.rung == rank)
        for rank in ranks
    )


def sentences(found: Sequence[Candidate]) -> tuple[str, ...]:
    """The purpose of the runoff, its winner, and the share of luck in the losses of the search."""
    first = found[0]
    which = "The best of them was" if len(found) == 1 else f"The best {len(found)} of them were"
    why = (
        "A search takes the lowest of many noisy losses, so its best configurations are lucky as"
        f" well as good. {which} therefore trained again for {in_epochs(first.search.budget)} with"
        f" {_seeds(found)}, the same for all. Only the mean of these losses decides which of them"
        " is the incumbent."
    )
    rotated = any(each.rotated for each in found)
    if rotated:
        why += (
            " Each seed was validated on other groups of images, the same for all candidates, so"
            " that not those decide by which the search chose."
        )
    winner = next((each for each in found if each.won), None)
    if winner is None:
        return why, "The runoff has not ended yet, so nothing is decided."
    return why, f"{_result(winner, first)} {_luck(found, rotated)}".strip()


def _candidate(run: RunRecord, rank: int, *, won: bool) -> Candidate:
    again = {each.id.trial.number: each for each in run.runoff if each.id.trial.rung == rank}
    # In a race a candidate that could not win any more had no further seeds.
    had = (
        again if "final_delta" in run.started.settings else {e.id.trial.number for e in run.runoff}
    )
    seeds = max(had) + 1
    losses = tuple(again[seed].loss if seed in again else None for seed in range(seeds))
    failed = sum(each.attempt.fate in ("diverged", "crashed") for each in again.values())
    loss, search = _in_search(run, next(iter(again.values())))
    rotated = any(each.info.rotation is not None for each in again.values())
    return Candidate(rank + 1, search, loss, losses, failed, rotated, won)


def _in_search(run: RunRecord, again: EvaluationRecord) -> tuple[float, EvaluationRecord]:
    """The lowest loss in the search of a configuration, at the budget of the runoff."""
    known = [
        (each.loss, each)
        for each in run.finished
        if each.loss is not None
        and each.budget == again.budget
        and same_configuration(each.attempt.configuration, again.attempt.configuration)
    ]
    return min(known, key=lambda pair: pair[0])


def _result(winner: Candidate, first: Candidate) -> str:
    name = trial_name(winner.search.id.trial)
    if winner.mean is None:
        return (
            f"No candidate has a loss with every seed, so trial {name}, the search's best, is kept."
        )
    change = (
        f"from {decimals(winner.search_loss)} in the search to a mean of {decimals(winner.mean)}"
    )
    if winner is first:
        return f"Trial {name}, the search's best, won: its loss went {change}."
    best = f"trial {trial_name(first.search.id.trial)}"
    other = "failed with one of the seeds" if first.mean is None else f"has {decimals(first.mean)}"
    return (
        f"Trial {name}, number {winner.number} of the search, won: its loss went {change}. The"
        f" search's best, {best} with {decimals(first.search_loss)}, {other}."
    )


def _luck(found: Sequence[Candidate], rotated: bool) -> str:
    known = [each.luck for each in found if each.luck is not None]
    if not known:
        return ""
    luck = mean(known)
    if luck <= 0:
        return "On average the losses with further seeds are no higher: the search was not lucky."
    much = (
        "about that much of what the search promised was luck with its seed or its images"
        if rotated
        else "about that much of what the search promised was luck"
    )
    return f"On average the losses with further seeds are higher by {decimals(luck)}: {much}."


def _seeds(found: Sequence[Candidate]) -> str:
    fewest, most = min(len(each.losses) for each in found), max(len(each.losses) for each in found)
    if fewest < most:
        return f"{fewest} to {most} further seeds, more where it could still win"
    return "one further seed" if most == 1 else f"{most} further seeds each"
