"""One self-contained page out of a run directory; nothing is fetched when it is opened."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from statistics import fmean

import jinja2

from bohb_seg.files import write_whole
from bohb_seg.report import sections_comparison, sections_search
from bohb_seg.report.accounts import costs
from bohb_seg.report.comparison import arms
from bohb_seg.report.glossary import GLOSSARY
from bohb_seg.report.history import Run, read
from bohb_seg.report.runoff import candidates
from bohb_seg.report.search import incumbent
from bohb_seg.report.section import Section
from bohb_seg.report.style import in_epochs
from bohb_seg.report.tables import is_number, shown, to_csv
from bohb_seg.report.verdict import verdict

TEMPLATE = "template.html"


@dataclass(frozen=True)
class Tile:
    """A number that is read first, at the top of the page."""

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
    sections = _sections(run)
    folder = run_dir / "report"
    pictures = {f"{each.name}.png": each.png for own in sections for each in own.pictures}
    tables = {f"{each.name}.csv": to_csv(each).encode() for own in sections for each in own.tables}
    _fill(folder / "figures", pictures)
    _fill(folder / "tables", tables)
    page = folder / "report.html"
    write_whole(page, render(run, sections), durable=False)
    return page


def html(run_dir: Path) -> str:
    """The page alone; nothing is written.

    Raises:
        SettingsError: ``run_dir`` is no run directory.
        JournalError: its journal is damaged.
    """
    run = read(run_dir)
    return render(run, _sections(run))


def render(run: Run, sections: Sequence[Section]) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(shown=shown, base64=_base64)
    environment.tests["numeric"] = is_number
    template = files("bohb_seg.report").joinpath(TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(template).render(
        run_id=run.started.settings.get("run_id") or run.directory.name,
        judgement=verdict(run, arms(run)).judgement,
        status=status(run),
        facts=_facts(run),
        tiles=_tiles(run),
        sections=sections,
        glossary=GLOSSARY,
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def status(run: Run) -> str:
    """Whether the run is over, was stopped early, or goes on; in one sentence."""
    last = f"{datetime.fromtimestamp(run.end, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if run.finish is None:
        stopping = f" It was asked to stop ({run.stop})." if run.stop else ""
        return (
            f"This run is still going on or was interrupted; its last entry is of {last}.{stopping}"
        )
    if run.stop:
        return f"This run was stopped early ({run.stop}); it ended at {last}."
    return f"This run ended at {last} ({run.finish})."


def _sections(run: Run) -> tuple[Section, ...]:
    return (*sections_comparison.sections(run), *sections_search.sections(run))


def _facts(run: Run) -> Mapping[str, str]:
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


def _budgets(run: Run) -> str:
    low, high, eta = (
        run.started.settings.get(name) for name in ("min_budget", "max_budget", "eta")
    )
    return "" if low is None else f"{low:g} to {high:g} epochs, one of {eta:g} promoted"


def _tiles(run: Run) -> list[Tile]:
    best, (search, *_, whole) = incumbent(run), costs(run)
    winner = next((each for each in candidates(run) if each.won), None)
    tiles = []
    for arm in arms(run):
        part = "test" if arm.scores("test", "miou") else "validation"
        if scores := arm.scores(part, "miou"):
            tiles.append(Tile(f"{fmean(scores):.3f}", f"{part} mIoU, {arm.name}"))
    if winner is not None and winner.mean is not None:
        label = f"loss in the runoff (mean), {in_epochs(winner.search.budget)}"
        tiles.append(Tile(f"{winner.mean:.4f}", label))
    elif best is not None:
        tiles.append(Tile(f"{best.loss:.4f}", f"best search loss, {in_epochs(best.budget)}"))
    tiles.append(Tile(str(search.evaluations), "evaluations in the search"))
    tiles.append(Tile(f"{search.epochs:g}", "epochs trained by the search"))
    tiles.append(Tile(_duration(whole.wall_hours), "wall time"))
    return tiles


def _duration(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{hours * 60:.1f} min"


def _fill(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Writes files and removes those of an earlier report that are not among them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        # At once, so that whoever reads the report of a live run never sees half of it.
        write_whole(folder / name, content, durable=False)
    endings = {Path(name).suffix for name in contents}
    for old in folder.iterdir():
        hidden = old.name.startswith(".")  # another report may be under way
        if old.name not in contents and old.suffix in endings and not hidden:
            old.unlink()


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
