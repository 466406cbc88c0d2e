"""The states of a worker as the master sees it, and the legal moves between them."""

from collections import deque
from collections.abc import Mapping
from typing import Final, Literal, final

from bohb_seg.search.evaluations import InvalidTransitionError

State = Literal["unmet", "assumed", "idle", "delivering", "at work", "gone", "closed"]

LEGAL_MOVES: Mapping[State, tuple[State, ...]] = {
    "unmet": ("idle", "at work", "gone", "closed"),
    "assumed": ("unmet", "idle", "delivering", "at work", "gone", "closed"),
    "idle": ("delivering", "gone", "closed"),
    "delivering": ("idle", "at work", "gone", "closed"),
    "at work": ("idle", "delivering", "gone", "closed"),
    "gone": (),
    "closed": (),
}

MEANINGS: Mapping[State, str] = {
    "unmet": "It has a name, but has not answered, or is busy with something nobody waits for.",
    "assumed": "The previous master knew it; the scheduler counts on it, but it has not answered.",
    "idle": "It has nothing to do.",
    "delivering": "An order is being brought to it.",
    "at work": "It has an order, whose result has not come.",
    "gone": "It refused a connection, was silent for a whole lease, or said goodbye.",
    "closed": "The master leaves and does not look after it any more.",
}

UNKNOWN_TO_SCHEDULER: Final[frozenset[State]] = frozenset({"unmet", "gone"})
"""In all other states but ``closed`` the scheduler knows the worker and may give it orders."""
NOT_MET: Final[frozenset[State]] = frozenset({"unmet", "assumed"})
"""It has not answered this master yet, or not with something that can be used."""
REMEMBERED_MOVES: Final = 50
"""Moves that an error can tell; a worker may be looked after for weeks."""


@final
class StateRecord:
    """The present state of a worker, and the states before it."""

    def __init__(self, first: State) -> None:
        self.now: State = first
        self.history: deque[str] = deque([first], maxlen=REMEMBERED_MOVES)

    @property
    def is_last(self) -> bool:
        """Whether no move is left."""
        return not LEGAL_MOVES[self.now]

    def move(self, state: State, note: str = "") -> None:
        """Moves to another state; the history keeps the note.

        Raises:
            InvalidTransitionError: the move is not in :data:`LEGAL_MOVES`.
        """
        if state not in LEGAL_MOVES[self.now]:
            problem = f"a worker that is {self.now} cannot become {state}"
            raise InvalidTransitionError(problem, self.history)
        self.history.append(f"{state}, {note}" if note else state)
        self.now = state
