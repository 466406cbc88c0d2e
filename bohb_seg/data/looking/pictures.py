"""Pictures of pairs as a network sees them: after scaling, and masks in their classes' colours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bohb_seg.data.colouring import coloured
from bohb_seg.data.imagery.scaling import Scaling
from bohb_seg.data.looking.outlook import Outlook
from bohb_seg.data.looking.remarks import Choice
from bohb_seg.data.looking.sights import Box, Sight, file_sight, scaling_of, stored_sight
from bohb_seg.data.pixels import Pixels
from bohb_seg.errors import printable


@dataclass(frozen=True)
class Picture:
    """A pair as it is shown.

    Args:
        name: The image's name.
        mask: The mask's name.
        words: A few words about it.
        is_odd: Whether they are a remark on something odd.
        image: uint8, (height, width, 3); None if the files cannot be decoded.
        labels: The labels in their colours, likewise.
    """

    name: str
    mask: str
    words: tuple[str, ...]
    is_odd: bool
    image: Pixels | None = None
    labels: Pixels | None = None


def pictures(
    known: Outlook, choices: Sequence[Choice], edge: int, part: str | None = None
) -> Iterator[Picture]:
    """Pictures of some images; what cannot be decoded is named in their place.

    Args:
        known: The data set.
        choices: The images.
        edge: Longest edge of a picture in pixels, about.
        part: The part whose patches are shown, else whole images.

    Raises:
        DataError: the store is damaged, or cannot be read.
    """
    if known.collection is None:
        return
    seen = [_sight(known, each.image, edge, part) for each in choices]
    scale = scaling_of([sight for sight, _ in seen if sight])
    for choice, (sight, fault) in zip(choices, seen, strict=True):
        pair = known.collection.pairs[choice.image]
        words = choice.words or ((fault,) if fault else ())  # a refusal names the fault already
        about = pair.name, printable(pair.mask.name), words, choice.is_odd or bool(fault)
        if sight is None:
            yield Picture(*about)
        else:
            scaling: Scaling = known.data.scaling if known.data else scale(sight)
            labels = coloured(sight.labels, known.collection.code.classes)
            yield Picture(*about, sight.rgb(scaling), labels)


def _sight(
    known: Outlook, number: int, edge: int, part: str | None
) -> tuple[Sight | None, str | None]:
    """A small picture of a pair, and the fault of its files."""
    assert known.collection
    if known.decoded is None:
        return file_sight(known.collection.pairs[number], known.reading, edge)
    record = known.records[number]
    box = Box(0, 0, *record.size) if part is None else known.boxes[part][number]
    return stored_sight(known.decoded.store, number, box, record.bands, edge), None
