"""The pages: the report, made again while somebody looks, and the last entries of the journal."""

import hashlib
import html
import logging
import threading
import time
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import final

from bohb_seg.dashboard.journal_lines import journal_line, phase
from bohb_seg.errors import BohbSegError, printable
from bohb_seg.report import templates
from bohb_seg.storage import journal
from bohb_seg.storage.journal_entries import Entry

REST = 4.0
"""Seconds of pause for each second that a report takes to compute. At most a fifth of one processor
is used, whatever the size of the run. A report takes two or three seconds for 200 evaluations, six
with the figures of a comparison, so there is a new one every ten to thirty."""
SHORTEST_REST = 3.0
"""Minimum pause in seconds; also the page's polling interval."""
PATIENCE = 30.0
"""Seconds that a visitor waits for the first report before a page says that it is being made."""
TAIL = 300
"""Number of entries of the journal that are shown."""

REPORT_LINK, JOURNAL_LINK = ("/", "report"), ("/journal", "journal")
"""Address and name of the pages."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """A page without the bar at its top.

    Args:
        html: The document.
        title: Name of the run.
        state: Phase of the run, in a word or a sentence.
        time: Unix time at which this version was made, in seconds.
        other: Address and name of the other page.
    """

    html: str
    title: str
    state: str
    time: float
    other: tuple[str, str]

    @cached_property
    def version(self) -> str:
        """An entity tag, which changes whenever the shown content does."""
        shown = f"{self.state}\n{self.html}"
        return f'"{hashlib.sha256(shown.encode()).hexdigest()[:20]}"'

    def render(self, nonce: str) -> bytes:
        """The document with the bar, and with the script that keeps it up to date.

        Args:
            nonce: Marks our own styles and our own script; the browser refuses others.
        """
        style = f'<style nonce="{nonce}">'
        page = self.html.replace("<style>", style, 1)
        page = page.replace("</head>", f"{style}{_asset('live.css')}</style>\n</head>", 1)
        page = page.replace("<body>", f"<body>\n{self._bar()}", 1)
        script = f'<script nonce="{nonce}">{_asset("live.js")}</script>'
        return page.replace("</body>", f"{script}\n</body>", 1).encode()

    def _bar(self) -> str:
        age = max(0.0, time.time() - self.time)
        where, name = self.other
        return (
            f'<div id="live" data-version="{html.escape(self.version)}" data-age="{age:.0f}">'
            f"<strong>{html.escape(self.title)}</strong><span>{html.escape(self.state)}</span>"
            f'<span id="age"></span><a href="{where}">{name}</a></div>'
        )


@final
class RunPages:
    """The pages of one run directory; its run may be resumed, broken or end meanwhile.

    Args:
        run_dir: The run directory.
        run_id: Name of the run.
    """

    def __init__(self, run_dir: Path, run_id: str) -> None:
        self._run_dir, self._run_id = run_dir, run_id
        self._journal = run_dir / journal.FILE_NAME
        self._changed = threading.Condition()
        self._report: Page | None = None
        self._made_of: tuple[int, int] | None = None
        self._making, self._due = False, 0.0

    def report(self) -> Page:
        """The latest report; starts making a newer one if it is time, without waiting for it."""
        with self._changed:
            due = not self._making and time.monotonic() >= self._due
            if due and self._stamp() != self._made_of:
                self._making = True
                threading.Thread(target=self._make, name="report", daemon=True).start()
            self._changed.wait_for(lambda: self._report is not None, PATIENCE)
            return self._report or self._notice("The report is being made.", JOURNAL_LINK)

    def tail(self) -> Page:
        """The last entries of the journal, newest first."""
        try:
            entries = journal.tail(self._journal, TAIL)
        except (OSError, BohbSegError) as error:
            return self._notice(
                f"The journal cannot be read: {printable(str(error))}.", REPORT_LINK
            )
        newest = max((entry.time for entry in entries.values()), default=0.0)
        lines = [journal_line(place, entry) for place, entry in reversed(entries.items())]
        page = _journal_page(title=self._run_id, lines=lines)
        return Page(page, self._run_id, _phase(entries), newest, REPORT_LINK)

    def _make(self) -> None:
        """Makes the report, in a thread of its own; the last one stays if that fails."""
        stamp, now = self._stamp(), time.time()
        try:
            page = self._made(now)
        except Exception as error:  # whatever it is, the next report may succeed
            known = isinstance(error, BohbSegError | OSError)
            _log.warning("the report could not be made: %s", error, exc_info=not known)
            page = self._failed(f"the report cannot be made now: {printable(str(error))}")
        with self._changed:
            self._report, self._made_of, self._making = page, stamp, False
            # The time of this thread: the clock also runs while others compute.
            self._due = time.monotonic() + max(SHORTEST_REST, REST * time.thread_time())
            self._changed.notify_all()

    def _made(self, now: float) -> Page:
        from bohb_seg.report import page  # late, for it imports matplotlib

        text, state = page.html(self._run_dir), _phase(journal.tail(self._journal, TAIL))
        return Page(text, self._run_id, state, now, JOURNAL_LINK)

    def _failed(self, reason: str) -> Page:
        if self._report is None:
            return self._notice(f"{reason[0].upper()}{reason[1:]}.", JOURNAL_LINK)
        return replace(self._report, state=reason)

    def _notice(self, sentence: str, other: tuple[str, str]) -> Page:
        page = _journal_page(title=self._run_id, sentence=sentence)
        return Page(page, self._run_id, "no report yet", time.time(), other)

    def _stamp(self) -> tuple[int, int]:
        """Size and time of the journal, which differ whenever it has changed."""
        try:
            found = self._journal.stat()
        except OSError:
            return 0, 0
        return found.st_size, found.st_mtime_ns


def _phase(entries: dict[int, Entry]) -> str:
    return phase(entry.event for entry in entries.values())


def _journal_page(**variables: object) -> str:
    template = templates.environment().from_string(_asset("journal.html"))
    return template.render(variables)


def _asset(name: str) -> str:
    return files("bohb_seg.dashboard").joinpath(name).read_text(encoding="utf-8")
