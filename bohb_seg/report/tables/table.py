"""A table as a value: the page shows it rounded, its CSV file holds it in full."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bohb_seg.report.wording import is_number

Cell = str | float | int | bool | None
Row = tuple[Cell, ...]

_FORMULA = re.compile("(^|;)(?=\\s*[=+@\t\r\uff1d\uff0b\uff0d\uff20-])")
"""Beginning of what spreadsheets take for a formula, in full width, too. With decimal commas a
semicolon parts fields, quoted or not."""
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Table:
    """Named rows under headings with units.

    Args:
        name: Name of the CSV file, without its ending.
        title: Title above the table on the page.
        columns: Headings; units in brackets.
        rows: Cells, as many as ``columns``.
        folded: Whether the page shows it only on request, because it is long.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    folded: bool = False

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Whether a column holds only numbers and blanks, for each column."""
        columns = ([cell for cell in column if cell is not None] for column in self._columns())
        return tuple(bool(cells) and all(map(is_number, cells)) for cells in columns)

    def _columns(self) -> Iterable[tuple[Cell, ...]]:
        return zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"table {self.name}: a row is not as long as the headings")


def table(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    folded: bool = False,
) -> Table:
    """Makes a table out of any sequences."""
    return Table(name, title, tuple(columns), tuple(tuple(row) for row in rows), folded)


def to_csv(content: Table) -> str:
    """A table as CSV with one line of headings; fields are empty for None.

    Names from outside stand in it, and spreadsheets compute what begins like a formula. Such a text
    begins with an apostrophe, which says that it is text. Numbers stay as they are.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows([_as_text(cell) for cell in row] for row in (content.columns, *content.rows))
    return buffer.getvalue()


def _as_text(cell: Cell) -> Cell:
    if not isinstance(cell, str) or _NUMBER.fullmatch(cell):
        return cell
    return _FORMULA.sub(r"\1'", cell)


def shown(cell: Cell) -> str:
    """A cell as the page shows it: four significant digits, a dash for None."""
    match cell:
        case None:
            return "–"
        case bool():
            return "yes" if cell else "no"
        case float() if cell.is_integer() and abs(cell) < 1e6:
            return f"{cell:.0f}"
        case float():
            return f"{cell:.4g}"
        case _:
            return str(cell)
