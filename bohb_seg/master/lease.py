"""A worker's lease: how long it is taken to be there, and how long its attempt may take.

* The lease runs down unless there are signs of life.
* An attempt that takes longer than it may is *overdue*: signs of life do not renew the lease then.
* A worker has *died* of its attempt if nothing listens at its address any more, or if its
  connection ended and it did not come back within its lease.
* A worker *hangs* if its machine takes connections for it, and it does nothing. One that is silent
  together with its machine may be cut off, or the machine may be gone: that says nothing against
  the attempt.
"""

from math import inf
from typing import Final, Literal, final

from bohb_seg.trials import Attempt

LEASE: Final = 3
"""Heartbeats without a sign of life after which a worker's evaluation is handed on."""


@final
class Lease:
    """The lease of one worker.

    Args:
        now: Seconds on a clock that never goes back.
        heartbeat: Seconds between two signs of life.
        attempt: The attempt that the worker is at; None if it is at none.
        limit: Seconds that an attempt may take.

    Attributes:
        now: The present time, to be set before anything else is done.
        ends: Time at which it is over, unless there are signs of life before.
    """

    def __init__(self, now: float, heartbeat: float, attempt: Attempt | None, limit: float) -> None:
        self.now = now
        self._seconds, self._limit = LEASE * heartbeat, limit
        self.ends, self._was_cut = now + self._seconds, False
        self._attempt, self._due = attempt, now + (limit if attempt else inf)

    @property
    def is_over(self) -> bool:
        """Whether the last sign of life that counts is too long ago."""
        return self.now > self.ends

    @property
    def is_overdue(self) -> bool:
        """Whether the attempt takes longer than it may."""
        return self.now > self._due

    def renew(self) -> None:
        """Takes a sign of life."""
        self._was_cut = False
        if not self.is_overdue:
            self.ends = self.now + self._seconds

    def cut(self) -> None:
        """Takes note of the end of the connection over which the worker gives signs of life."""
        self._was_cut = True

    def mind(self, attempt: Attempt | None) -> None:
        """Begins to measure an attempt, unless it is measured already."""
        if attempt == self._attempt:
            return
        was_overdue = self.is_overdue
        self._attempt, self._due = attempt, self.now + (self._limit if attempt else inf)
        if was_overdue:
            self.renew()

    def why_lost(
        self, process_ended: bool, hangs: bool
    ) -> Literal["overdue", "died", "hangs"] | None:
        """The reason why the attempt of a worker that is lost brings no result, if it is known."""
        if self.is_overdue:
            return "overdue"
        if process_ended or (self._was_cut and not hangs):
            return "died"
        return "hangs" if hangs else None
