"""What the page is made of: sections with sentences, pictures and tables, or a reason for none."""

from dataclasses import dataclass, field

from matplotlib.figure import Figure

from bohb_seg.report.style import png
from bohb_seg.report.tables import Table


@dataclass(frozen=True)
class Picture:
    """A figure as PNG.

    Args:
        name: Of its file, without its ending.
        caption: One sentence that tells a stranger how to read it.
        alt: What it shows, for those who cannot see it.
        width: In pixels, as it should be shown at most.
    """

    name: str
    png: bytes = field(repr=False)
    caption: str
    alt: str
    width: int


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Args:
        anchor: Its address on the page; title: its heading.
        sentences: Said before the pictures.
        empty: Why there is nothing to show; None if there is.
    """

    anchor: str
    title: str
    sentences: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    empty: str | None = None


SHOWN_DPI = 115
"""Figures are drawn a little larger than they are shown, which keeps small text crisp."""


def picture(name: str, figure: Figure, caption: str, alt: str) -> Picture:
    """Renders a figure."""
    width = int(figure.get_figwidth() * min(figure.dpi, SHOWN_DPI))
    return Picture(name, png(figure), caption, alt, width)
