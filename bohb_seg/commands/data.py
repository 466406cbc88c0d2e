"""``bohb-data``: audits a data set, writes the synthetic one, draws image | mask sheets."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bohb_seg import plugins
from bohb_seg.commands import command_line
from bohb_seg.data import composition
from bohb_seg.data.class_tables import draft
from bohb_seg.data.composition import Composition
from bohb_seg.data.layout import finding
from bohb_seg.data.looking.outlook import outlook
from bohb_seg.data.preparation import SegmentationData, find, prepare
from bohb_seg.data.records import UnusableDataError
from bohb_seg.errors import DataError, printable
from bohb_seg.settings import DataSettings, merge

MASK_SUFFIXES = {".png", ".tif", ".tiff", ".bmp", ".gif", ".jpg", ".jpeg", ".webp"}
"""Files of a folder of masks."""
_UNITS = {
    "folders": "as published",
    "group": "whole groups",
    "image": "whole images",
    "block": "blocks of",
    "patch": "",
}
"""Heading of a part's units by the rule of the split."""
_NAMED_UNITS = 100
"""Units that are named where there are more."""


@click.group("bohb-data")
@click.version_option(version("bohb-seg"))
def command() -> None:
    """Looks after data sets.

    \b
    Example: bohb-data check path/to/data --patch-size 128
    """


@command.command()
@click.argument("path", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
@click.option(
    "--html", "page", type=click.Path(path_type=Path), help="Write a page with pictures, too."
)
@command_line.settings_flags(DataSettings)
def check(
    path: str | None, as_json: bool, page: Path | None, config: Path | None, **flags: Any
) -> None:
    """Reads, audits and splits the data folder PATH (or --data) as a run would.

    \b
    Example: bohb-data check path/to/data --downscale 4 --patch-size 64
    """
    given = dict(flags)
    settings = _settings(path, config, flags)
    console = Console()
    try:
        data = _shown(settings, path, config, page, given) if page else prepare(settings)
    except UnusableDataError as error:
        for problem in error.problems if not as_json else ():
            console.print(Text(f"problem: {problem}", style="red"), soft_wrap=True)
        raise
    if not as_json:
        _print(console, settings, data)
    composition.judge(data.composition, settings.preset)
    if as_json:
        click.echo(json.dumps(data.summary()))


def _shown(
    settings: DataSettings,
    path: str | None,
    config: Path | None,
    place: Path,
    flags: dict[str, Any],
) -> SegmentationData:
    """Prepares the data and writes the page about them, also if they are refused."""
    from bohb_seg.commands.looking import page, sheet  # late, for they import matplotlib

    try:
        sheet.refuse_others(place)
        known = outlook(settings)
        page.write(known, page.words(path, config, place, flags), place)
    except OSError as error:
        raise DataError(f"{error.filename or place}: {error.strerror}") from None
    click.echo(printable(f"wrote {place}"), err=True)
    if known.data is None:
        assert known.refusal, "data are either prepared or refused"
        raise known.refusal
    return known.data


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--tiles", type=click.IntRange(1), help="Groups of two images [default: as --data synthetic]."
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    help="Other seeds draw other scenes [default: as --data synthetic].",
)
def make(path: Path, **given: int | None) -> None:
    """Writes synthetic aerial scenes into the new folder PATH.

    \b
    Example: bohb-data make scenes && bohb-data check scenes --patch-size 64
    """
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise DataError(f"{path} exists already; name a new folder")
        images = plugins.find("datasets", "synthetic").make(
            path, **{name: value for name, value in given.items() if value is not None}
        )
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from None
    click.echo(printable(f"wrote {images} images with masks to {path}"))


@command.command()
@click.argument("path", required=False)
@click.option("--out", default="sheet.png", type=click.Path(path_type=Path), show_default=True)
@click.option(
    "--pairs", default=8, type=click.IntRange(1), show_default=True, help="How many on a sheet."
)
@command_line.settings_flags(DataSettings)
def show(path: str | None, out: Path, pairs: int, config: Path | None, **flags: Any) -> None:
    """Draws images of the data folder PATH (or --data), as a network sees them, beside their masks.

    Each part has a sheet of its own: sheet.png becomes sheet-train.png and so on. Images of which
    bohb-data check warns come first, then rare classes. Data that check refuses are drawn on one
    sheet, as far as their files can be decoded.

    \b
    Example: bohb-data show path/to/data --out sheet.png --pairs 12
    """
    from bohb_seg.commands.looking import sheet  # late, for it imports matplotlib

    settings = _settings(path, config, flags)
    try:
        sheet.refuse_others(out)
        known = outlook(settings)
        if known.refusal and not known.names:
            raise known.refusal
        written = sheet.draw(known, pairs, out)
    except OSError as error:
        raise DataError(f"{error.filename or out}: {error.strerror}") from None
    for problem in known.problems:
        click.echo(printable(f"problem: {problem}"), err=True)
    for file in written:
        click.echo(printable(f"wrote {file}"))


@command.command("classes")
@click.argument("path", required=False)
@command_line.settings_flags(DataSettings)
def draft_classes(path: str | None, config: Path | None, **flags: Any) -> None:
    """Drafts classes.yaml, and a legend, from the masks of the data folder PATH (or --data).

    PATH may also be a folder of masks; then they are written beside it. Nothing is overwritten.

    \b
    Example: bohb-data classes path/to/data
    """
    settings = _settings(path, config, flags)
    masks, folder = _masks(settings)
    table, picture = draft.write(masks, folder)
    click.echo(printable(f"wrote {table} and {picture}; give the classes their names"))


def _masks(settings: DataSettings) -> tuple[Sequence[Path], Path]:
    dataset, path = plugins.data_source(settings.data)
    folder = Path(path).expanduser()
    try:
        if dataset == "folder":  # alone, because its load() wants the classes that are missing
            found = finding.find(folder, settings.images, settings.masks, with_parts=False)
            if not found.pairs:
                raise DataError("; ".join(found.problems))
            return [pair.mask for pair in found.pairs], folder
        collection = find(settings)
    except DataError:
        images = (file for file in sorted(folder.glob("*")) if file.suffix.lower() in MASK_SUFFIXES)
        if masks := [file for file in images if file.is_file()]:
            return masks, folder.resolve().parent  # in it, the legend would be another mask
        raise
    return [pair.mask for pair in collection.pairs], collection.root


def main() -> None:
    """Entry point of ``bohb-data``."""
    command_line.run(command)


def _settings(path: str | None, config: Path | None, flags: dict[str, Any]) -> DataSettings:
    if path is not None:
        flags["data"] = path
    settings = merge(DataSettings, flags, config)
    command_line.start_logging(settings.log_level)
    return settings


def _print(console: Console, settings: DataSettings, data: SegmentationData) -> None:
    audit = data.audit
    sizes = ", ".join(f"{size} ({count})" for size, count in audit.sizes.items())
    facts = Table(title=_text(f"{settings.data}, preset {settings.preset}"), show_header=False)
    for name, value in (
        ("images with masks", f"{audit.images} in {audit.groups} groups"),
        ("sizes in pixels", sizes),
        ("palette masks", str(audit.palette_masks)),
        ("pixels of no class", f"{audit.unknown_share:.2%}"),
        ("pixels given to the nearest class", f"{audit.smeared_share:.2%}"),
        ("pixels ignored", f"{audit.ignored_share:.2%}"),
        ("equal images", str(sum(map(len, audit.duplicates)))),
        *_groups(data),
        ("fingerprint", data.fingerprint),
        ("split hash", data.split_hash),
    ):
        facts.add_row(name, value)
    console.print(facts)
    console.print(_classes(data.composition))
    console.print(_parts(settings, data.composition))


def _groups(data: SegmentationData) -> list[tuple[str, str]]:
    """How many groups test, and how many folds would let each of them test once."""
    if data.source is None:
        return []
    dealt = data.source.redealing
    test = dealt.test_units
    tested = f"{test} {dealt.test_unit}" if test == 1 else f"{test} {dealt.test_unit}s"
    folds = f"at most {dealt.most_folds}" if dealt.most_folds else f"none, of {dealt.told_units}"
    return [("the test part", tested), ("folds (--final-folds)", folds)]


def _classes(made: Composition) -> Table:
    shown = {name: part for name, part in made.parts.items() if part.patches}
    table = Table("", "class", *shown, title="share of the pixels that count, by class and part")
    shares = zip(*(part.shares for part in shown.values()), strict=True)
    for name, colour, row in zip(made.classes.names, made.classes.colours, shares, strict=True):
        swatch = Text("   ", style=f"on rgb({','.join(map(str, colour))})")
        table.add_row(swatch, _text(name), *(f"{share:.1%}" if share else "none" for share in row))
    return table


def _parts(settings: DataSettings, made: Composition) -> Table:
    table = Table("part", "patches", "images", _UNITS[made.kind])
    table.title = f"split by {made.kind}, {settings.patch_size}-pixel patches"
    for name, part in made.parts.items():
        units = {"group": part.groups, "patch": ()}.get(made.kind, part.images)
        named = ", ".join(units[:_NAMED_UNITS]) + ", ..." * (len(units) > _NAMED_UNITS)
        table.add_row(name, str(part.patches), str(len(part.images)), _text(named))
    return table


def _text(text: str) -> Text:
    """Text from outside as it is: brackets and colons in it are no markup."""
    return Text(printable(text))


if __name__ == "__main__":
    main()
