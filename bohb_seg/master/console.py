"""The display of a running search: a live panel in a terminal, plain lines elsewhere.

A display is no part of the search: whatever goes wrong here, because the terminal is gone or
because of a worker's words, is told in the log and reaches nobody else. It has no thread.
"""

import logging
import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, final

from rich.console import Console
from rich.live import Live
from rich.logging import RichHandler
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table

from bohb_seg.rpc.complaints import Complaints
from bohb_seg.rpc.names import worker_name
from bohb_seg.search.events import Evaluated, News, PlanChanged, StopRequested, WorkersChanged
from bohb_seg.search.progress import Incumbent, Progress
from bohb_seg.settings import SearchSettings
from bohb_seg.trials import evaluation_name

LIVE_EVERY = 0.5
"""Seconds between two pictures of the panel."""
PLAIN_EVERY = 30.0
"""Seconds between two summary lines where there is no terminal."""
NO_WORKER_EVERY = 30.0
"""Seconds between two warnings that there is no worker."""

_log = logging.getLogger(__name__)


class HasTimeLeft(Protocol):
    """The end of a run."""

    @property
    def left(self) -> float:
        """Seconds until then; negative afterwards."""
        ...


@final
class Display:
    """Shows progress as long as it is entered, as a context manager.

    Args:
        settings: All settings of the run.
        console: Where to; standard error if there is none.
    """

    def __init__(self, settings: SearchSettings, console: Console | None = None) -> None:
        self._settings = settings
        self.join_command = "bohb-worker"
        """Command that starts another worker."""
        self.brackets = settings.n_iterations
        """Brackets of the present plan."""
        self.deadline: HasTimeLeft | None = None
        """The end of the run, if it has one."""
        self._console = console or Console(stderr=True)
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        self._complaints = Complaints(_log)
        self._started = self._said = self._had_worker = time.monotonic()
        self._shown, self._epochs = -math.inf, 0.0
        self._phase, self._phase_began = "", self._started
        self._handlers: Sequence[logging.Handler] = ()

    def __enter__(self) -> "Display":
        self._handlers = tuple(logging.getLogger().handlers)
        if self._console.is_terminal:
            self._try(self._start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._console.is_terminal:
            self._try(self._live.stop)
        logging.getLogger().handlers = list(self._handlers)

    def _start(self) -> None:
        self._live.start()
        logging.getLogger().handlers = [RichHandler(console=self._console, show_path=False)]

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:
            sentence = f"the display failed ({error!r}); the search goes on"
            self._complaints.complain(type(error).__name__, sentence)

    def tell(self, news: News, counts: bool = True) -> None:
        """Logs a line for each piece of news.

        Args:
            news: What happened.
            counts: Whether it settled an evaluation.
        """
        self._try(lambda: self._tell(news, counts))

    def _tell(self, news: News, counts: bool) -> None:
        match news:
            case Evaluated():
                self._tell_end(news, counts)
            case WorkersChanged():
                for name in news.joined:
                    _log.info("worker %s joined", worker_name(name))
                for name in news.left:
                    _log.warning("worker %s left", worker_name(name))
            case StopRequested():
                _log.info("no new configurations: %s", news.reason)
            case PlanChanged():
                _log.info("the plan has changed: %s", news.reason)

    def _tell_end(self, news: Evaluated, counts: bool) -> None:
        name = evaluation_name(news.evaluation)
        if not counts and news.given_up:
            _log.info("%s: given up, nobody waited for its result any more", name)
            return
        if not counts and news.outcome != "crashed":
            _log.info("%s: dropped, nobody waited for its result any more", name)
            return
        self._epochs += min(news.facts.epochs_trained or 0.0, news.evaluation.budget)
        _log.info("%s: %s", name, news.outcome if news.loss is None else f"loss {news.loss:.4f}")
        if news.outcome == "crashed":
            _log.warning("%s", (news.error or "").strip().rpartition("\n")[2])

    def show(self, progress: Progress) -> None:
        """Updates the panel, or logs a summary now and then."""
        self._try(lambda: self._show(progress))

    def _show(self, progress: Progress) -> None:
        now = time.monotonic()
        self._mind_missing_workers(progress, now)
        if progress.phase != self._phase:
            self._phase, self._phase_began = progress.phase, now
        if self._console.is_terminal:
            if now - self._shown > LIVE_EVERY:
                self._shown = now
                self._live.update(self._panel(progress), refresh=True)
        elif now - self._said > PLAIN_EVERY:
            self._said = now
            _log.info("%s", "; ".join(f"{name} {text}" for name, text in self._facts(progress)))

    def _mind_missing_workers(self, progress: Progress, now: float) -> None:
        if progress.workers_idle or progress.workers_busy:
            self._had_worker = now
        elif now - self._had_worker > NO_WORKER_EVERY:
            self._had_worker = now
            _log.warning("no worker; start one: %s", self.join_command)

    def _panel(self, progress: Progress) -> Panel:
        table = Table.grid(padding=(0, 2))
        for name, text in self._facts(progress):
            table.add_row(f"[bold]{name}[/bold]", text)
        total, done = max(progress.epochs_expected, 1.0), progress.epochs_done
        bar = ProgressBar(total=total, completed=done, width=40)
        table.add_row("", bar)
        return Panel(table, title=f"run {self._settings.run_id}: {progress.phase}", expand=False)

    def _facts(self, progress: Progress) -> list[tuple[str, str]]:
        seconds = time.monotonic() - self._started
        return [
            *self._place(progress),
            (
                "evaluations",
                f"{progress.evaluations_finished} done ({progress.evaluations_failed} of them bad),"
                f" {progress.evaluations_running} running, {progress.evaluations_waiting} waiting,"
                f" of {_at_most(progress)}{progress.evaluations_expected}",
            ),
            ("workers", f"{progress.workers_busy} busy, {progress.workers_idle} idle"),
            ("incumbent", _incumbent(progress.incumbent)),
            ("speed", f"{self._epochs / max(seconds, 1e-9):.2f} epochs/s"),
            ("time", f"{_clock(seconds)} so far, {self._left(progress)} left in this phase"),
            *([("deadline", self._deadline_text)] if self.deadline else []),
        ]

    @property
    def _deadline_text(self) -> str:
        assert self.deadline is not None
        left = self.deadline.left
        return f"in {_clock(left)}" if left >= 0 else f"{_clock(-left)} ago"

    def _place(self, progress: Progress) -> list[tuple[str, str]]:
        if progress.phase != "search":
            return [("phase", progress.phase)]
        bracket = f"{progress.bracket + 1} of {self.brackets}"
        return [("bracket", bracket), ("rung", f"{progress.rung + 1}")]

    def _left(self, progress: Progress) -> str:
        """Time left in this phase if the epochs to come are as fast as those that are done.

        After the search it is the longest time: the results may decide before.
        """
        if not progress.epochs_done:
            return "unknown"
        seconds = time.monotonic() - self._phase_began
        rest = progress.epochs_expected - progress.epochs_done
        return f"{_at_most(progress) or 'about '}{_clock(seconds * rest / progress.epochs_done)}"


def _at_most(progress: Progress) -> str:
    """Words before a number that only a search reaches for sure."""
    return "" if progress.phase == "search" else "at most "


def _incumbent(incumbent: Incumbent | None) -> str:
    if incumbent is None:
        return "none yet"
    losses = ", ".join("none" if x is None else f"{x:.4f}" for x in incumbent.reevaluations)
    return f"loss {incumbent.loss:.4f}" + (f", in the runoff {losses}" if losses else "")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
