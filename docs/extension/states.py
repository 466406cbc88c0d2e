"""A table of legal moves, ``LEGAL_MOVES`` of a module, as a diagram.

States stand in columns, each in the one after the last state that leads to it, so that life goes
from left to right. A move that skips columns runs above them or, to a lower row, below; a dashed
one goes back. States to which every other leads would be a tangle of arrows: they stand in a row of
their own.
"""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from extension.svg import Box, arrow, drawing, width_of, word

HEIGHT = 36
ROW, COLUMN = 64, 84
"""Distance between two boxes of a column, and between two columns."""
LANE = 24
"""Distance between two moves that go around, and of the first from the boxes."""
FEW = 3
"""So many states that go on may each have an arrow to each end."""

Moves = Mapping[str, Sequence[str]]
Pair = tuple[str, str]


def table(module: str) -> Moves:
    """The legal moves of a module, states as words.

    Raises:
        ValueError: the module has none, or a state without a row of its own.
    """
    moves = getattr(importlib.import_module(module), "LEGAL_MOVES", None)
    if moves is None:
        raise ValueError(f"{module} has no LEGAL_MOVES")
    if lost := set(chain.from_iterable(moves.values())) - set(moves):
        raise ValueError(f"LEGAL_MOVES of {module} has no row for {lost}")
    return {_name(state): [_name(each) for each in targets] for state, targets in moves.items()}


def meanings(module: str) -> Mapping[str, str]:
    """Explanations of the states, ``MEANINGS`` of the module; empty if it has none."""
    told = getattr(importlib.import_module(module), "MEANINGS", {})
    return {_name(state): text for state, text in told.items()}


def _name(state: object) -> str:
    """A state is a word, or a member of an enumeration."""
    return str(getattr(state, "value", state))


def ends_of_all(moves: Moves) -> list[str]:
    """Last states to which every state that goes on leads, where there are more than a few."""
    going_on = [state for state, targets in moves.items() if targets]
    last = [state for state, targets in moves.items() if not targets]
    shared = [end for end in last if all(end in moves[state] for state in going_on)]
    return shared if len(going_on) > FEW else []


def columns(moves: Moves) -> list[list[str]]:
    """The states by column; in a column, those that are skipped to stand outside."""
    ranks = _ranks(moves)
    skipped_to = {b for a, b in _pairs(moves) if ranks[b] > ranks[a] + 1}
    found: list[list[str]] = [[] for _ in range(max(ranks.values()) + 1)]
    for state in moves:
        found[ranks[state]].append(state)
    return [_outside(column, skipped_to) for column in found]


def diagram(moves: Moves, label: str) -> str:
    """The table as an SVG figure."""
    shared = ends_of_all(moves)
    rest = {
        state: [target for target in targets if target not in shared]
        for state, targets in moves.items()
        if state not in shared
    }
    boxes = _boxes(rest, moves)
    ranks = _ranks(rest)
    bottom = max(box.y + box.height for box in boxes.values())
    drawn = [_move(boxes[a], boxes[b], ranks[b] - ranks[a], bottom) for a, b in _pairs(rest)]
    lower = bottom + _room(rest, below=True)
    ends = _shared_ends(shared, lower)
    right = max(box.x + box.width for box in (*boxes.values(), *ends)) + 2
    note = [word(2, lower + 23, "from each:", "start", "small word")] if ends else []
    parts = [*drawn, *(box.drawn() for box in (*boxes.values(), *ends)), *note]
    return drawing(right, lower + bool(ends) * (HEIGHT + 2), label, parts)


def _shared_ends(shared: Sequence[str], y: float) -> list[Box]:
    """Boxes in a row, after the words "from each"."""
    boxes, x = [], 80.0
    for state in shared:
        boxes.append(Box(x, y, width_of(state), HEIGHT, state, "box last"))
        x += width_of(state) + LANE
    return boxes


def _pairs(moves: Moves) -> list[Pair]:
    return [(state, target) for state, targets in moves.items() for target in targets]


def _ranks(moves: Moves) -> dict[str, int]:
    """Moves to each state on the longest way there; moves back do not count."""
    forward = [pair for pair in _pairs(moves) if pair not in _back(moves)]
    ranks = dict.fromkeys(moves, 0)
    for _ in moves:
        for state, target in forward:
            ranks[target] = max(ranks[target], ranks[state] + 1)
    return ranks


def _back(moves: Moves) -> set[Pair]:
    """Moves to a state that led to the present one, on the way that the table tells first."""
    back: set[Pair] = set()
    seen: set[str] = set()

    def follow(state: str, way: tuple[str, ...]) -> None:
        seen.add(state)
        back.update((state, target) for target in moves[state] if target in way)
        for target in moves[state]:
            if target not in seen:
                follow(target, (*way, target))

    for state in moves:
        if state not in seen:
            follow(state, (state,))
    return back


def _outside(column: Iterable[str], skipped_to: set[str]) -> list[str]:
    """First and last in the column those to which a move goes around others."""
    column = list(column)
    around = [state for state in column if state in skipped_to]
    inner = [state for state in column if state not in skipped_to]
    return [*around[::2], *inner, *around[1::2]]


def _room(moves: Moves, below: bool) -> float:
    """Height that the moves need which go around, above or below the boxes."""
    ranks = _ranks(moves)
    steps = [ranks[b] - ranks[a] for a, b in _pairs(moves)]
    spans = [-step if below else step - 1 for step in steps]
    return LANE * (max(0, *spans) + 0.75)


def _boxes(rest: Moves, moves: Moves) -> dict[str, Box]:
    placed = columns(rest)
    tallest = max(map(len, placed))
    top, boxes, x = _room(rest, below=False), {}, 2.0
    for column in placed:
        width = max(map(width_of, column))
        first = top + (tallest - len(column)) * ROW / 2
        for row, state in enumerate(column):
            kind = "box" if moves[state] else "box last"
            boxes[state] = Box(x, first + row * ROW, width, HEIGHT, state, kind)
        x += width + COLUMN
    return boxes


def _move(start: Box, end: Box, steps: int, bottom: float) -> str:
    """An arrow from one state to another, ``steps`` columns to the right."""
    (x1, y1), (x2, y2) = start.middle, end.middle
    if steps > 1 and y1 == y2:
        return _over(start, end, steps)
    if steps > 1:
        return _around(start, end, bottom)
    if steps == 1:
        x1, x2 = start.x + start.width, end.x
        bend = (x2 - x1) / 2
        return arrow(f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}")
    if steps == 0:
        return arrow(f"M{x1:g} {start.y if y2 < y1 else start.y + HEIGHT:g}V{_near(end, y1):g}")
    x1, x2, y1, y2 = x1 - 8, x2 + 8, start.y + HEIGHT, end.y + HEIGHT
    deep = max(y1, y2) - steps * LANE * 1.3
    return arrow(f"M{x1:g} {y1:g}C{x1:g} {deep:g} {x2:g} {deep:g} {x2:g} {y2:g}", "arrow back")


def _near(box: Box, y: float) -> float:
    """The edge of a box that is nearer to y."""
    return box.y + HEIGHT if y > box.y else box.y


def _over(start: Box, end: Box, steps: int) -> str:
    """A move over the columns between, to the same row."""
    x1, x2, y = start.middle[0] + 8, end.middle[0] - 8, start.y
    high = y - (steps - 1) * LANE * 1.3
    return arrow(f"M{x1:g} {y:g}C{x1:g} {high:g} {x2:g} {high:g} {x2:g} {y:g}")


def _around(start: Box, end: Box, bottom: float) -> str:
    """A move over or under the columns between, to another row."""
    x, target = start.middle[0], end.middle[1]
    above = target < start.middle[1]
    y = start.y if above else start.y + HEIGHT
    lane = LANE / 2 if above else bottom + LANE / 2
    last = end.x - COLUMN / 2
    return arrow(
        f"M{x:g} {y:g}C{x:g} {lane:g} {x:g} {lane:g} {x + 40:g} {lane:g}H{last - 40:g}"
        f"C{last:g} {lane:g} {last:g} {target:g} {end.x:g} {target:g}"
    )
