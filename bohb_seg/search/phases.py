"""The phases of a run, and the move from one to the next: search, runoff, comparison, end.

Rules:

- The *search* fills ``n_iterations`` brackets. If a comparison is planned and something finished,
  the *runoff* of the search's best follows (if there is room for it, see ``final_phase``), and the
  *comparison* of its winner with the default configuration. Then the run is finished.
- A request, a target or a limit ends the search early; the final phases follow all the same.
- A phase ends when nothing of it runs any more. Evaluations of earlier phases stay known, so that
  a late result is booked where it belongs or dropped.
"""

from collections.abc import Iterator, Mapping

from bohb_seg.search import final_phase
from bohb_seg.search.evaluations import Evaluation
from bohb_seg.search.events import Finish, Order
from bohb_seg.search.final_phase import Retrainings
from bohb_seg.search.optimizer import Optimizer
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Incumbent, Phase
from bohb_seg.search.search_phase import SearchPhase
from bohb_seg.trials import COMPARISON_BRACKET, RUNOFF_BRACKET, Attempt, Configuration

NEXT_PHASES: Mapping[Phase, tuple[Phase, ...]] = {
    "search": ("runoff", "comparison", "finished"),
    "runoff": ("comparison",),
    "comparison": ("finished",),
    "finished": (),
}


class Phases:
    """The phase that has the work, and those before it.

    Args:
        optimizer: Proposes configurations, lays out the rungs, is told the results.
        default: The default configuration.
        plan: Brackets and limits of the run, and its comparison.
    """

    def __init__(self, optimizer: Optimizer, default: Configuration, plan: Plan) -> None:
        self._default, self._plan = default, plan
        self.present: Phase = "search"
        self.search = SearchPhase(optimizer, default, plan)
        self._finals: dict[int, Retrainings] = {}  # by bracket, in the order of their beginning
        self._winner: Incumbent | None = None  # of the runoff
        self._stopped: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.present == "finished"

    @property
    def working(self) -> SearchPhase | Retrainings:
        """The phase that has the work now; after the end, the last one that had it."""
        return next(reversed(self._finals.values()), self.search)

    @property
    def incumbent(self) -> Incumbent | None:
        """The winner of the runoff, or the search's best; None while nothing has finished."""
        return self._winner or self.search.incumbent

    @property
    def begins_nothing(self) -> bool:
        """Whether no evaluation may start any more, because of the end or of a request for it."""
        return self.finished or (self.present == "search" and bool(self._why_enough()))

    def home(self, attempt: Attempt) -> SearchPhase | Retrainings:
        """The phase to which an attempt belongs."""
        return self._finals.get(attempt.evaluation.trial.bracket, self.search)

    def known(self, attempt: Attempt | None) -> Evaluation | None:
        """The evaluation of an attempt, or None if it is unknown."""
        return self.home(attempt).known(attempt.evaluation) if attempt else None

    def stop_search(self, reason: str) -> None:
        """Ends the search once nothing runs; the first reason stays."""
        self._stopped = self._stopped or reason

    def end(self) -> None:
        """Ends a run that is rebuilt and was finished, whatever the present rules would add."""
        self.present = "finished"

    def go_on(self) -> Iterator[Order]:
        """Moves to the next phase if the present one is over."""
        if self.present == "search" and (reason := self._why_search_is_over()):
            yield from self._end_search(reason)
        if self.present == "runoff" and self.working.finished:
            self._winner = final_phase.winner(self.search.best, self._finals[RUNOFF_BRACKET])
            self._compare(self._winner)
        if self.present == "comparison" and self.working.finished:
            yield self._finish("search and comparison are done")

    def _why_search_is_over(self) -> str | None:
        """The reason; None while something runs or may start."""
        if self.search.tally.states["running"]:
            return None
        return self._why_enough() or self.search.why_over()

    def _why_enough(self) -> str | None:
        """The reason to start nothing more although there is work; None without one."""
        target, best = self._plan.target_loss, self.search.incumbent
        if self._stopped is not None:
            return self._stopped
        if target is not None and best is not None and best.loss <= target:
            return f"the target loss {target:g} is reached"
        return None

    def _end_search(self, reason: str) -> Iterator[Order]:
        yield from self.search.close()
        best = self.search.best
        if self._plan.comparison_epochs is None:
            yield self._finish(reason)
        elif not best:
            yield self._finish(f"{reason}; no evaluation finished, nothing to compare")
        elif runoff := final_phase.runoff(best, self._plan):
            self._enter("runoff")
            self._finals[RUNOFF_BRACKET] = runoff
        else:
            self._compare(best[0])

    def _compare(self, best: Incumbent) -> None:
        plan = self._plan
        assert plan.comparison_epochs is not None
        self._enter("comparison")
        self._finals[COMPARISON_BRACKET] = final_phase.comparison(
            self._default, best, plan.comparison_epochs, plan.comparison_seeds
        )

    def _finish(self, reason: str) -> Finish:
        self._enter("finished")
        return Finish(reason)

    def _enter(self, phase: Phase) -> None:
        assert phase in NEXT_PHASES[self.present], (self.present, phase)
        self.present = phase
