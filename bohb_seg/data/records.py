"""Facts about decoded pairs of image and mask, and the refusal of pairs that cannot be used."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bohb_seg.data.imagery.damage import Range
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.errors import DataError, printable


@dataclass(frozen=True)
class Record:
    """Facts about a decoded pair.

    Args:
        name: Path of the image below the data folder.
        group: Folder above ``images/``.
        size: Height and width of the decoded image.
        original: Height and width of the file.
        pixels: Number of pixels of each class in the decoded labels, then of ignored pixels.
        unknown: Number of pixels in the file for each colour or index of no class.
        palette: Whether the mask is a palette file.
        smeared: Share of the mask's pixels that were given to the nearest class, 0..1.
        dtype: NumPy's name of the decoded values' type.
        bands: Names of the decoded bands, "" for one without a name.
        facts: Facts of the image file, with what decoders complained of.
        values: The image's values; None if no pixel holds data.
    """

    name: str
    group: str
    size: tuple[int, int]
    original: tuple[int, int]
    pixels: tuple[int, ...]
    unknown: Mapping[str, int]
    palette: bool
    smeared: float
    dtype: str
    bands: tuple[str, ...]
    facts: Facts
    values: Range | None


class UnusableDataError(DataError):
    """Files must be mended; ``problems`` holds one sentence for each, the message the first."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(map(printable, problems))
        more = len(problems) - 1
        rest = f" ({more} more like this: bohb-data check lists them)" if more else ""
        super().__init__(problems[0] + rest)


def refuse(problems: Iterable[str]) -> None:
    """Ends the preparation if there are problems.

    Raises:
        UnusableDataError: there is at least one.
    """
    if listed := tuple(problems):
        raise UnusableDataError(listed)
