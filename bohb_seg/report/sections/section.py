"""Parts of the page: sections with sentences, pictures and tables, or a reason for none.

Each section, picture and table stands alone. The numbers and texts behind them come from workers,
files and disks; if one of them cannot be made, a :class:`Gap` takes its place, and all others
appear.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import TypeVar

from matplotlib.figure import Figure

from bohb_seg.errors import BohbSegError, printable
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.style import SHOWN_DPI, png
from bohb_seg.report.tables.table import Table

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gap:
    """A part that could not be made, with the reason in a sentence."""

    sentence: str


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
    pictures: tuple[Picture | Gap, ...] = ()
    tables: tuple[Table | Gap, ...] = ()
    empty: str | None = None

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """Parts that could not be made."""
        return tuple(each for each in (*self.pictures, *self.tables) if isinstance(each, Gap))


def attempt(what: str, make: Callable[[], T]) -> T | Gap:
    """Makes a part of the page, or says why it is missing.

    Args:
        what: Subject of the sentence: "The picture of the rungs".
        make: Makes it; whatever it raises is the reason.
    """
    try:
        return make()
    except Exception as error:  # whatever it is, the rest of the report must appear
        _log.debug("%s could not be made", what, exc_info=True)
        known = isinstance(error, BohbSegError | OSError)
        reason = printable(str(error) if known else f"{type(error).__name__}: {error}")
        return Gap(f"{what} could not be made: {reason}")


def picture(name: str, draw: Callable[[], Figure], caption: str, alt: str) -> Picture | Gap:
    """Draws and renders a figure."""

    def rendered() -> Picture:
        figure = draw()
        width = int(figure.get_figwidth() * min(figure.dpi, SHOWN_DPI))
        return Picture(name, png(figure), caption, alt, width)

    return attempt(f"The picture {name}", rendered)


def listed(name: str, make: Callable[[], Table]) -> Table | Gap:
    """Makes a table."""
    return attempt(f"The table {name}", make)


def stands_alone(
    anchor: str, title: str
) -> Callable[[Callable[[RunRecord], Section]], Callable[[RunRecord], Section]]:
    """Makes a section appear with the reason if its function raises."""

    def decorate(function: Callable[[RunRecord], Section]) -> Callable[[RunRecord], Section]:
        @wraps(function)
        def made(run: RunRecord) -> Section:
            found = attempt("This section", lambda: function(run))
            return Section(anchor, title, pictures=(found,)) if isinstance(found, Gap) else found

        return made

    return decorate
