"""Parts of the page: sections with sentences, pictures and tables, or a reason for none."""

from dataclasses import dataclass, field

from matplotlib.figure import Figure

from bohb_seg.report.style import SHOWN_DPI, png
from bohb_seg.report.tables.table import Table


@dataclass(frozen=True)
class Picture:
    """A figure as PNG.

    Args:
        name: Name of its file, without ending.
        caption: Sentences that tell a stranger how to read it.
        alt: Description for those who cannot see it.
        width: Width in pixels at which the page shows it at most.
    """

    name: str
    png: bytes = field(repr=False)
    caption: str
    alt: str
    width: int


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Args:
        anchor: Its address on the page.
        title: Its heading.
        sentences: Paragraphs above the pictures.
        empty: Reason why there is nothing to show; None if there is something.
    """

    anchor: str
    title: str
    sentences: tuple[str, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[Table, ...] = ()
    empty: str | None = None


def picture(name: str, figure: Figure, caption: str, alt: str) -> Picture:
    """Renders a figure."""
    width = int(figure.get_figwidth() * min(figure.dpi, SHOWN_DPI))
    return Picture(name, png(figure), caption, alt, width)
