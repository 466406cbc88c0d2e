"""START HERE: the nouns of a search, the news that come in and the orders that go out.

The whole service is one loop: news come in, are written to the journal and given to the scheduler,
whose orders are written to the journal and sent. Everything in this file is a frozen value made of
plain Python, because it crosses the wire and lies in the journal.

Words (HpBandSter's in brackets): *bracket* (iteration), *rung* (stage), *trial*: a configuration
being tried (config_id), *budget*: epochs in total, *evaluation*: one trial at one budget (job),
*attempt*: one try of an evaluation on one worker.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

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


@dataclass(frozen=True)
class WorkersChanged:
    """Workers came or went; what a worker that left was doing must be done again.

    A worker leaves by itself, or is taken to have left when its lease ran out: it was killed,
    frozen or cut off.

    Args:
        joined: Who is there now.
        left: Who is not; they go first, so a worker may be in both.
        doing: Of those that joined, who is still at an attempt it was given earlier (it was frozen
            or cut off, and went on).
    """

    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    doing: Mapping[str, Attempt] = field(default_factory=dict)


Outcome = Literal["finished", "diverged", "crashed"]


@dataclass(frozen=True)
class Evaluated:
    """An attempt came to its end.

    Args:
        loss: Finite if and only if the outcome is ``finished``; else None.
        outcome: ``diverged`` (NaN or infinite loss: bad, not retried) or ``crashed`` (retried).
        info: What the worker tells beside the loss, plain Python.
        error: The worker's traceback, or what it says of the divergence.
    """

    evaluation: EvaluationId
    attempt: int
    worker: str
    outcome: Outcome
    loss: float | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    def __post_init__(self) -> None:
        finite = self.loss is not None and math.isfinite(self.loss)
        if finite != (self.outcome == "finished"):
            raise ValueError(f"a {self.outcome} evaluation cannot have the loss {self.loss}")


@dataclass(frozen=True)
class StopRequested:
    """The search is long enough: rungs stay unfinished, what runs may end, the comparison follows.

    (A run that is interrupted to be resumed later needs no news: its master just leaves.)
    """

    reason: str


News = WorkersChanged | Evaluated | StopRequested


# --- orders: what the scheduler wants done ----------------------------------------------------


@dataclass(frozen=True)
class Evaluate:
    """Let this worker train this configuration until it has seen ``budget`` epochs in total."""

    evaluation: EvaluationId
    attempt: int
    worker: str
    configuration: Configuration
    model_based: bool = False


@dataclass(frozen=True)
class Settled:
    """This attempt decided the evaluation: whatever other attempts bring is dropped.

    It follows at once on the news of that attempt. The first result wins; a crash settles an
    evaluation only if it was the last that is allowed.
    """

    evaluation: EvaluationId
    attempt: int
    worker: str


@dataclass(frozen=True)
class Discard:
    """The trial is eliminated or done: its checkpoint is not needed any more."""

    trial: TrialId


@dataclass(frozen=True)
class BracketFinished:
    """Every rung of this bracket is decided."""

    bracket: int


@dataclass(frozen=True)
class Finish:
    """Nothing is left to do: search and comparison are over, or were stopped."""

    reason: str


Order = Evaluate | Settled | Discard | BracketFinished | Finish
