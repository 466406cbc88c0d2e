"""The phases of a run, and the move from one to the next: search, runoff, comparison, folds, end.

Rules:

- The *search* fills ``n_iterations`` brackets. If a comparison is planned and something finished,
  the *runoff* of the search's best follows (if there is room for it, see ``runoff``), and the
  *comparison* of its winner with the default configuration, and both on *folds* if there are any.
  Then the run is finished.
- A request, a target or a limit ends the search early; the final phases follow all the same. A
  request may give up what runs: its workers are strays.
- Search and runoff end when nothing of them runs any more, comparison and folds when the verdict is
  final. Evaluations of other phases stay known, so that a late result is booked where it belongs or
  dropped.
- A plan that changes moves a run back: more brackets to the search, which then has a new runoff and
  a comparison of its winner; anything else moves a finished run to the comparison, which is over at
  once if the verdict needs no more. Brackets that a search left unfinished are not gone on with:
  their checkpoints are gone.
"""

from collections.abc import Iterable, Iterator, Mapping

from bohb_seg.search.evaluations import Evaluation
from bohb_seg.search.events import Finish, Order
from bohb_seg.search.final_phase import Finals
from bohb_seg.search.optimizer import Optimizer
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Incumbent, Phase
from bohb_seg.search.retrainings import Retrainings
from bohb_seg.search.search_phase import SearchPhase
from bohb_seg.trials import FINAL_PHASES, Attempt, Configuration, TrialId

NEXT_PHASES: Mapping[Phase, tuple[Phase, ...]] = {
    "search": ("runoff", "comparison", "finished"),
    "runoff": ("comparison", "search"),
    "comparison": ("folds", "finished", "search"),
    "folds": ("comparison", "finished", "search"),
    "finished": ("search", "comparison"),
}
_BRACKETS: Mapping[Phase, int] = {phase: bracket for bracket, phase in FINAL_PHASES.items()}


class Phases:
    """The phase that has the work, and those before it.

    Args:
        optimizer: Proposes configurations, lays out the rungs, is told the results.
        default: The default configuration.
        plan: Brackets and limits of the run, and its comparison.
    """

    def __init__(self, optimizer: Optimizer, default: Configuration, plan: Plan) -> None:
        self.plan = plan
        self.present: Phase = "search"
        self.search = SearchPhase(optimizer, default, plan)
        self.finals = Finals(default)
        self._working: SearchPhase | Retrainings = self.search
        self._winner: Incumbent | None = None  # of the latest runoff, or of a search without one
        self._stopped: str | None = None
        self._waits = True  # for what runs of a search that was stopped
        self.why_search_ended = ""
        """Reason of the latest end of the search."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.present == "finished"

    @property
    def working(self) -> SearchPhase | Retrainings:
        """The phase that has the work now; after the end, the last one that had it."""
        return self._working

    @property
    def live(self) -> set[TrialId]:
        """Trials that may still need their checkpoint."""
        finals = (its.live for its in self.finals.retrainings.values())
        return set(self.search.live).union(*finals)

    @property
    def incumbent(self) -> Incumbent | None:
        """The winner of the runoff, or the search's best; None while nothing has finished."""
        return self._winner or self.search.incumbent

    @property
    def begins_nothing(self) -> bool:
        """Whether no evaluation may start any more, because of the end or of a request for it."""
        return self.finished or (self.present == "search" and bool(self._why_enough()))

    def next_for(self, worker: str, workers: Iterable[str]) -> Evaluation | None:
        """The evaluation that ``worker`` should do; what is needed later, if nothing is now."""
        if found := self._working.next_for(worker, workers):
            return found
        if self.present == "runoff":
            return self.finals.comparison.retrainings.next_for(worker, workers)
        if self.present not in ("comparison", "folds"):
            return None
        duel = self.finals.comparison if self.present == "comparison" else self.finals.folds
        while found is None and not duel.retrainings.waits and duel.look_ahead():
            found = duel.retrainings.next_for(worker, workers)
        return found

    @property
    def waits(self) -> bool:
        """Whether something waits for a worker other than those that cannot take it."""
        ahead = self.present == "runoff" and self.finals.comparison.retrainings.waits
        return ahead or self._working.tally.states["waiting"] > 0

    def home(self, attempt: Attempt) -> SearchPhase | Retrainings:
        """The phase to which an attempt belongs."""
        return self.finals.retrainings.get(attempt.evaluation.trial.bracket, self.search)

    def known(self, attempt: Attempt | None) -> Evaluation | None:
        """The evaluation of an attempt, or None if it is unknown."""
        return self.home(attempt).known(attempt.evaluation) if attempt else None

    def stop_search(self, reason: str, waits: bool = True) -> None:
        """Ends the search, once nothing runs if it waits for that; the first reason stays."""
        self._stopped = self._stopped or reason
        self._waits = self._waits and waits

    def end(self) -> None:
        """Ends a run that is rebuilt and was finished, whatever the present rules would add."""
        self.present = "finished"

    def change(self, plan: Plan) -> Iterator[Order]:
        """Goes by another plan from here on."""
        has_more = plan.n_iterations > self.plan.n_iterations
        self.plan = plan
        self.search.change(plan)
        self.finals.change(plan)
        if has_more:
            self._stopped, self._waits = None, True
            if self.present != "search":
                self._enter("search")
        elif self._winner is not None and self.present in ("comparison", "folds", "finished"):
            yield from self._compare(self._winner)
        elif self.finished:
            yield Finish("the search is over, and there is nothing to compare")

    def go_on(self) -> Iterator[Order]:
        """Moves to the next phase if the present one is over."""
        if self.present == "search" and (reason := self._why_search_is_over()):
            yield from self._end_search(reason)
        if self.present == "runoff" and (winner := self.finals.runoff.winner()):
            yield from self._compare(winner)
        if self.present == "comparison" and self.finals.is_compared(self.plan):
            if self.finals.has_folds:
                self._enter("folds")
            else:
                yield self._finish("search and comparison are done")
        if self.present == "folds" and self.finals.is_folded(self.plan):
            yield self._finish("search and comparison are done")

    def _why_search_is_over(self) -> str | None:
        """The reason; None while something runs or may start."""
        if self.search.tally.states["running"] and self._waits:
            return None
        return self._why_enough() or self.search.why_over()

    def _why_enough(self) -> str | None:
        """The reason to start nothing more although there is work; None without one."""
        target, best = self.plan.target_loss, self.search.incumbent
        if self._stopped is not None:
            return self._stopped
        if target is not None and best is not None and best.loss <= target:
            return f"the target loss {target:g} is reached"
        return None

    def _end_search(self, reason: str) -> Iterator[Order]:
        self.why_search_ended = reason
        yield from self.search.close()
        best = self.search.best
        if self.plan.comparison_epochs is None:
            yield self._finish(reason)
        elif not best:
            yield self._finish(f"{reason}; no evaluation finished, nothing to compare")
        elif self.finals.runoff.begin(best, self.plan):
            self.finals.train_default(self.plan)
            self._enter("runoff")
        else:
            yield from self._compare(best[0])

    def _compare(self, best: Incumbent) -> Iterator[Order]:
        if self.present != "comparison":
            self._enter("comparison")
        self._winner = best
        yield from self.finals.compare(best, self.plan)

    def _finish(self, reason: str) -> Finish:
        self._enter("finished")
        return Finish(reason)

    def _enter(self, phase: Phase) -> None:
        assert phase in NEXT_PHASES[self.present], (self.present, phase)
        self.present = phase
        if phase == "search":
            self._working = self.search
        elif phase in _BRACKETS:
            self._working = self.finals.retrainings[_BRACKETS[phase]]
