"""The pages: the report, made again while somebody looks, and the journal's tail."""

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

import jinja2

from bohb_seg.dashboard import journal_lines
from bohb_seg.errors import BohbSegError
from bohb_seg.storage import journal
from bohb_seg.storage.journal import Entry

REST = 4.0
"""Seconds of rest for each second of computing that a report takes: a fifth of one processor at
most, whatever the size of the run. For 200 evaluations a report takes two or three seconds, with
the pictures of a comparison six, so that there is a new one every ten to thirty."""
SHORTEST_REST = 3.0
"""Seconds that it rests at least; as often does a page ask."""
PATIENCE = 30.0
"""Seconds that somebody who asks first waits for the first report before he is told that it is
being made."""
TAIL = 300
"""Entries of the journal that are shown."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Page:
    """A page as it is before the bar on top is put in.

    Args:
        html: The document.
        title: Of the run.
        state: What the run is at, in a word or a sentence.
        time: Unix time since which it is like this.
        other: Address and name of the other page.
    """

    html: str
    title: str
    state: str
    time: float
    other: tuple[str, str]

    @cached_property
    def version(self) -> str:
        """Changes whenever what is shown does."""
        shown = f"{self.state}\n{self.html}"
        return f'"{hashlib.sha256(shown.encode()).hexdigest()[:20]}"'

    def render(self, nonce: str) -> bytes:
        """With the bar, and with the script that keeps it up to date.

        Args:
            nonce: Marks the styles and the script that are ours.
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
class Live:
    """The pages of one run directory.

    Args:
        run_dir: Its run may be resumed, broken or end while it is looked at.
        run_id: Its name.
    """

    def __init__(self, run_dir: Path, run_id: str) -> None:
        self._run_dir, self._run_id = run_dir, run_id
        self._journal = run_dir / journal.FILE_NAME
        self._changed = threading.Condition()
        self._report: Page | None = None
        self._made_of: tuple[int, int] | None = None
        self._making, self._due = False, 0.0

    def report(self) -> Page:
        """The latest report; has a newer one made if it is time, without waiting for it."""
        with self._changed:
            due = not self._making and time.monotonic() >= self._due
            if due and self._stamp() != self._made_of:
                self._making = True
                threading.Thread(target=self._make, name="report", daemon=True).start()
            self._changed.wait_for(lambda: self._report is not None, PATIENCE)
            return self._report or self._notice("The report is being made.")

    def tail(self) -> Page:
        """The last entries of the journal, newest first."""
        try:
            entries = journal.tail(self._journal, TAIL)
        except (OSError, BohbSegError) as error:
            return self._notice(f"The journal cannot be read: {error}.", tail=True)
        newest = max((entry.time for entry in entries.values()), default=0.0)
        shown = [journal_lines.line(*numbered) for numbered in reversed(entries.items())]
        page = _template().render(title=self._run_id, lines=shown)
        return Page(page, self._run_id, _state(entries), newest, ("/", "report"))

    def _make(self) -> None:
        """Makes the report in a thread of its own; the last one stays if that fails."""
        stamp, now = self._stamp(), time.time()
        try:
            page = self._made(now)
        except Exception as error:  # whatever it is, the next one may be right
            known = isinstance(error, BohbSegError | OSError)
            _log.warning("the report could not be made: %s", error, exc_info=not known)
            page = self._failed(f"the report cannot be made now: {error}")
        with self._changed:
            self._report, self._made_of, self._making = page, stamp, False
            # Of this thread; time itself also passes while others compute.
            self._due = time.monotonic() + max(SHORTEST_REST, REST * time.thread_time())
            self._changed.notify_all()

    def _made(self, now: float) -> Page:
        from bohb_seg.report import page

        text, state = page.html(self._run_dir), _state(journal.tail(self._journal, TAIL))
        return Page(text, self._run_id, state, now, ("/journal", "journal"))

    def _failed(self, reason: str) -> Page:
        if self._report is None:
            return self._notice(f"{reason[0].upper()}{reason[1:]}.")
        return replace(self._report, state=reason)

    def _notice(self, sentence: str, tail: bool = False) -> Page:
        page = _template().render(title=self._run_id, sentence=sentence)
        other = ("/", "report") if tail else ("/journal", "journal")
        return Page(page, self._run_id, "no report yet", time.time(), other)

    def _stamp(self) -> tuple[int, int]:
        """Differs whenever the journal has changed."""
        try:
            found = self._journal.stat()
        except OSError:
            return 0, 0
        return found.st_size, found.st_mtime_ns


def _state(entries: dict[int, Entry]) -> str:
    return journal_lines.phase(entry.event for entry in entries.values())


def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(_asset("journal.html"))


def _asset(name: str) -> str:
    return files("bohb_seg.dashboard").joinpath(name).read_text(encoding="utf-8")
