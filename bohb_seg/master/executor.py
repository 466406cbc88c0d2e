"""Carries out the orders of the scheduler."""

import dataclasses
import logging
from collections.abc import Iterable
from typing import Any, assert_never, final

from bohb_seg.master.transport import Transport
from bohb_seg.search.events import (
    BracketFinished,
    Discard,
    Evaluate,
    Finish,
    IncumbentChosen,
    Order,
    Settled,
)
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.storage.run_directory import RunDirectory
from bohb_seg.trials import trial_key

_log = logging.getLogger(__name__)


@final
class Executor:
    """Carries out orders, which must be in the journal already.

    Args:
        transport: Leads to the workers.
        directory: Holds checkpoints and results.
        scheduler: Knows the incumbent.
    """

    def __init__(self, transport: Transport, directory: RunDirectory, scheduler: Scheduler) -> None:
        self._transport, self._directory, self._scheduler = transport, directory, scheduler

    def carry_out(self, orders: Iterable[Order]) -> None:
        """Carries out orders one after the other."""
        for order in orders:
            match order:
                case Evaluate():
                    self._transport.send(order)
                case Settled(evaluation):
                    self._transport.settled(evaluation)
                case Discard(trial):
                    self._directory.checkpoints.discard(trial)
                case BracketFinished():
                    self._write_results()
                case IncumbentChosen(trial):
                    _log.info("the incumbent is trial %s", trial_key(trial))
                case Finish(reason):
                    _log.info("finished: %s", reason)
                case never:
                    assert_never(never)

    def _write_results(self) -> None:
        try:
            self._directory.write_results_aside(incumbent_record(self._scheduler))
        except Exception as error:  # a summary ends no search, whatever is wrong with it
            _log.warning("the results could not be written (%s); they follow", error)


def incumbent_record(scheduler: Scheduler) -> dict[str, Any] | None:
    """The incumbent as plain values; None if there is none yet."""
    incumbent = scheduler.progress.incumbent
    return dataclasses.asdict(incumbent) if incumbent else None
