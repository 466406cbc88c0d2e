"""The end of an attempt, and what it says about its evaluation."""

from typing import final

from bohb_seg.search.evaluations import Evaluation
from bohb_seg.search.events import Evaluated
from bohb_seg.search.machines import Machines


@final
class Endings:
    """Ends attempts; remembers on which machines processes died of themselves.

    Args:
        max_attempts: So many attempts that raise, or kill their worker, fail an evaluation.
        machines: Machines on which processes died of themselves until now.
    """

    def __init__(self, max_attempts: int, machines: Machines | None = None) -> None:
        self._max_attempts = max_attempts
        self._machines = machines or Machines()

    def end(self, evaluation: Evaluation, news: Evaluated) -> None:
        """Ends an attempt, and with it the evaluation unless it is tried again."""
        if news.outcome == "crashed":
            self._crash(evaluation, news)
            return
        self._machines.blame(evaluation.deaths.values())
        if news.loss is None:
            evaluation.diverge()
        else:
            evaluation.finish(news.loss)

    def _crash(self, evaluation: Evaluation, news: Evaluated) -> None:
        if news.lost_on:
            evaluation.die(news.lost_on)
        if news.lost_on and not news.final and self._machines.excuse(news.lost_on):
            evaluation.release()
        else:
            evaluation.crash(self._max_attempts, news.final)
