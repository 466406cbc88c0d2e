"""The search: the stage of a run in which brackets are filled and climbed; no IO.

The phase remembers open brackets only, so that a long run needs no more memory than a short one: a
bracket is forgotten when it is finished, and all of them when the final phase begins.

Limits count evaluations started, not finished. Nothing starts that would exceed
``max_evaluations`` or ``max_epochs``; an attempt that replaces a lost one is not counted again. An
evaluation that is too long for the rest of ``max_epochs`` does not hold up shorter ones that wait.
But no new configuration is drawn any more in its bracket and later ones, because it could not climb
either.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable

from bohb_seg.search.brackets import Bracket
from bohb_seg.search.evaluations import Evaluation, Tally
from bohb_seg.search.events import BracketFinished, Discard, Order
from bohb_seg.search.optimizer import Optimizer, Withdrawing
from bohb_seg.search.plan import Plan
from bohb_seg.search.progress import Incumbent, expected
from bohb_seg.trials import Configuration, EvaluationId, Info, Suggestion, TrialId


class SearchPhase:
    """The brackets of a run.

    Args:
        optimizer: Proposes configurations, lays out the rungs, is told the results.
        default: The configuration that is tried first where the plan names no others.
        plan: Brackets, limits, whether promoted trials continue, how many candidates are kept.
    """

    def __init__(self, optimizer: Optimizer, default: Configuration, plan: Plan) -> None:
        self._optimizer = optimizer
        self._first = deque(plan.first or (default,))
        self._begun = 0  # brackets
        self._open: dict[int, Bracket] = {}  # the unfinished ones of them, by age
        self.live: dict[TrialId, None] = {}  # trials that keep a checkpoint, by age
        self.tally = Tally()
        self.change(plan)
        self.best: tuple[Incumbent, ...] = ()
        """Distinct configurations with the lowest losses at the largest budget finished, in order:
        as many as may take part in the runoff."""

    def change(self, plan: Plan) -> None:
        """Goes by another plan from here on; more brackets than before may be filled."""
        self._plan = plan
        rungs = self._optimizer.rungs
        self.expected = expected(rungs, plan.n_iterations, plan.continuing)

    @property
    def incumbent(self) -> Incumbent | None:
        """The best of the best; None while nothing has finished."""
        return self.best[0] if self.best else None

    @property
    def finished(self) -> bool:
        """Whether every bracket is."""
        return self._begun == self._plan.n_iterations and not self._open

    @property
    def front(self) -> tuple[int, int]:
        """Bracket and rung that are decided next, or the last ones."""
        for bracket in self._open.values():
            return bracket.index, bracket.rung
        last = max(self._begun - 1, 0)
        return last, len(self._optimizer.rungs(last)) - 1 if self._begun else 0

    def known(self, identity: EvaluationId) -> Evaluation | None:
        """The evaluation; None if it was forgotten or never planned."""
        bracket = self._open.get(identity.trial.bracket)
        return bracket.known.get(identity) if bracket else None

    def has_forgotten(self, trial: TrialId) -> bool:
        """Whether the trial's bracket was open once."""
        return 0 <= trial.bracket < self._begun and trial.bracket not in self._open

    def next_for(self, worker: str, workers: Iterable[str]) -> Evaluation | None:
        """The evaluation that ``worker`` should do; a new configuration may be drawn for it."""
        found = self._find(lambda evaluation: evaluation.may_go_to(worker, workers))
        return self._draw(found) if isinstance(found, Bracket) else found

    def why_over(self) -> str | None:
        """The reason why nothing may start any more, while nothing runs; None if something may."""
        plan = self._plan
        if self.finished:
            return f"all {plan.n_iterations} brackets are finished"
        if self._find(lambda _: True) is not None:
            return None
        if self.tally.begun == plan.max_evaluations:
            return f"{plan.max_evaluations} evaluations are done"
        return f"no evaluation fits into what is left of {plan.max_epochs:g} epochs"

    def settle(self, evaluation: Evaluation, facts: Info) -> list[Order]:
        """Tells the optimizer, and decides the rung if this was its last evaluation."""
        trial, budget, loss = evaluation.trial, evaluation.id.budget, evaluation.loss
        self._optimizer.observe(evaluation.configuration, budget, loss)
        orders: list[Order] = []
        if loss is None:
            orders += self._discard([trial])
        else:
            self._crown(evaluation, loss)
        bracket = self._open[trial.bracket]
        return [*orders, *self._decide(bracket)] if bracket.complete else orders

    def close(self) -> list[Order]:
        """Forgets what is open; no checkpoint is needed any more, for the comparison retrains."""
        for bracket in self._open.values():
            for evaluation in bracket.known.values():
                self.withdraw(evaluation.suggestion)
        self._open.clear()
        self.tally.states["waiting"] = self.tally.states["running"] = 0
        return self._discard(list(self.live))

    def begin_bracket(self) -> Bracket:
        """Opens the next bracket; for a run that is rebuilt."""
        bracket = self._new_bracket()
        self._open_up(bracket)
        return bracket

    def suggest(self) -> Suggestion:
        """The configuration of the next trial; the very first ones are those of the plan."""
        return Suggestion(self._first.popleft()) if self._first else self._optimizer.suggest()

    def withdraw(self, suggestion: Suggestion) -> None:
        """Tells the optimizer that a suggestion is not trained."""
        if isinstance(self._optimizer, Withdrawing):
            self._optimizer.withdraw(suggestion.configuration)

    def enter(self, bracket: Bracket, suggestion: Suggestion) -> Evaluation:
        """Begins a trial with a configuration on the present rung of an open bracket."""
        evaluation = bracket.add(suggestion)
        self.live[evaluation.trial] = None
        return evaluation

    @property
    def _epochs_left(self) -> float:
        """So long may an evaluation be that is begun now."""
        plan, begun = self._plan, self.tally
        if plan.max_evaluations is not None and begun.begun >= plan.max_evaluations:
            return 0.0
        return math.inf if plan.max_epochs is None else plan.max_epochs - begun.epochs_begun + 1e-9

    def _find(self, may_take: Callable[[Evaluation], bool]) -> Evaluation | Bracket | None:
        """The next thing to do: an evaluation that waits, or a draw for a bracket."""
        left, draws = self._epochs_left, True
        for bracket in self._open.values():
            if waiting := next(filter(may_take, bracket.queue.waiting(left)), None):
                return waiting
            draws = draws and not bracket.queue.unbegun  # else what waits there is too long
            if draws and bracket.has_room and bracket.price <= left:
                return bracket
        if draws and self._begun < self._plan.n_iterations:
            bracket = self._new_bracket()
            return bracket if bracket.price <= left else None
        return None

    def _crown(self, evaluation: Evaluation, loss: float) -> None:
        (trial, budget), suggestion = evaluation.id, evaluation.suggestion
        new = Incumbent(trial, budget, loss, suggestion.configuration, suggestion.model_based)
        # Among equals the oldest trial, not the first that finished: that would be chance.
        ranked = sorted((*self.best, new), key=lambda each: (-each.budget, each.loss, each.trial))
        distinct: list[Incumbent] = []
        for each in ranked:
            known = [other.configuration for other in distinct]
            if each.budget == ranked[0].budget and each.configuration not in known:
                distinct.append(each)
        self.best = tuple(distinct[: self._plan.candidates])

    def _decide(self, bracket: Bracket) -> list[Order]:
        orders = self._discard(bracket.decide())
        if not bracket.finished:
            return orders
        del self._open[bracket.index]
        return [*orders, BracketFinished(bracket.index)]

    def _discard(self, trials: list[TrialId]) -> list[Order]:
        for trial in trials:
            del self.live[trial]
        return [Discard(trial) for trial in trials]

    def _new_bracket(self) -> Bracket:
        rungs = self._optimizer.rungs(self._begun)
        return Bracket(self._begun, rungs, self.tally, self._plan.continuing)

    def _draw(self, bracket: Bracket) -> Evaluation:
        self._open_up(bracket)
        return self.enter(bracket, self.suggest())

    def _open_up(self, bracket: Bracket) -> None:
        if bracket.index == self._begun:
            self._open[bracket.index] = bracket
            self._begun += 1
