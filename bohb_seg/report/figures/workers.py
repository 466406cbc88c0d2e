"""Figure of the workers' time."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bohb_seg.report.analysis.records import AttemptRecord, RunRecord
from bohb_seg.report.analysis.workers import WorkerTime, worker_times
from bohb_seg.report.style import FAILED, drawable, new_figure, styled, time_unit
from bohb_seg.rpc.names import worker_name
from bohb_seg.trials import FINAL_PHASES

IDLE = "#e6e6e6"
PRESENT = "present"
"""Kind of the bars behind all others."""
MOST_EDGES = 300
"""Bars of a kind for each worker; where there are more, edges and hatches would hide them."""
MOST_LABELS = 40
"""Number of workers whose names fit beside their rows."""
LONGEST_NAME = 28
"""Characters of a worker's name beside its row; the end of a name tells workers apart."""
BARS: Mapping[str, Any] = {
    "finished": {"facecolor": "#2a7ab8", "edgecolor": "white"},
    "runoff": {"facecolor": "#9cc7e6", "edgecolor": "#2a7ab8", "hatch": "\\\\\\"},
    "comparison": {"facecolor": "#9cc7e6", "edgecolor": "#2a7ab8", "hatch": "..."},
    "folds": {"facecolor": "#9cc7e6", "edgecolor": "#2a7ab8", "hatch": "ooo"},
    "diverged": {"facecolor": "#f2c14e", "edgecolor": "#7a5c00", "hatch": "///"},
    "crashed": {"facecolor": "#f2c14e", "edgecolor": "#7a5c00", "hatch": "xxx"},
    "lost": {"facecolor": "white", "edgecolor": FAILED, "hatch": "xxxx"},
    "late": {"facecolor": "white", "edgecolor": FAILED, "hatch": "////"},
    "running": {"facecolor": "#cfe8cf", "edgecolor": "#3b7d3b", "hatch": "---"},
}
BAR_COLOURS = {"lost": FAILED, "late": FAILED}
"""Colours of kinds that are white without their hatch."""
BAR_LABELS = {
    "finished": "search, finished",
    "runoff": "runoff, finished",
    "comparison": "comparison, finished",
    "folds": "comparison on folds, finished",
    "late": "late (result dropped)",
    "lost": "lost with its worker",
    "running": "still running",
}

_Bar = tuple[tuple[float, float], ...]
"""The corners of a bar."""


@styled
def timeline(run: RunRecord) -> Figure:
    """A row per worker with its attempts; grey is idle, white is absent."""
    workers = worker_times(run)
    figure = new_figure(min(10.0, 1.9 + max(0.32, 0.5 - 0.01 * len(workers)) * len(workers)))
    ax = figure.subplots()
    unit, name = time_unit(run.end - run.begin)
    _rows(ax, run, workers, unit)
    for time in run.resumed:
        ax.axvline((time - run.begin) / unit, color="black", linestyle=":", linewidth=1.2)
    _worker_labels(ax, workers)
    ax.set(xlabel=f"{name} since the start", title="What the workers did")
    ax.set_xlim(0, (run.end - run.begin) / unit or 1)
    ax.set_ylim(len(workers) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    figure.legend(handles=_keys(run), loc="outside lower center", ncols=4)
    return figure


def _rows(ax: Axes, run: RunRecord, workers: Sequence[WorkerTime], unit: float) -> None:
    """Draws all bars of a kind at once: the library takes a millisecond for each call."""
    rows = {each.worker: place for place, each in enumerate(workers)}
    bars: dict[str, list[_Bar]] = {}

    def add(kind: str, worker: str, start: float, end: float | None) -> None:
        left, right = (start - run.begin) / unit, ((end or run.end) - run.begin) / unit
        low, high = rows[worker] - 0.4, rows[worker] + 0.4
        bars.setdefault(kind, []).append(((left, low), (left, high), (right, high), (right, low)))

    for stay in run.presences:
        add(PRESENT, stay.worker, stay.start, stay.end)
    for attempt in run.attempts:
        add(_kind(attempt), attempt.worker, attempt.start, attempt.end)
    for kind, its in bars.items():
        look: Any = {"facecolor": IDLE} if kind == PRESENT else {**BARS[kind], "linewidth": 0.6}
        if len(its) > MOST_EDGES * len(workers):
            look = {"facecolor": BAR_COLOURS.get(kind, look["facecolor"]), "edgecolor": "none"}
        ax.add_collection(PolyCollection(its, **look))


def _kind(attempt: AttemptRecord) -> str:
    if attempt.fate != "finished":
        return attempt.fate
    return FINAL_PHASES.get(attempt.evaluation.trial.bracket, "finished")


def _keys(run: RunRecord) -> list[Any]:
    kinds = {_kind(attempt) for attempt in run.attempts}
    keys: list[Any] = [
        Patch(**look, label=BAR_LABELS.get(kind, kind))
        for kind, look in BARS.items()
        if kind in kinds
    ]
    keys.append(Patch(facecolor=IDLE, label="idle"))
    if run.resumed:
        keys.append(Line2D([], [], color="black", linestyle=":", label="master resumed"))
    return keys


def _worker_labels(ax: Axes, workers: Sequence[WorkerTime]) -> None:
    if len(workers) > MOST_LABELS:
        ax.set_ylabel(f"{len(workers)} workers")
        return
    ax.set_yticks(range(len(workers)), [_shortened(each.worker) for each in workers])
    for place, each in enumerate(workers):
        ax.annotate(
            f"{100 * each.busy_share:.0f} % busy",
            (1, place),
            xytext=(6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=9,
            annotation_clip=False,
        )


def _shortened(worker: str) -> str:
    name = drawable(worker_name(worker))
    return name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"
