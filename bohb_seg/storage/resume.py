"""Whether a run may begin in a directory, and how one is gone on with that began there."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.settings import SearchSettings, flag_of
from bohb_seg.storage.journal import FILE_NAME, Entry, RunStarted, read

OF_THIS_START = (
    *("host", "port", "nameserver", "tls", "insecure", "local_workers", "min_workers"),
    *("heartbeat", "checkpoint_gb", "dashboard"),
    *("resume", "restartable", "log_level", "cache_dir", "run_dir"),
    *("max_hours", "max_minutes_per_evaluation"),
)
"""Settings that may differ from those of the run that is resumed. Each start has its own values;
only the limits of time are those of the first start if a later one does not give them."""


def holds_run(run_dir: Path) -> bool:
    """Whether a run has begun there; a crash may leave a journal without a whole first line."""
    journal = run_dir / FILE_NAME
    if not journal.exists():
        return False
    with journal.open("rb") as file:
        return file.readline().endswith(b"\n")


def refuse_used(run_dir: Path) -> None:
    """Refuses to start a new run where one lies already.

    Raises:
        SettingsError: a run lies there; says how to go on with it, or around it.
    """
    if holds_run(run_dir):
        raise SettingsError(
            f"--run-dir {run_dir} already holds a run; add --resume to go on with it, or choose"
            " another --run-dir"
        )


def resumed(
    settings: SearchSettings, flags: Mapping[str, object]
) -> tuple[SearchSettings, list[Entry]]:
    """The settings and the journal of the run to go on with.

    Args:
        settings: Settings as merged for this start.
        flags: Flags of the command line; None means that a flag was not given.

    Raises:
        SettingsError: there is no such run, a flag contradicts it, or another version began it.
        JournalError: the journal is damaged.
    """
    journal = settings.run_dir / FILE_NAME
    if not journal.is_file():
        raise SettingsError(
            f"--resume: {settings.run_dir} holds no run; name its directory with --run-dir"
        )
    past = read(journal)
    start = started(past)
    if start is None:
        raise JournalError(journal, 1, "the journal does not begin with RunStarted")
    run = _run_settings(start, settings)
    _refuse_contradictions(settings, run, flags)
    return run, past


def started(past: Sequence[Entry]) -> RunStarted | None:
    """First entry of a journal; None if the run has not begun."""
    first = past[0].event if past else None
    return first if isinstance(first, RunStarted) else None


def _run_settings(start: RunStarted, settings: SearchSettings) -> SearchSettings:
    """The run's settings, except those that each start has of its own."""
    chosen = {name: getattr(settings, name) for name in OF_THIS_START}
    for limit in {"max_hours", "max_minutes_per_evaluation"} - settings.model_fields_set:
        del chosen[limit]
    try:
        return SearchSettings.model_validate({**start.settings, **chosen})
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"]))
        raise SettingsError(
            f"--resume: the run in {settings.run_dir} has a setting that this version does not"
            f" understand ({where}); resume it with the version that began it"
        ) from None


def _refuse_contradictions(
    settings: SearchSettings, run: SearchSettings, flags: Mapping[str, object]
) -> None:
    now, had = settings.model_dump(mode="json"), run.model_dump(mode="json")
    for name in (name for name, value in flags.items() if value is not None):
        if now[name] != had[name]:
            raise SettingsError(
                f"{flag_of(name)} {now[name]} contradicts the run that is resumed, which has"
                f" {had[name]}; leave the flag out or start a new run"
            )
