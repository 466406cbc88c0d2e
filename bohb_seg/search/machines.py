"""Deaths of worker processes that were no configuration's fault, by machine; no IO.

A process that dies at an evaluation may have been killed by it, or by its machine. Which it was
shows when the evaluation ends well after all: then the death was the machine's own. Each such death
excuses one later death on the same machine, which does not count against the evaluation then. So a
machine on which processes die of themselves spoils no evaluation for long, and an evaluation that
kills its workers is never handed out without end, because the excuses run out.
"""

from collections import Counter
from collections.abc import Iterable
from typing import final


@final
class Machines:
    """The machines of a run, as far as processes died there without a configuration's fault."""

    def __init__(self) -> None:
        self._excuses: Counter[str] = Counter()

    def blame(self, machines: Iterable[str]) -> None:
        """Takes note of deaths, by their machines, at an evaluation that has ended well."""
        self._excuses.update(machines)

    def excuse(self, machine: str) -> bool:
        """Whether the machine's history explains a death there; uses up one excuse."""
        explained = self._excuses[machine] > 0
        self._excuses[machine] -= explained
        return explained
