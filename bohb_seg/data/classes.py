"""Class tables: the class that each colour or index of a mask stands for.

A table in the project's own form, as in ``classes.yaml`` of a data folder, is a list of entries::

    - {name: building, colour: "#3C1098"}
    - {name: road, index: 2, colour: "#6EC1E4"}   # index PNGs; the colour is for pictures
    - {name: unlabeled, colour: "#9B9B9B", ignore: true}

Tables in other forms, and which table counts: see :mod:`bohb_seg.data.class_tables`.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from bohb_seg.errors import DataError, printable
from bohb_seg.files import read_regular

MAX_CLASSES = 254
"""Number of labels that a uint8 has left: 255 is IGNORE, 254 marks unknown colours in decoding."""

FILE_NAME = "classes.yaml"
"""Name of the class table in a data folder."""

Colour = tuple[int, int, int]
"""Red, green, blue, each 0..255."""


@dataclass(frozen=True)
class ClassTable:
    """The classes a model predicts; label ``i`` is ``names[i]``, drawn in ``colours[i]``.

    Classes that are ignored are not among them.
    """

    names: tuple[str, ...]
    colours: tuple[Colour, ...]

    def __post_init__(self) -> None:
        # Here, because names are shown everywhere from now on, and YAML can write any character.
        object.__setattr__(self, "names", tuple(map(printable, self.names)))


class ClassEntry(BaseModel):
    """One class as a class table file names it; a colour, an index or both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    colour: Annotated[
        str | None,
        Field(pattern="^#[0-9A-Fa-f]{6}$", validation_alias=AliasChoices("colour", "color")),
    ] = None
    index: Annotated[int | None, Field(ge=0, le=0xFFFF)] = None
    ignore: bool = False

    @model_validator(mode="after")
    def _is_found_in_masks(self) -> Self:
        if self.colour is None and self.index is None:
            raise ValueError(f"class {self.name!r} needs a colour or an index")
        return self

    @property
    def packed_colour(self) -> int | None:
        """The colour as 0xRRGGBB, None if the class has only an index."""
        return None if self.colour is None else int(self.colour[1:], 16)


DUBAI = (
    ClassEntry(name="building", colour="#3C1098"),
    ClassEntry(name="land", colour="#8429F6"),
    ClassEntry(name="road", colour="#6EC1E4"),
    ClassEntry(name="vegetation", colour="#FEDD3A"),
    ClassEntry(name="water", colour="#E2A929"),
    ClassEntry(name="unlabeled", colour="#9B9B9B", ignore=True),
)
"""Colours in the masks of "Semantic segmentation of aerial imagery" (Humans in the Loop). The data
set's own ``classes.json`` names other colours, which its masks do not use."""


def rgb(packed: int) -> Colour:
    """Unpacks 0xRRGGBB."""
    return packed >> 16 & 0xFF, packed >> 8 & 0xFF, packed & 0xFF


def read_file(file: Path) -> tuple[ClassEntry, ...]:
    """Reads a class table in the project's own form.

    Raises:
        DataError: the file cannot be read or is no class table.
    """
    try:
        content = yaml.safe_load(read_regular(file).decode("utf-8"))
        entries = TypeAdapter(tuple[ClassEntry, ...]).validate_python(content)
    except OSError as error:
        raise DataError(f"class table {file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise DataError(f"class table {file} is not YAML; {_EXAMPLE}") from None
    except ValidationError as error:
        raise DataError(f"class table {file}{_place(error)}; {_EXAMPLE}") from None
    check(entries, file)
    return entries


_EXAMPLE = 'write one entry a line like - {name: road, colour: "#6EC1E4"}'


def _place(error: ValidationError) -> str:
    first = error.errors()[0]
    where = "".join(
        f", entry {part + 1}" if isinstance(part, int) else f", {part}" for part in first["loc"]
    )
    return f"{where}: {first['msg'].removeprefix('Value error, ').lower()}"


def check(entries: tuple[ClassEntry, ...], file: Path) -> None:
    """Refuses tables by which masks cannot be decoded.

    Raises:
        DataError: a name, colour or index occurs twice, or there are too few or too many classes.
    """
    for kind, values in (
        ("name", [entry.name for entry in entries]),
        ("colour", [entry.colour.upper() for entry in entries if entry.colour]),
        ("index", [entry.index for entry in entries if entry.index is not None]),
    ):
        value, times = Counter(values).most_common(1)[0] if values else ("", 0)
        if times > 1:
            raise DataError(f"class table {file}: the {kind} {value} occurs twice; drop one")
    kept = sum(not entry.ignore for entry in entries)
    if not 1 <= kept <= MAX_CLASSES:
        raise DataError(
            f"class table {file} has {kept} classes that are not ignored;"
            f" between 1 and {MAX_CLASSES} can be told apart"
        )
