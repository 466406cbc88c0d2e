"""A table of legal moves, ``LEGAL_MOVES`` of a module, as a diagram.

States stand in columns, each in the one after the last state that leads to it, so that life goes
from left to right. A move that skips a column runs above or below what it skips, a move back below
everything.
"""

import importlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

from extension.svg import Box, arrow, drawing, width_of

HEIGHT = 36
ROW, COLUMN = 64, 84
"""Distance between two boxes of a column, and between two columns."""
MARGIN = 34
"""Room above and below for moves that go around."""

Moves = Mapping[str, Sequence[str]]


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


def _name(state: object) -> str:
    """A state is a word, or a member of an enumeration."""
    return str(getattr(state, "value", state))


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
    boxes = _boxes(moves)
    ranks = _ranks(moves)
    right = max(box.x + box.width for box in boxes.values()) + 2
    lowest = max(box.y + box.height for box in boxes.values())
    height = lowest + MARGIN
    drawn = [_move(boxes[a], boxes[b], ranks[b] - ranks[a], lowest) for a, b in _pairs(moves)]
    return drawing(right, height, label, [*drawn, *(box.drawn() for box in boxes.values())])


def _pairs(moves: Moves) -> list[tuple[str, str]]:
    return [(state, target) for state, targets in moves.items() for target in targets]


def _ranks(moves: Moves) -> dict[str, int]:
    """Moves to the states before the longest way there; moves back do not count."""
    order = {state: place for place, state in enumerate(moves)}
    ranks = dict.fromkeys(moves, 0)
    for state in moves:
        for target in moves[state]:
            if order[target] > order[state]:
                ranks[target] = max(ranks[target], ranks[state] + 1)
    return ranks


def _outside(column: Iterable[str], skipped_to: set[str]) -> list[str]:
    """First and last in the column those to which a move goes around others."""
    column = list(column)
    around = [state for state in column if state in skipped_to]
    inner = [state for state in column if state not in skipped_to]
    return [*around[::2], *inner, *around[1::2]]


def _boxes(moves: Moves) -> dict[str, Box]:
    placed = columns(moves)
    tallest = max(map(len, placed))
    boxes, x = {}, 2.0
    for column in placed:
        width = max(map(width_of, column))
        top = MARGIN + (tallest - len(column)) * ROW / 2
        for row, state in enumerate(column):
            kind = "box" if moves[state] else "box last"
            boxes[state] = Box(x, top + row * ROW, width, HEIGHT, state, kind)
        x += width + COLUMN
    return boxes


def _move(start: Box, end: Box, steps: int, lowest: float) -> str:
    """An arrow from one state to another, ``steps`` columns to the right."""
    (x1, y1), (x2, y2) = start.middle, end.middle
    if steps > 1:
        return _around(start, end, above=y2 <= y1, lowest=lowest)
    if steps == 1:
        x1, x2 = start.x + start.width, end.x
        bend = (x2 - x1) / 2
        return arrow(f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}")
    if steps == 0:
        return arrow(f"M{x1:g} {start.y if y2 < y1 else start.y + HEIGHT:g}V{_near(end, y1):g}")
    y1, y2 = start.y + HEIGHT, end.y + HEIGHT
    deep = max(y1, y2) + MARGIN
    return arrow(f"M{x1:g} {y1:g}C{x1:g} {deep:g} {x2:g} {deep:g} {x2:g} {y2:g}", "arrow back")


def _near(box: Box, y: float) -> float:
    """The edge of a box that is nearer to y."""
    return box.y + HEIGHT if y > box.y else box.y


def _around(start: Box, end: Box, above: bool, lowest: float) -> str:
    """A move over or under the columns between."""
    x, target = start.middle[0], end.middle[1]
    y = start.y if above else start.y + HEIGHT
    lane = MARGIN / 2 if above else lowest + MARGIN / 2
    last = end.x - COLUMN / 2
    return arrow(
        f"M{x:g} {y:g}C{x:g} {lane:g} {x:g} {lane:g} {x + 40:g} {lane:g}H{last - 40:g}"
        f"C{last:g} {lane:g} {last:g} {target:g} {end.x:g} {target:g}"
    )
