"""A conversation as a diagram: one line ``A -> B: words`` for each message."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from extension.svg import Box, arrow, drawing, width_of, word

HEIGHT, STEP = 32, 40
"""Height of a speaker's box; distance between two messages."""

LETTER_SMALL = 6.2
"""Width of an average letter of a message."""

_LINE = re.compile(r"(?P<speaker>[^>]+?)\s*->\s*(?P<listener>[^:]+?)\s*:\s*(?P<words>.+)")


@dataclass(frozen=True)
class Message:
    """One message; to oneself, it is something that one does."""

    speaker: str
    listener: str
    words: str


def messages(lines: Sequence[str]) -> list[Message]:
    """The messages of a conversation.

    Raises:
        ValueError: a line is none.
    """
    found = [_LINE.fullmatch(line.strip()) for line in lines if line.strip()]
    if None in found or not found:
        raise ValueError("each line of a conversation is 'A -> B: words'")
    return [Message(**each.groupdict()) for each in found if each]


def diagram(told: Sequence[Message], label: str) -> str:
    """The conversation as an SVG figure, time going down."""
    places = _places(told)
    width = max(x for x in places.values()) + max(map(width_of, places)) / 2 + 2
    height = HEIGHT + STEP * (len(told) + 1)
    parts = [_speaker(name, x, height) for name, x in places.items()]
    for row, message in enumerate(told, start=1):
        parts.append(_said(message, places, HEIGHT + row * STEP))
    return drawing(max(width, _reach(told, places)), height, label, parts)


def _places(told: Sequence[Message]) -> dict[str, float]:
    """The speakers from left to right, as far apart as what is said between them needs."""
    names = list(dict.fromkeys(n for each in told for n in (each.speaker, each.listener)))
    gaps = [(width_of(a) + width_of(b)) / 2 + 16 for a, b in pairwise(names)]
    for message in sorted(told, key=lambda each: abs(_steps(each, names))):
        first, last = sorted((names.index(message.speaker), names.index(message.listener)))
        lacking = len(message.words) * LETTER_SMALL + 24 - sum(gaps[first:last])
        for gap in range(first, last):
            gaps[gap] += max(0, lacking) / (last - first)
    offsets = accumulate(gaps, initial=width_of(names[0]) / 2 + 2)
    return dict(zip(names, offsets, strict=True))


def _steps(message: Message, names: Sequence[str]) -> int:
    return names.index(message.listener) - names.index(message.speaker)


def _reach(told: Sequence[Message], places: dict[str, float]) -> float:
    """How far to the right words without an arrow go."""
    own = [
        places[m.speaker] + 12 + len(m.words) * LETTER_SMALL
        for m in told
        if m.speaker == m.listener
    ]
    return max(own, default=0)


def _speaker(name: str, x: float, height: float) -> str:
    width = width_of(name)
    line = f'<path class="life" d="M{x:g} {HEIGHT}V{height:g}"/>'
    return line + Box(x - width / 2, 1, width, HEIGHT - 2, name).drawn()


def _said(message: Message, places: dict[str, float], y: float) -> str:
    start, end = places[message.speaker], places[message.listener]
    if start == end:
        dot = f'<circle class="head" cx="{start:g}" cy="{y:g}" r="4"/>'
        return dot + word(start + 12, y + 4, message.words, "start", "small word")
    middle = (start + end) / 2
    return arrow(f"M{start:g} {y:g}H{end:g}") + word(
        middle, y - 7, message.words, kind="small word"
    )
