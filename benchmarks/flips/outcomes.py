"""Outcomes of commands: all that one left behind, and whether it is right."""

import hashlib
import json
import re
import signal
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.flips.commands import NEW, RUN, Command, Said, files
from bohb_seg.errors import EXIT_INCOMPLETE, JournalError
from bohb_seg.search.events import WorkersChanged
from bohb_seg.storage import journal, run_lock
from bohb_seg.trials import MODEL_FILE

GAP = 'class="gap"'
"""Mark of a part of the page that could not be made."""
MADE = ("results.json", "configs.json", "incumbent.json", "configspace.json")
"""Files of a run directory that are equal whenever they are made of the same journal."""
_SECTION = re.compile(r'<section id="([^"]+)">')

Outcome = Mapping[str, str]
"""Text or digest, by name, of everything that must be right after a command."""


@dataclass(frozen=True)
class Expected:
    """The outcome on the undamaged run directory.

    Args:
        status: Exit status.
        outcome: Its parts that come out equal each time; times and the like are not among them.
    """

    status: int | None
    outcome: Outcome


def outcome(place: Path, command: Command) -> Outcome:
    """Everything that a command may have left in a folder that holds a run directory.

    A report is looked at where it is the command's purpose: to go on with a run adds to its times.
    """
    run = place / RUN
    made = MADE if command.serves != NEW else ()  # a new run does not write to an earlier one
    found = {name: _digest(run / name) for name in made if (run / name).is_file()}
    found["events"] = _events(run / journal.FILE_NAME)
    found["new events"] = _events(place / NEW / journal.FILE_NAME)
    found[MODEL_FILE] = _model(run / MODEL_FILE)
    if command.name == "report":
        found |= _report(run / "report")
    loaded = place / "loaded.json"
    return {**found, "loaded": loaded.read_text() if loaded.exists() else ""}


def judgement(said: Said, found: Outcome, expected: Expected, untouched: bool) -> tuple[str, str]:
    """Kind of the outcome, and the reason if it is wrong.

    Args:
        said: End of the command.
        found: What it left.
        expected: Status and outcome on the undamaged run directory.
        untouched: Whether the files of the run directory are as they were before the command.
    """
    if said.status is None:
        return "wrong", "it hangs"
    if "Traceback" in said.text:
        return "wrong", f"a traceback: {said.text[-1500:]}"
    differing = [name for name, text in expected.outcome.items() if found.get(name) != text]
    if said.status == expected.status and not differing:
        return "right", ""
    if said.is_sentence:
        return ("sentence", "") if untouched else ("wrong", f"it changed files and {said.text}")
    excused = [
        name for name in differing if found.get(name, GAP) == "" or GAP in found.get(name, GAP)
    ]
    has_gap = any(GAP in text for text in found.values()) or "could not be made (" in said.text
    fits = said.status in (expected.status, EXIT_INCOMPLETE)
    if fits and has_gap and excused == differing:
        return "gap", ""
    return "wrong", f"status {said.status}, other {', '.join(differing)}: {said.text[-600:]}"


def why_not_mended(run: Path, whole: Path, damaged: bytes) -> str:
    """Why a repaired journal is not right; "" if it is.

    Args:
        run: The repaired run directory.
        whole: The undamaged one.
        damaged: The journal before the repair.
    """
    lines = iter((whole / journal.FILE_NAME).read_bytes().splitlines())
    kept = (run / journal.FILE_NAME).read_bytes().splitlines()
    if not all(any(line == its for its in lines) for line in kept):
        return "it kept a line that nobody wrote"
    copy = run / f"{journal.FILE_NAME}.1"
    return "" if copy.exists() and copy.read_bytes() == damaged else "it kept no copy"


def why_stuck(said: Said) -> str:
    """Why a run could not be gone on with; "" if it was, until it was killed."""
    if said.status == -signal.SIGKILL and "Traceback" not in said.text:
        return ""
    return f"the repaired run ends with status {said.status}: {said.text[-1500:]}"


def content(run: Path) -> Mapping[str, str]:
    """Digests of all files of a run directory but the one that names the master in it."""
    its = files(run).items()
    return {name: _digest(path) for name, path in its if name != run_lock.FILE_NAME}


def _events(file: Path) -> str:
    """Events of a journal without their times; the reason if it cannot be read.

    Whether workers of the past are gone depends on what else runs under their numbers by now.
    """
    try:
        events = [entry.event for entry in journal.read(file)] if file.exists() else []
        return repr([each for each in events if not isinstance(each, WorkersChanged)])
    except JournalError as error:
        return str(error)


def _model(file: Path) -> str:
    """Parts of a model's file; the reason if it cannot be read."""
    if not file.exists():
        return ""
    try:
        with zipfile.ZipFile(file) as parts:
            its = {name: hashlib.sha256(parts.read(name)).hexdigest() for name in parts.namelist()}
        return json.dumps(its)
    except Exception as error:
        return repr(error)


def _report(folder: Path) -> Outcome:
    """Figures, tables and sections of a report; not its last one, which has the time."""
    its = files(folder)
    found = {name: _digest(path) for name, path in its.items() if path.suffix != ".html"}
    if page := its.get("report.html"):
        head, *rest = _SECTION.split(page.read_text())
        sections = zip(rest[:-2:2], rest[1:-2:2], strict=True)
        found |= {"page": head, **{f"page {name}": text for name, text in sections}}
    return found


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
