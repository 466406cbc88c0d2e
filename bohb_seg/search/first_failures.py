"""Notices that the first evaluations of a run fail alike: then all would; no IO.

One configuration may be bad. But if the default fails, then others with the same message, and
nothing else has ended in any other way, the fault is not theirs: it is that of the machines, the
data or the program.
"""

import re
from collections import Counter
from typing import Final, final

from bohb_seg.search.evaluations import Evaluation
from bohb_seg.trials import TrialId

ENOUGH: Final = 4
"""Evaluations that fail alike: the default and any three others."""
LONGEST: Final = 1000
"""Characters of a message that are compared and told."""
_DEFAULT: Final = TrialId(0, 0, 0)
"""The default is always drawn first."""
_VARYING: Final = re.compile(
    r"'[^']*'|0x[0-9a-fA-F]+|\"[^\"]*\"|\b[0-9a-fA-F]{8,}\b|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
)
"""Parts of a message that differ between configurations, and parts that differ between runs."""


@final
class FirstFailures:
    """The failures of a run up to the first evaluation that ends otherwise."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._likeness: str | None = None  # that of the default
        self._over = False
        self.message = ""
        """Last line of the latest error."""

    @property
    def alike(self) -> int:
        """Evaluations that failed as the default did; 0 once any evaluation ended otherwise."""
        return 0 if self._over or self._likeness is None else self._count[self._likeness]

    def note(self, evaluation: Evaluation, error: str | None) -> None:
        """Takes note of a settled evaluation, and of the error of its last attempt."""
        if self._over:
            return
        if evaluation.state != "failed":
            self._over = True
            self._count.clear()
            return
        self.message = last_line(error)
        likeness = _VARYING.sub("", self.message)
        self._count[likeness] += 1
        if evaluation.trial == _DEFAULT:
            self._likeness = likeness


def last_line(error: str | None) -> str:
    """Last line of a traceback, which names the error."""
    lines = (error or "").strip().splitlines()
    return lines[-1].strip()[:LONGEST] if lines else "no reason was given"
