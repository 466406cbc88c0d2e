"""START HERE: the nouns of a search, the news that come in and the orders that go out.

The whole service is one loop: news come in, are written to the journal and given to the scheduler,
whose orders are written to the journal and sent. Everything in this file is a frozen value made of
plain Python, because it crosses the wire and lies in the journal.

Words (HpBandSter's in brackets): *bracket* (iteration), *rung* (stage), *trial*: a configuration
being tried (config_id), *budget*: epochs in total, *evaluation*: one trial at one budget (job),
*attempt*: one try of an evaluation on one worker.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

Configuration = Mapping[str, bool | int | float | str | None]
"""A point of the search space; only the active hyperparameters, as plain Python values."""

COMPARISON_BRACKET = -1
"""Not a bracket of the search: the retraining of default and incumbent at its end.

There ``TrialId.rung`` is the arm (see below) and ``TrialId.number`` the index of the seed, so that
the two arms share their seeds."""
DEFAULT_ARM = 0
INCUMBENT_ARM = 1
RUNOFF_BRACKET = -2
"""Nor is this: the search's best few trained once more with further seeds, before the comparison.

There ``TrialId.rung`` is the candidate's rank in the search and ``TrialId.number`` the index of the
seed, so that all candidates share their seeds."""


class TrialId(NamedTuple):
    """HpBandSter's ``config_id``: bracket, the rung it was sampled for, running number there."""

    bracket: int
    rung: int
    number: int


class EvaluationId(NamedTuple):
    """One trial at one budget (epochs in total)."""

    trial: TrialId
    budget: float


class Attempt(NamedTuple):
    """One try of an evaluation; numbered from 1."""

    evaluation: EvaluationId
    number: int


@dataclass(frozen=True)
class Suggestion:
    """A configuration an optimizer proposes, and whether its model (not chance) picked it."""

    configuration: Configuration
    model_based: bool = False


class Observation(NamedTuple):
    """What an optimizer learns of an evaluation; the loss is None if it diverged or failed."""

    configuration: Configuration
    budget: float
    loss: float | None


# --- news: what happened; given to Scheduler.handle ------------------------------------------


# --- orders: what the scheduler wants done ----------------------------------------------------


def evaluation_name(evaluation: EvaluationId) -> str:
    """What a person calls it."""
    (bracket, rung, number), budget = evaluation
    if bracket == COMPARISON_BRACKET:
        arm = "default" if rung == DEFAULT_ARM else "incumbent"
        return f"{arm} retrained for {budget:g} epochs, seed {number}"
    if bracket == RUNOFF_BRACKET:
        return f"candidate {rung + 1} trained again for {budget:g} epochs, seed {number}"
    return f"trial {bracket}-{rung}-{number} after {budget:g} epochs"


def trial_name(trial: TrialId) -> str:
    """``bracket-rung-number``, as the checkpoints are named; in words after the search."""
    if trial.bracket == RUNOFF_BRACKET:
        return f"candidate {trial.rung + 1}, seed {trial.number}"
    if trial.bracket == COMPARISON_BRACKET:
        return f"{'default' if trial.rung == DEFAULT_ARM else 'incumbent'}, seed {trial.number}"
    return "-".join(map(str, trial))
