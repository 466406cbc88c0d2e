"""The masters of one run, of which several may be started at once: only one of them may go on.

Every master that ends must have had a reason: it was killed, it was told to leave, the run is over,
or the machine let it down at that time. One that was refused says why in one sentence, and another
master was there then.
"""

import math
import signal
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from helpers.cluster import Command
from helpers.commands import only_sentence

from bohb_seg.errors import EXIT_BAD_INPUT, EXIT_INCOMPLETE, EXIT_STOPPED_EARLY

Trouble = Literal["another", "no room", "no processes", "away"]
"""Reason for which a master may end: another one has the run, the disk is full, no thread can be
started, the run directory is away."""

REFUSALS: dict[str, Trouble] = {
    "is in use by another master": "another",
    "a master already serves this run": "another",
    "cannot be written": "no room",
    "was moved to": "away",
}
"""Words with which a master ends with status 2, and the trouble that they are about."""
STOPPED: Collection[Trouble] = ("no room", "no processes", "away")
"""Troubles in which a master cannot write the files of a run that has ended, and says so."""
INCOMPLETE = (EXIT_STOPPED_EARLY, EXIT_INCOMPLETE)
"""Exit statuses of a master that could not write all files of a run that has ended."""
LEFT = (EXIT_STOPPED_EARLY, -signal.SIGTERM)
"""Exit statuses of a master that was told to leave, the second one while it made its report."""
LINGERS = 5.0
"""Seconds for which a trouble may have consequences after it is over."""


@dataclass
class _Master:
    command: Command
    begun: float
    ended: float = math.inf
    killed: bool = False
    told_to_leave: bool = False

    def lived_during(self, begun: float, ended: float) -> bool:
        return self.begun <= ended and begun <= self.ended


class Reign:
    """Looks after the masters of a run, in the order in which they were started."""

    def __init__(self) -> None:
        self._masters: list[_Master] = []
        self._troubles: list[tuple[Trouble, float, float]] = []
        self.is_over = False
        """Whether a master said that the run has ended."""

    def begin(self, command: Command) -> None:
        """Takes a master that was just started."""
        self._masters.append(_Master(command, time.monotonic()))

    def kill(self, command: Command) -> None:
        """Kills a master."""
        if command.alive:
            self._of(command).killed = True
            command.kill()

    def terminate(self, command: Command) -> None:
        """Tells a master to leave."""
        if command.alive:
            self._of(command).told_to_leave = True
            command.terminate()

    def _of(self, command: Command) -> _Master:
        return next(each for each in self._masters if each.command is command)

    def trouble(self, kind: Trouble, seconds: float) -> None:
        """Takes note of a trouble that begins now."""
        now = time.monotonic()
        self._troubles.append((kind, now, now + seconds + LINGERS))

    @property
    def alive(self) -> list[Command]:
        """The masters that have not ended, oldest first."""
        return [each.command for each in self._masters if each.ended == math.inf]

    @property
    def at_work(self) -> Command | None:
        """The master that has the run, if one has it by now."""
        return next((each for each in self.alive if each.said("more workers join with")), None)

    def look(self) -> None:
        """Takes note of the masters that have ended.

        Raises:
            AssertionError: one of them ended in bad order.
        """
        for master in self._masters:
            if master.ended == math.inf and not master.command.alive:
                master.ended = time.monotonic()
                self._judge(master)

    def judge_refusals(self) -> None:
        """Makes sure that all who were refused had met a master that was not.

        Raises:
            AssertionError: nobody went on at that time.
        """
        went_on = [each for each in self._masters if not _refused_for_another(each)]
        for master in filter(_refused_for_another, self._masters):
            met = any(each.lived_during(master.begun, master.ended) for each in went_on)
            assert met, f"refused, and nobody went on:\n{master.command.log}"

    @property
    def refused(self) -> int:
        """Masters that ended because another one had the run."""
        return sum(map(_refused_for_another, self._masters))

    def _judge(self, master: _Master) -> None:
        status, log = master.command.process.returncode, master.command.log
        assert "Traceback" not in log, log
        if master.killed:
            return
        if status == 0:
            self.is_over = True
            return
        if status in LEFT and master.told_to_leave:
            return
        if status in INCOMPLETE:
            assert any(self._had(master, kind) for kind in STOPPED), log
            return
        assert status == EXIT_BAD_INPUT, f"status {status}\n{log}"
        kind = _trouble_of(only_sentence(status, log))
        assert kind == "another" or (kind and self._had(master, kind)), log

    def _had(self, master: _Master, kind: Trouble) -> bool:
        return any(each == kind and master.lived_during(*times) for each, *times in self._troubles)


def _refused_for_another(master: _Master) -> bool:
    refused = master.command.process.returncode == EXIT_BAD_INPUT
    return refused and _trouble_of(master.command.log) == "another"


def _trouble_of(sentence: str) -> Trouble | None:
    return next((kind for words, kind in REFUSALS.items() if words in sentence), None)
