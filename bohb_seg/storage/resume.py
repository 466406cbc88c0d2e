"""Whether a run may begin in a directory, and how one is gone on with that began there."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.files import LARGEST_RECORD, open_regular
from bohb_seg.search.events import PlanChanged
from bohb_seg.settings import SearchSettings, flag_of, of_record
from bohb_seg.storage import settings_record
from bohb_seg.storage.journal import FILE_NAME, Journal
from bohb_seg.storage.journal_entries import Entry, RunStarted
from bohb_seg.storage.run_lock import TakeOver
from bohb_seg.trials import CHECKPOINTS, COMPARISON, MEASURING_BRACKET

_UNLESS_GIVEN = frozenset(
    {
        *("host", "port", "nameserver", "tls", "local_workers", "heartbeat"),
        *("checkpoint_gb", "trial_gb", "dashboard", "hours", "max_hours"),
        "max_minutes_per_evaluation",
    }
)
"""Settings that are those of the first start unless a later one gives others."""
_OF_THIS_START = (
    *("insecure", "min_workers", "resume", "restartable", "take_over", "repair", "plan"),
    *("log_level", "cache_dir", "run_dir"),
)
"""Settings of which each start has its own; ``insecure`` is a consent, which is asked for again."""

GROWING = ("n_iterations", "final_seeds", "final_folds")
"""Settings that may be larger on a later start: the run goes on, also after its end."""

_REMAINS = ("results.json", "configs.json", "results.pkl", CHECKPOINTS, COMPARISON)
"""Files and folders in which a run leaves what a new one would spoil, or take for its own."""

_NO_TRIALS = (".", f"{MEASURING_BRACKET}-")
"""Beginnings of names of a folder that hold no trial: what was measured before a run is none."""

_log = logging.getLogger(__name__)


def holds_run(run_dir: Path) -> bool:
    """Whether a run has begun there; a crash may leave a journal without a whole first line.

    Raises:
        SettingsError: the directory cannot be read.
    """
    journal = run_dir / FILE_NAME
    with _legible(run_dir):
        if not journal.exists():
            return False
        with open_regular(journal, LARGEST_RECORD) as file:
            return file.readline().endswith(b"\n")


def refuse_used(run_dir: Path) -> None:
    """Refuses to start a new run where one lies already, or what is left of one.

    Raises:
        SettingsError: a run lies there; says how to go on with it, or around it.
    """
    if holds_run(run_dir):
        raise SettingsError(
            f"--run-dir {run_dir} already holds a run; add --resume to go on with it, or choose"
            " another --run-dir"
        )
    refuse_remains(run_dir)


def refuse_remains(run_dir: Path) -> None:
    """Refuses a directory whose journal is lost: a new run would write over what is left.

    Raises:
        SettingsError: it holds results or checkpoints, but no journal.
    """
    with _legible(run_dir):
        found = next((name for name in _REMAINS if _holds_something(run_dir / name)), None)
    if found:
        raise SettingsError(
            f"--run-dir {run_dir} holds {found} of a run, but its journal {FILE_NAME} is"
            " missing or empty; restore the journal from a copy, or choose another --run-dir"
            f" (--warm-start {run_dir} learns from results.json)"
        )


@contextlib.contextmanager
def _legible(run_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SettingsError(
            f"--run-dir {run_dir} cannot be read: {error.strerror}; choose another"
        ) from None


def _holds_something(path: Path) -> bool:
    if path.is_dir():
        return any(not below.name.startswith(_NO_TRIALS) for below in path.iterdir())
    return path.is_file() and path.stat().st_size > 0


def opened(settings: SearchSettings) -> Journal:
    """The journal of the run to go on with, locked, so that nobody else writes it from now on.

    Raises:
        SettingsError: there is no such run, another master has it, or it cannot be written.
    """
    path = settings.run_dir / FILE_NAME
    flag = "--repair" if settings.repair else "--resume"
    if not path.is_file():
        refuse_remains(settings.run_dir)
        raise SettingsError(
            f"{flag}: {settings.run_dir} holds no run; name its directory with --run-dir"
        )
    if not holds_run(settings.run_dir):
        refuse_remains(settings.run_dir)
    try:
        journal = Journal(path, take_over(settings))
    except OSError as error:
        raise SettingsError(
            f"--run-dir {settings.run_dir} cannot be written: {error.strerror}; a run can be gone"
            " on with only where its journal can be"
        ) from None
    if journal.is_empty:
        journal.close()
        raise SettingsError(
            f"{flag}: the run in {settings.run_dir} ended before it began; start it again as a new"
            " one"
        )
    return journal


def past(journal: Journal) -> list[Entry]:
    """The entries of a run to go on with.

    Raises:
        JournalError: a line is damaged.
        SettingsError: the first line is damaged in a setting, and it is known in which.
    """
    try:
        return journal.read()
    except JournalError as error:
        if error.line == 1 and (edit := _edit(journal)):
            raise SettingsError(
                f"{journal.path}, line 1: was changed after it had been written: it has {edit};"
                " undo the edit, or start a new run with other settings"
            ) from None
        raise


def _edit(journal: Journal) -> str:
    """A setting that was edited in the journal's first line, in words; or ""."""
    try:
        settings = of_record(json.loads(journal.lines()[0])["settings"])
        return settings_record.edited(journal.path.parent, settings)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return ""


def take_over(settings: SearchSettings) -> TakeOver:
    """The locks of other machines that a start may take over."""
    if settings.take_over:
        return "always"
    return "free" if settings.restartable else "never"


def resumed(
    settings: SearchSettings, flags: Mapping[str, object], past: Sequence[Entry]
) -> SearchSettings:
    """The settings of the run to go on with.

    Args:
        settings: Settings as merged for this start.
        flags: Flags of the command line; None means that a flag was not given.
        past: The run's journal.

    Raises:
        SettingsError: a flag contradicts the run, or another version began it.
        JournalError: the journal does not begin as one.
    """
    start = started(past)
    if start is None:
        journal = settings.run_dir / FILE_NAME
        raise JournalError(journal, 1, "the journal does not begin with RunStarted")
    run = _grown(_run_settings(start, settings), past)
    _refuse_contradictions(settings, run, flags)
    run = run.model_copy(update=_growth(settings, run, flags, past))
    if edit := settings_record.edited(settings.run_dir, start.settings):
        _log.warning("the run has %s: the journal counts; start a new run to change it", edit)
    return run


def started(past: Sequence[Entry]) -> RunStarted | None:
    """First entry of a journal; None if the run has not begun."""
    first = past[0].event if past else None
    return first if isinstance(first, RunStarted) else None


def _run_settings(start: RunStarted, settings: SearchSettings) -> SearchSettings:
    """The run's settings, except those that each start has of its own."""
    given = _UNLESS_GIVEN & settings.model_fields_set
    if settings.insecure:  # says that nothing shall be encrypted, unless --tls is there, too
        given |= {"tls"}
    chosen = {name: getattr(settings, name) for name in (*_OF_THIS_START, *given)}
    try:
        return SearchSettings.model_validate({**start.settings, **chosen})
    except ValidationError as error:
        raise SettingsError(_misfit(settings.run_dir, start, error)) from None


def began_with(start: RunStarted) -> dict[str, int]:
    """The growing settings with which a run began; those of an earlier version may lack some."""
    return {name: int(start.settings.get(name, 0)) for name in GROWING}


def _grown(run: SearchSettings, past: Sequence[Entry]) -> SearchSettings:
    """The settings after the latest change of plan."""
    plans = [entry.event.plan for entry in past if isinstance(entry.event, PlanChanged)]
    if not plans:
        return run
    now = plans[-1].n_iterations, plans[-1].comparison_seeds, plans[-1].folds
    return run.model_copy(update=dict(zip(GROWING, now, strict=True)))


def _growth(
    settings: SearchSettings,
    run: SearchSettings,
    flags: Mapping[str, object],
    past: Sequence[Entry],
) -> dict[str, int]:
    """Growing settings that this start makes larger.

    Raises:
        SettingsError: one is smaller, or the folds would be others.
    """
    wishes = {name: getattr(settings, name) for name in GROWING if flags.get(name) is not None}
    first = past[0].event
    if settings.restartable and isinstance(first, RunStarted):
        # Whatever starts a master again has the flags of the first start, also after growth.
        wishes = {name: now for name, now in wishes.items() if now != first.settings.get(name)}
    for name, now in wishes.items():
        had = getattr(run, name)
        if now < had:
            raise SettingsError(
                f"{flag_of(name)} {now} is less than the {had} that the run has already, and a run"
                " can only grow; leave the flag out or start a new run"
            )
    if 0 < run.final_folds < wishes.get("final_folds", 0):
        raise SettingsError(
            f"--final-folds {wishes['final_folds']} would cut other folds than the"
            f" {run.final_folds} on which the run trains; leave the flag out or start a new run"
        )
    return wishes


def _misfit(run_dir: Path, start: RunStarted, error: ValidationError) -> str:
    """The setting that does not fit, whether it was edited, and what can be done."""
    first = error.errors()[0]
    reason = first["msg"].removeprefix("Value error, ")
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "extra_forbidden":
        problem = f"has a setting that this version does not understand ({name})"
    elif name:
        value = start.settings.get(name)
        problem = f"has {flag_of(name)} {value}, which this version refuses ({reason.lower()})"
    else:
        problem = f"has settings that this version refuses ({reason})"
    cause = settings_record.cause(run_dir, start.settings)
    return f"--resume: the run in {run_dir} {problem}; {cause}"


def _refuse_contradictions(
    settings: SearchSettings, run: SearchSettings, flags: Mapping[str, object]
) -> None:
    now, had = settings.model_dump(mode="json"), run.model_dump(mode="json")
    for name in (name for name, value in flags.items() if value is not None):
        if name not in GROWING and now[name] != had[name]:
            raise SettingsError(
                f"{flag_of(name)} {now[name]} contradicts the run that is resumed, which has"
                f" {had[name]}; leave the flag out or start a new run"
            )
