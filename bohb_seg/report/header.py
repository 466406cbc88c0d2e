"""The head of the page: what is read first, and what identifies the run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from bohb_seg.errors import printable
from bohb_seg.report.analysis.averages import mean
from bohb_seg.report.analysis.cost import costs
from bohb_seg.report.analysis.incumbent import incumbent
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.analysis.runoff import candidates
from bohb_seg.report.analysis.verdict import judged, signed, title
from bohb_seg.report.sections.section import Gap, attempt
from bohb_seg.report.wording import decimals, in_epochs

T = TypeVar("T")


@dataclass(frozen=True)
class Tile:
    """A number at the top of the page, which is read first."""

    value: str
    label: str


@dataclass(frozen=True)
class Header:
    """The head of the page.

    Args:
        run_id: Name of the run.
        judgement: The verdict in a word or two.
        status: State of the run in a sentence or two.
        facts: Settings and data that identify the run, by name.
        tiles: The most important numbers.
        gaps: Parts that could not be made.
    """

    run_id: str
    judgement: str
    status: str
    facts: Mapping[str, str]
    tiles: Sequence[Tile]
    gaps: tuple[Gap, ...]


def header(run: RunRecord) -> Header:
    """The head of a run's page; each of its parts stands alone."""
    gaps: list[Gap] = []

    def made(what: str, make: Callable[[], T], otherwise: T) -> T:
        found = attempt(what, make)
        if isinstance(found, Gap):
            gaps.append(found)
            return otherwise
        return found

    nothing: list[Tile] = []
    tiles = [
        *made("The scores", lambda: _scores(run), nothing),
        *made("The lowest loss", lambda: _lowest_loss(run), nothing),
        *made("The cost", lambda: _costs(run), nothing),
    ]
    return Header(
        run_id=str(run.started.settings.get("run_id") or printable(run.directory.name)),
        judgement=made("The judgement", lambda: str(judged(run).answer), ""),
        status=made("The status", lambda: status(run), ""),
        facts=made("The list of settings", lambda: _facts(run), {}),
        tiles=tiles,
        gaps=tuple(gaps),
    )


def status(run: RunRecord) -> str:
    """State of the run in a sentence or two: ended, stopped early or going on."""
    last = f"{datetime.fromtimestamp(run.end, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if run.finish is None:
        stopping = f" It was asked to stop ({run.stop})." if run.stop else ""
        return (
            "This run is still going on or was interrupted; the last entry of its journal is from"
            f" {last}.{stopping}{_changes(run)}"
        )
    if run.stop:
        return f"This run was stopped early ({run.stop}); it ended at {last}.{_changes(run)}"
    return f"This run ended at {last} ({run.finish}).{_changes(run)}"


def _changes(run: RunRecord) -> str:
    """A sentence about a run of which one part followed other rules than another; or ""."""
    if not run.changes:
        return ""
    return (
        " It was gone on with under other rules, those of another version or another sampler"
        f" ({'; '.join(run.changes)}): its results count, but no single search would have led to"
        " all of them."
    )


def _facts(run: RunRecord) -> Mapping[str, str]:
    """Settings and data of the run that identify it, by name; what is not known is left out."""
    settings, data = run.started.settings, run.started.data
    patches = data.get("patches") or {}
    facts = {
        "data": settings.get("data"),
        "patches": ", ".join(f"{count} {part}" for part, count in patches.items()),
        "patch size": settings.get("patch_size"),
        "split": data.get("split") or settings.get("split"),
        "model": settings.get("model"),
        "objective": settings.get("objective"),
        "search space": settings.get("space"),
        "optimizer": settings.get("optimizer"),
        "baseline": run.started.baseline,
        "brackets": run.brackets,
        "budgets": _budgets(run),
        "seed": settings.get("seed"),
        "planned beforehand": run.started.deadline.get("plan"),
        "started": f"{datetime.fromtimestamp(run.begin, UTC):%Y-%m-%d %H:%M} UTC",
    }
    return {name: str(value) for name, value in facts.items() if value not in (None, "")}


def _budgets(run: RunRecord) -> str:
    low, high, eta = (
        run.started.settings.get(name) for name in ("min_budget", "max_budget", "eta")
    )
    return "" if low is None else f"{low:g} to {high:g} epochs, one of {eta:g} promoted"


def _costs(run: RunRecord) -> list[Tile]:
    search, *_, whole = costs(run)
    return [
        Tile(str(search.evaluations), "evaluations in the search"),
        Tile(f"{search.epochs:g}", "epochs trained by the search"),
        Tile(_duration(whole.wall_hours), "wall time"),
    ]


def _scores(run: RunRecord) -> list[Tile]:
    """The verdict, and the numbers that it rests on."""
    verdict = judged(run)
    first = verdict.difference
    if first is None:
        return []
    name = title(first.quantity)
    places = 3 if first.quantity.name == "miou" else 4
    interval = ""
    if first.low is not None and first.high is not None:
        interval = f", 95 % interval {signed(first.low)} to {signed(first.high)}"
    return [
        Tile(
            verdict.answer,
            f"verdict, {len(first.seeds)} {'seed' if len(first.seeds) == 1 else 'seeds'}",
        ),
        Tile(decimals(mean(first.default), places), f"{name}, {run.reference}"),
        Tile(decimals(mean(first.incumbent), places), f"{name}, incumbent"),
        Tile(signed(first.mean), f"difference in {name}{interval}"),
    ]


def _lowest_loss(run: RunRecord) -> list[Tile]:
    """The loss by which the incumbent was chosen; none before the first."""
    best = incumbent(run)
    winner = next((each for each in candidates(run) if each.won), None)
    if winner is not None and winner.mean is not None:
        label = f"loss in the runoff (mean), {in_epochs(winner.search.budget)}"
        return [Tile(decimals(winner.mean), label)]
    if best is not None and best.loss is not None:
        return [Tile(decimals(best.loss), f"best search loss, {in_epochs(best.budget)}")]
    return []


def _duration(hours: float) -> str:
    minutes = round(hours * 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{hours * 60:.1f} min"
