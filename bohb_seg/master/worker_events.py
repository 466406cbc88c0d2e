"""Events and instructions: the border of :class:`bohb_seg.master.worker_life.WorkerLife`.

An event tells what happened to a worker; the instructions that come back tell what is to be done.
"""

from dataclasses import dataclass
from typing import Literal

from bohb_seg.search.events import Evaluate
from bohb_seg.trials import Attempt

# --- events: what happened ---------------------------------------------------------------------


@dataclass(frozen=True)
class Answered:
    """The worker answered :class:`Ask`.

    Args:
        busy: Whether it does anything.
        attempt: The attempt that it is at; None if nobody waits for that, or it cannot tell.
        names_attempt: Whether it can tell; a stock HpBandSter worker cannot.
    """

    busy: bool
    attempt: Attempt | None = None
    names_attempt: bool = True

    def __post_init__(self) -> None:
        if self.attempt and not (self.busy and self.names_attempt):
            raise ValueError(f"only a busy worker that can tell is at {self.attempt}")


@dataclass(frozen=True)
class Took:
    """The worker answered :class:`Bring`."""

    order: Evaluate


@dataclass(frozen=True)
class CallFailed:
    """A call brought no answer in time, or an error.

    Args:
        refused: Whether the worker cannot be connected any more.
        process_ended: Whether its machine says so: nothing listens there any more.
        hangs: See :class:`HeartbeatPassed`.
    """

    call: "Ask | Bring"
    refused: bool
    process_ended: bool = False
    hangs: bool = False


@dataclass(frozen=True)
class Renewed:
    """The worker renewed its lease, and told whether it does anything."""

    busy: bool


@dataclass(frozen=True)
class OrderGiven:
    """The scheduler gave the worker an evaluation."""

    order: Evaluate


@dataclass(frozen=True)
class ResultCame:
    """The result of this attempt is there."""

    attempt: Attempt


@dataclass(frozen=True)
class ConnectionLost:
    """The connection over which the worker renews its lease has ended."""


@dataclass(frozen=True)
class Parted:
    """The worker said goodbye."""


@dataclass(frozen=True)
class HeartbeatPassed:
    """For a heartbeat there was no call to make.

    Args:
        hangs: Whether the lease is over, but the worker's machine takes connections at its address:
            the process is there and does nothing.
    """

    hangs: bool = False


@dataclass(frozen=True)
class LinkFailed:
    """Our own side failed; whatever the worker does, it must be met anew."""


@dataclass(frozen=True)
class MasterCloses:
    """The master leaves.

    Args:
        dismiss: Whether the worker is told to end, because there is nothing left to do.
    """

    dismiss: bool


LifeEvent = (
    Answered
    | Took
    | CallFailed
    | Renewed
    | OrderGiven
    | ResultCame
    | ConnectionLost
    | Parted
    | HeartbeatPassed
    | LinkFailed
    | MasterCloses
)


# --- instructions: what is to be done ----------------------------------------------------------


@dataclass(frozen=True)
class Announce:
    """Tell the scheduler that the worker is there.

    Args:
        attempt: The attempt that it is at; None if it is idle.
    """

    attempt: Attempt | None


@dataclass(frozen=True)
class Renounce:
    """Tell the scheduler that the worker has left."""


@dataclass(frozen=True)
class ReportLost:
    """Tell the scheduler that this attempt will bring no result.

    Args:
        why: Reason: the worker is *idle* without a result, its process has *died* or *hangs*, or
            the attempt is *overdue*: it takes longer than it may.
    """

    attempt: Attempt
    why: Literal["idle", "died", "hangs", "overdue"] = "idle"


@dataclass(frozen=True)
class Complain:
    """Tell the user that the worker has a name, but does not answer."""


@dataclass(frozen=True)
class Ask:
    """Call the worker: what does it do?"""


@dataclass(frozen=True)
class Bring:
    """Call the worker: here is an order."""

    order: Evaluate


@dataclass(frozen=True)
class Forget:
    """Call the nameserver: remove the worker's name."""


@dataclass(frozen=True)
class Dismiss:
    """Call the worker: the run is over."""


Report = Announce | Renounce | ReportLost | Complain
"""Instructions that take no time."""
Call = Ask | Bring | Forget | Dismiss
"""Instructions that are remote calls."""
Instruction = Report | Call
