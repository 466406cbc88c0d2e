"""News that come in and orders that go out: everything that crosses the scheduler's border.

The whole service is one loop: news come in, are given to the scheduler, are written to the journal
together with the orders that follow, and only then the orders are sent. Everything here is a frozen
value of plain Python, because it lies in the journal, which also stores the names of the classes.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from bohb_seg.search.plan import Plan
from bohb_seg.trials import GIVEN_UP, Attempt, Configuration, EvaluationId, Info, TrialId


@dataclass(frozen=True)
class WorkersChanged:
    """Workers came or went; the evaluation of a worker that left must be done again.

    A worker leaves by itself, or is taken to have left when its lease ran out: it was killed,
    frozen or cut off.

    Args:
        joined: Workers that are there now.
        left: Workers that are gone; they go first, so a worker may be in both.
        doing: Attempts at which workers that joined still are, because they were frozen or cut off
            and went on.
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
        info: The worker's facts beside the loss, the table that :attr:`facts` reads.
        error: The worker's traceback, or its words about the divergence.
        final: Whether another attempt would end alike, so that a crash is not tried again.
        lost_on: Machine on which the worker was lost with the attempt; the news that it left
            follow. "" if the worker is still there.
    """

    evaluation: EvaluationId
    attempt: int
    worker: str
    outcome: Outcome
    loss: float | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    final: bool = False
    lost_on: str = ""

    def __post_init__(self) -> None:
        finite = self.loss is not None and math.isfinite(self.loss)
        if finite != (self.outcome == "finished"):
            raise ValueError(f"a {self.outcome} evaluation cannot have the loss {self.loss}")
        if (self.final or self.lost_on) and self.outcome != "crashed":
            raise ValueError(f"a {self.outcome} evaluation has not lost its worker")

    @property
    def given_up(self) -> bool:
        """Whether a worker stopped because nobody waited for the result; a time limit is final."""
        return not self.final and (self.error or "").startswith(GIVEN_UP)

    @cached_property
    def facts(self) -> Info:
        """The worker's facts by their names."""
        return Info.read(self.info)


@dataclass(frozen=True)
class StopRequested:
    """The search is long enough.

    Evaluations that run may end, rungs stay unfinished, the comparison follows.

    (A run that is interrupted to be resumed later needs no news: its master just leaves.)

    Args:
        reason: Reason in words, for people.
        waits: Whether evaluations that run may end; else they are given up.
    """

    reason: str
    waits: bool = True


@dataclass(frozen=True)
class PlanChanged:
    """From here on the run has another plan; one that was finished may have work again.

    More brackets re-open the search; more seeds, or folds, re-open the comparison.

    Args:
        plan: The whole plan, also what stays as it was.
        reason: Reason in words, for people.
    """

    plan: Plan
    reason: str


News = WorkersChanged | Evaluated | StopRequested | PlanChanged


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
    """This attempt decided the evaluation; results of other attempts are dropped.

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
class IncumbentChosen:
    """The incumbent that is compared with the default from here on.

    The comparison begins with it, and goes on with it when the plan has changed. Runs of earlier
    versions lack it: there the incumbent's arm is ``INCUMBENT_ARM``.

    Args:
        trial: Its trial in the search.
        arm: ``TrialId.rung`` of its retrainings, in comparison and folds: ``DEFAULT_ARM`` if the
            default itself won, ``INCUMBENT_ARM``, or more if others were compared before.
    """

    trial: TrialId
    arm: int


@dataclass(frozen=True)
class Finish:
    """Nothing is left to do: search and comparison are over, or were stopped."""

    reason: str


Order = Evaluate | Settled | Discard | BracketFinished | IncumbentChosen | Finish
