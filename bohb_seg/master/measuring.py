"""The measurement before a run: what an epoch of the default takes each worker; no trial of a run.

Each worker trains the default twice for a few epochs, with a new trial each time. The first epoch
compiles, so the last one counts. The rest of the second time is what an evaluation costs besides: a
worker imports its libraries only once. Compiling is added: some networks of a run are new to their
worker and some are not, as in the two measurements.
"""

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from bohb_seg.search.events import Evaluate, Evaluated, News, WorkersChanged
from bohb_seg.search.forecast import Pace
from bohb_seg.trials import MEASURING_BRACKET, Configuration, EvaluationId, TrialId

EPOCHS: Final = 2
TIMES: Final = 2
LATE: Final = 10.0
"""Shortest patience in seconds."""
SHORTEST: Final = 1e-4
"""Seconds of the shortest epoch."""


@dataclass
class _Probe:
    """The measurement of one worker.

    Args:
        order: Its latest order.
        since: Seconds at which it was given.
    """

    order: Evaluate
    since: float
    paces: list[Pace] = field(default_factory=list)
    compiling: float = 0.0
    is_over: bool = False

    @property
    def pace(self) -> Pace:
        """The fastest of its epochs, and the least that it took besides."""
        fixed = min(pace.fixed for pace in self.paces)
        return Pace(min(pace.epoch for pace in self.paces), fixed + self.compiling)


@final
class Measurement:
    """Measures the workers of a run before it begins.

    Args:
        default: The default configuration.
        wanted: Workers that are waited for.
        longest: Seconds after which a worker is measured only once.
        patience: Seconds for which workers that are late are waited for, once one is measured.
    """

    def __init__(
        self,
        default: Configuration,
        wanted: int,
        longest: float = math.inf,
        patience: float = 0.0,
    ) -> None:
        self._default, self._wanted, self._longest = default, max(1, wanted), longest
        self._patience = max(LATE, patience)
        self._probes: dict[str, _Probe] = {}  # in the order in which the workers joined
        # No number of an earlier master's: its checkpoint would make a measurement short.
        self._number = secrets.randbelow(10**8)
        self._began = self._first = math.inf
        self.failure = ""
        """What the latest measurement that failed told."""

    @property
    def paces(self) -> Mapping[str, Pace]:
        """Paces of the workers that are measured, in the order in which they joined."""
        return {name: probe.pace for name, probe in self._probes.items() if probe.paces}

    @property
    def busy(self) -> frozenset[str]:
        """Workers that are being measured."""
        return frozenset(name for name, probe in self._probes.items() if not probe.is_over)

    @property
    def met(self) -> bool:
        """Whether any worker has joined."""
        return bool(self._probes) or self._began < math.inf

    @property
    def workers(self) -> tuple[str, ...]:
        """The workers that are there."""
        return tuple(self._probes)

    def handle(self, news: Sequence[News], now: float) -> list[Evaluate]:
        """Takes news; returns the orders that follow.

        Args:
            news: As they come from the workers.
            now: Seconds on a clock that never goes back.
        """
        orders: list[Evaluate] = []
        for item in news:
            match item:
                case WorkersChanged(joined, left):
                    for worker in left:
                        self._probes.pop(worker, None)
                    orders += [self._probe(worker, now) for worker in joined]
                case Evaluated():
                    orders += self._end(item, now)
        return orders

    @property
    def is_in_vain(self) -> bool:
        """Whether all that were wanted are there, and none could be measured."""
        enough = len(self._probes) >= self._wanted and not self.busy
        return enough and not self.paces

    def is_over(self, now: float) -> bool:
        """Whether all are measured that were wanted, and those that are late waited for enough."""
        if not self._probes or self._first == math.inf:
            return False
        if not self.busy and len(self._probes) >= self._wanted:
            return True
        return now > self._first + max(self._patience, self._first - self._began)

    def admit(self, news: Sequence[News]) -> list[News]:
        """News for the run once it has begun: a worker joins it when its measurement has ended."""
        admitted: list[News] = []
        for item in news:
            match item:
                case WorkersChanged(joined, left) if self.busy & set(left):
                    late = self.busy & set(left)
                    for worker in late:
                        del self._probes[worker]
                    rest = WorkersChanged(joined, tuple(set(left) - late), item.doing)
                    admitted += [rest] if rest.joined or rest.left else []
                case Evaluated() if item.evaluation.trial.bracket == MEASURING_BRACKET:
                    if item.worker in self.busy:
                        self._probes[item.worker].is_over = True
                        admitted.append(WorkersChanged(joined=(item.worker,)))
                case _:
                    admitted.append(item)
        return admitted

    def _probe(self, worker: str, now: float) -> Evaluate:
        self._began = min(self._began, now)
        trial = TrialId(MEASURING_BRACKET, 0, self._number)
        self._number += 1
        order = Evaluate(EvaluationId(trial, float(EPOCHS)), 1, worker, self._default)
        known = self._probes.get(worker)
        if known is None:
            self._probes[worker] = _Probe(order, now)
        else:
            known.order, known.since = order, now
        return order

    def _end(self, news: Evaluated, now: float) -> list[Evaluate]:
        probe = self._probes.get(news.worker)
        if probe is None or probe.order.evaluation != news.evaluation:
            return []
        if news.outcome == "crashed":
            probe.is_over, self.failure = True, news.error or ""
            self._first = min(self._first, now) if probe.paces else self._first
            return []
        seconds = now - probe.since
        pace, compiling = _measured(news, seconds)
        probe.compiling = (probe.compiling + compiling) / 2 if probe.paces else compiling
        probe.paces.append(pace)
        if len(probe.paces) < TIMES and seconds <= self._longest:
            return [self._probe(news.worker, now)]
        probe.is_over = True
        self._first = min(self._first, now)
        return []


def _measured(news: Evaluated, seconds: float) -> tuple[Pace, float]:
    """The pace that one measurement shows, and the seconds that its first epoch took longer."""
    told = [each for each in news.facts.curves.get("seconds", ()) if each]
    if len(told) < EPOCHS:  # a program that does not tell, or a training that diverged
        return Pace(max(SHORTEST, seconds / EPOCHS)), 0.0
    epoch = max(SHORTEST, told[-1])
    compiling = max(0.0, told[0] - epoch)
    return Pace(epoch, max(0.0, seconds - sum(told))), compiling
