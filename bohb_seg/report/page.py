"""The report: one self-contained page out of a run directory; opening it fetches nothing."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bohb_seg.files import make_folder, refuse_foreign_link, write_whole
from bohb_seg.report import templates
from bohb_seg.report.analysis.history import read
from bohb_seg.report.glossary import GLOSSARY
from bohb_seg.report.header import Header, header
from bohb_seg.report.sections import outline
from bohb_seg.report.sections.section import Gap, Picture, Section
from bohb_seg.report.tables.table import Table, shown, to_csv
from bohb_seg.report.wording import is_number


@dataclass(frozen=True)
class Written:
    """A report on disk.

    Args:
        page: Path of ``report.html``.
        gaps: Sentences on the parts that could not be made; the page has them in their place.
    """

    page: Path
    gaps: tuple[str, ...]


def write(run_dir: Path) -> Written:
    """Writes ``report/report.html``, ``report/figures/*.png`` and ``report/tables/*.csv``.

    Args:
        run_dir: A run directory; its run may be alive, broken or over.

    Raises:
        SettingsError: ``run_dir`` is no run directory.
        JournalError: its journal is damaged.
        OSError: the report cannot be written.
    """
    run = read(run_dir)
    head, sections = header(run), outline.sections(run)
    folder = run_dir / "report"
    refuse_foreign_link(folder)
    parts = [each for own in sections for each in (*own.pictures, *own.tables)]
    pictures = {each.name: each.png for each in parts if isinstance(each, Picture)}
    tables = {each.name: to_csv(each).encode() for each in parts if isinstance(each, Table)}
    for part, ending, contents in (("figures", ".png", pictures), ("tables", ".csv", tables)):
        _fill(folder / part, ending, contents, within=run_dir)
    page = folder / "report.html"
    write_whole(page, render(head, sections), durable=False, within=run_dir)
    gaps = (*head.gaps, *(gap for own in sections for gap in own.gaps))
    return Written(page, tuple(dict.fromkeys(gap.sentence for gap in gaps)))


def html(run_dir: Path) -> str:
    """Makes the page alone; writes nothing.

    Raises:
        SettingsError: ``run_dir`` is no run directory.
        JournalError: its journal is damaged.
    """
    run = read(run_dir)
    return render(header(run), outline.sections(run))


def render(head: Header, sections: Sequence[Section]) -> str:
    """Makes the HTML of the page."""
    environment = templates.environment()
    environment.filters.update(shown=shown, base64=_base64, unbroken=_unbroken)
    environment.tests["numeric"] = is_number
    environment.tests["gap"] = lambda part: isinstance(part, Gap)
    return environment.get_template("template.html").render(
        head=head,
        sections=sections,
        glossary=GLOSSARY,
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _fill(folder: Path, ending: str, contents: Mapping[str, bytes], within: Path) -> None:
    """Writes files, and removes those of an earlier report that are not among them."""
    refuse_foreign_link(folder)
    make_folder(folder, within)
    for name, content in contents.items():
        # At once, so that a reader of the report of a live run never sees half of it.
        write_whole(folder / f"{name}{ending}", content, durable=False, within=folder)
    for old in folder.iterdir():
        hidden = old.name.startswith(".")  # another report may be under way
        if old.stem not in contents and old.suffix == ending and not hidden:
            old.unlink()


def _unbroken(text: str) -> str:
    """Text in which no line ends before a per cent sign."""
    return text.replace(" %", "\u00a0%")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
