"""Shapes of the diagrams as SVG text, in the colours of the page around them.

Lengths are pixels. The page's style sheet (``_static/manual.css``) gives the classes their colours,
so that diagrams follow the light and the dark theme.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LETTER = 7.6
"""Width of an average letter of 14 pixels; a little too much, so that boxes hold their words."""
ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"'
    ' markerHeight="7" orient="auto"><path d="M0 0 10 5 0 10z" class="head"/></marker></defs>'
)


@dataclass(frozen=True)
class Box:
    """A rectangle with a word in its middle."""

    x: float
    y: float
    width: float
    height: float
    text: str
    kind: str = "box"

    @property
    def middle(self) -> tuple[float, float]:
        """The point at which its word stands."""
        return self.x + self.width / 2, self.y + self.height / 2

    def drawn(self) -> str:
        """The box as SVG."""
        x, y = self.middle
        return (
            f'<rect class="{self.kind}" x="{self.x:g}" y="{self.y:g}" width="{self.width:g}"'
            f' height="{self.height:g}" rx="6"/>{word(x, y + 5, self.text)}'
        )


def word(x: float, y: float, text: str, anchor: str = "middle", kind: str = "word") -> str:
    """A text whose baseline is at y."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>'


def width_of(text: str, padding: float = 12) -> float:
    """Width of a box that holds the text."""
    return len(text) * LETTER + 2 * padding


def arrow(path: str, kind: str = "arrow") -> str:
    """A line along an SVG path with a head at its end."""
    return f'<path class="{kind}" d="{path}" marker-end="url(#arrow)"/>'


def drawing(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    """A whole picture, which shrinks with the page; the label is for those who cannot see it."""
    return (
        f'<figure class="diagram"><svg role="img" aria-label="{escape(label, quote=True)}"'
        f' viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px"'
        f' xmlns="http://www.w3.org/2000/svg">{ARROW}{"".join(parts)}</svg></figure>'
    )
