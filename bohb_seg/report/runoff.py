"""The runoff: how the search's best few fared with further seeds, and how much was luck. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from bohb_seg.report.history import Evaluation, Run
from bohb_seg.report.search import runoff_winner, same
from bohb_seg.report.style import in_epochs
from bohb_seg.report.tables import shown
from bohb_seg.trials import Configuration, trial_name


@dataclass(frozen=True)
class Candidate:
    """A configuration that took part in the runoff.

    Args:
        number: Its place in the search, from 1.
        search: Its evaluation in the search, at the budget of the runoff.
        search_loss: The loss of that.
        losses: One per re-evaluation, in order of the seeds; None without a loss (yet).
        failed: Re-evaluations that diverged or failed.
        won: Whether the runoff has ended, and this is its winner.
    """

    number: int
    search: Evaluation
    search_loss: float
    losses: tuple[float | None, ...]
    failed: int
    won: bool

    @property
    def mean(self) -> float | None:
        """Of the re-evaluations; None if one has no loss, for then it is worse than any number."""
        known = [loss for loss in self.losses if loss is not None]
        return fmean(known) if len(known) == len(self.losses) else None

    @property
    def luck(self) -> float | None:
        """By how much the search's loss was lower than that mean."""
        return None if self.mean is None else self.mean - self.search_loss


def candidates(run: Run) -> tuple[Candidate, ...]:
    """All of them, in their order in the search; none if there was no runoff."""
    winner = runoff_winner(run)
    ranks = sorted({each.id.trial.rung for each in run.runoff})
    return tuple(
        _candidate(run, rank, won=winner is not None and winner.id.trial.rung == rank)
        for rank in ranks
    )


def differences(configuration: Configuration, default: Configuration) -> str:
    """A configuration in short: where it differs from the default."""
    differing = [
        f"{name} {shown(value)}"
        for name, value in configuration.items()
        if name not in default or not same({name: value}, {name: default[name]})
    ]
    return ", ".join(differing) or "the default configuration"


def sentences(found: Sequence[Candidate]) -> tuple[str, ...]:
    """What the runoff is for, who won it, and how much of the search's losses was luck."""
    first = found[0]
    why = (
        "A search takes the lowest of many noisy losses, so what it finds is lucky as well as good."
        f" Its best {len(found)} configurations were therefore trained again for"
        f" {in_epochs(first.search.budget)} with {_seeds(first)}, the same for all; only the mean"
        " of these losses decides which of them is the incumbent."
    )
    winner = next((each for each in found if each.won), None)
    if winner is None:
        return why, "The runoff has not ended yet, so nothing is decided."
    return why, f"{_result(winner, first)} {_luck(found)}".strip()


def _candidate(run: Run, rank: int, *, won: bool) -> Candidate:
    its = {each.id.trial.number: each for each in run.runoff if each.id.trial.rung == rank}
    seeds = max(each.id.trial.number for each in run.runoff) + 1
    one = next(iter(its.values()))
    known = [
        (each.loss, each)
        for each in run.finished
        if each.loss is not None
        and each.budget == one.budget
        and same(each.attempt.configuration, one.attempt.configuration)
    ]
    loss, search = min(known, key=lambda pair: pair[0])
    losses = tuple(its[seed].loss if seed in its else None for seed in range(seeds))
    failed = sum(each.attempt.fate in ("diverged", "crashed") for each in its.values())
    return Candidate(rank + 1, search, loss, losses, failed, won)


def _result(winner: Candidate, first: Candidate) -> str:
    name = f"Trial {trial_name(winner.search.id.trial)}"
    if winner.mean is None:
        return f"No candidate has a loss with every seed, so {name}, the search's best, is kept."
    change = f"from {winner.search_loss:.4f} in the search to a mean of {winner.mean:.4f}"
    if winner is first:
        return f"{name}, the search's best, won: its loss went {change}."
    best = f"trial {trial_name(first.search.id.trial)}"
    other = "failed with one of the seeds" if first.mean is None else f"has {first.mean:.4f}"
    return (
        f"{name}, number {winner.number} of the search, won: its loss went {change}, while the"
        f" search's best, {best} with {first.search_loss:.4f}, {other}."
    )


def _luck(found: Sequence[Candidate]) -> str:
    known = [each.luck for each in found if each.luck is not None]
    if not known:
        return ""
    luck = fmean(known)
    if luck <= 0:
        return "On average the further seeds were no worse than the search's: it was not lucky."
    return (
        f"On average losses are higher by {luck:.4f} with the further seeds: about so much of what"
        " the search promised was luck."
    )


def _seeds(candidate: Candidate) -> str:
    count = len(candidate.losses)
    return "one further seed" if count == 1 else f"{count} further seeds each"
