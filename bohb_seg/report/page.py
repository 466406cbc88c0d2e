"""The report: one self-contained page out of a run directory; opening it fetches nothing."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean

from bohb_seg.files import write_whole
from bohb_seg.report import templates
from bohb_seg.report.analysis.comparison import arms
from bohb_seg.report.analysis.cost import costs
from bohb_seg.report.analysis.history import read
from bohb_seg.report.analysis.incumbent import incumbent
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.runoff import candidates
from bohb_seg.report.analysis.verdict import verdict
from bohb_seg.report.glossary import GLOSSARY
from bohb_seg.report.sections import outline
from bohb_seg.report.sections.section import Section
from bohb_seg.report.tables.table import shown, to_csv
from bohb_seg.report.wording import in_epochs, is_number


@dataclass(frozen=True)
class Tile:
    """A number at the top of the page, which is read first."""

    value: str
    label: str


def write(run_dir: Path) -> Path:
    """Writes ``report/report.html``, ``report/figures/*.png`` and ``report/tables/*.csv``.

    Args:
        run_dir: A run directory; its run may be alive, broken or over.

    Returns:
        The path of the page.

    Raises:
        SettingsError: ``run_dir`` is no run directory.
        JournalError: its journal is damaged.
    """
    run = read(run_dir)
    sections = outline.sections(run)
    folder = run_dir / "report"
    pictures = {f"{each.name}.png": each.png for own in sections for each in own.pictures}
    tables = {f"{each.name}.csv": to_csv(each).encode() for own in sections for each in own.tables}
    _fill(folder / "figures", pictures)
    _fill(folder / "tables", tables)
    page = folder / "report.html"
    write_whole(page, render(run, sections), durable=False)
    return page


def html(run_dir: Path) -> str:
    """Makes the page alone; writes nothing.

    Raises:
        SettingsError: ``run_dir`` is no run directory.
        JournalError: its journal is damaged.
    """
    run = read(run_dir)
    return render(run, outline.sections(run))


def render(run: RunRecord, sections: Sequence[Section]) -> str:
    """Makes the HTML of the page."""
    environment = templates.environment()
    environment.filters.update(shown=shown, base64=_base64, unbroken=_unbroken)
    environment.tests["numeric"] = is_number
    return environment.get_template("template.html").render(
        run_id=run.started.settings.get("run_id") or run.directory.name,
        judgement=verdict(run, arms(run)).judgement,
        status=status(run),
        facts=_facts(run),
        tiles=_tiles(run),
        sections=sections,
        glossary=GLOSSARY,
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def status(run: RunRecord) -> str:
    """State of the run in a sentence or two: ended, stopped early or going on."""
    last = f"{datetime.fromtimestamp(run.end, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if run.finish is None:
        stopping = f" It was asked to stop ({run.stop})." if run.stop else ""
        return (
            "This run is still going on or was interrupted; the last entry of its journal is from"
            f" {last}.{stopping}"
        )
    if run.stop:
        return f"This run was stopped early ({run.stop}); it ended at {last}."
    return f"This run ended at {last} ({run.finish})."


def _facts(run: RunRecord) -> Mapping[str, str]:
    """Settings and data of the run that identify it, by name; what is not known is left out."""
    settings, data = run.started.settings, run.started.data
    patches = data.get("patches") or {}
    facts = {
        "data": settings.get("data"),
        "patches": ", ".join(f"{count} {part}" for part, count in patches.items()),
        "patch size": settings.get("patch_size"),
        "split": settings.get("split"),
        "model": settings.get("model"),
        "objective": settings.get("objective"),
        "search space": settings.get("space"),
        "optimizer": settings.get("optimizer"),
        "brackets": settings.get("n_iterations"),
        "budgets": _budgets(run),
        "seed": settings.get("seed"),
        "started": f"{datetime.fromtimestamp(run.begin, UTC):%Y-%m-%d %H:%M} UTC",
    }
    return {name: str(value) for name, value in facts.items() if value not in (None, "")}


def _budgets(run: RunRecord) -> str:
    low, high, eta = (
        run.started.settings.get(name) for name in ("min_budget", "max_budget", "eta")
    )
    return "" if low is None else f"{low:g} to {high:g} epochs, one of {eta:g} promoted"


def _tiles(run: RunRecord) -> list[Tile]:
    search, *_, whole = costs(run)
    return [
        *_scores(run),
        *_lowest_loss(run),
        Tile(str(search.evaluations), "evaluations in the search"),
        Tile(f"{search.epochs:g}", "epochs trained by the search"),
        Tile(_duration(whole.wall_hours), "wall time"),
    ]


def _scores(run: RunRecord) -> list[Tile]:
    tiles = []
    for arm in arms(run):
        part = "test" if arm.scores("test", "miou") else "validation"
        if scores := arm.scores(part, "miou"):
            tiles.append(Tile(f"{fmean(scores):.3f}", f"{part} mIoU, {arm.name}"))
    return tiles


def _lowest_loss(run: RunRecord) -> list[Tile]:
    """The loss by which the incumbent was chosen; none before the first."""
    best = incumbent(run)
    winner = next((each for each in candidates(run) if each.won), None)
    if winner is not None and winner.mean is not None:
        label = f"loss in the runoff (mean), {in_epochs(winner.search.budget)}"
        return [Tile(f"{winner.mean:.4f}", label)]
    if best is not None:
        return [Tile(f"{best.loss:.4f}", f"best search loss, {in_epochs(best.budget)}")]
    return []


def _duration(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{hours * 60:.1f} min"


def _fill(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes files, and removes those of an earlier report that are not among them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        # At once, so that a reader of the report of a live run never sees half of it.
        write_whole(folder / name, content, durable=False)
    endings = {Path(name).suffix for name in contents}
    for old in folder.iterdir():
        hidden = old.name.startswith(".")  # another report may be under way
        if old.name not in contents and old.suffix in endings and not hidden:
            old.unlink()


def _unbroken(text: str) -> str:
    """Text in which no line ends before a per cent sign or within a t-interval."""
    return text.replace(" %", "\u00a0%").replace("t-interval", "t\u2011interval")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
