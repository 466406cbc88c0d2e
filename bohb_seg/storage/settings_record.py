"""``settings.yaml`` of a run directory: settings, versions and data with which the run began."""

import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from bohb_seg.files import read_regular
from bohb_seg.settings import flag_of, of_record, public
from bohb_seg.storage.journal_entries import RunStarted

RECORDED_VERSIONS = (
    *("bohb-seg", "hpbandster", "ConfigSpace", "Pyro4", "keras", "tensorflow", "jax", "numpy"),
)
"""Packages whose version is recorded."""
FILE_NAME = "settings.yaml"


def text(start: RunStarted) -> str:
    """The text of ``settings.yaml``; its settings can be given to ``--config``."""
    record = {
        **{public(name): value for name, value in start.settings.items()},
        "versions": {name: _version(name) for name in RECORDED_VERSIONS},
        "git_commit": _git_commit(),
        "data_fingerprint": start.data.get("fingerprint"),
        "split_hash": start.data.get("split_hash"),
    }
    return str(yaml.safe_dump(record, sort_keys=False))


def edited(run_dir: Path, settings: Mapping[str, Any]) -> str:
    """A setting that is not the same in ``settings.yaml`` and in the journal, in words; or ""."""
    record = of_record(_read(run_dir))
    for name, value in settings.items():
        kept = record.get(public(name), value)
        if kept != value:
            return f"{flag_of(name)} {value} in its journal and {kept} in {FILE_NAME}"
    return ""


def preset(run_dir: Path) -> str | None:
    """The preset under which a run trained; None if that is not known."""
    found = of_record(_read(run_dir)).get("preset")
    return found if isinstance(found, str) else None


def other_versions(run_dir: Path) -> str:
    """Packages that have another version than when the run began, in words; or ""."""
    kept = _read(run_dir).get("versions")
    changes = [
        f"{name} {kept[name]} then and {_version(name)} now"
        for name in RECORDED_VERSIONS
        if isinstance(kept, dict) and name in kept and kept[name] != _version(name)
    ]
    return ", ".join(changes)


def cause(run_dir: Path, settings: Mapping[str, Any]) -> str:
    """Why settings of a run may not be what they must be, and what can be done about it."""
    if difference := edited(run_dir, settings):
        return f"it has {difference}: undo the edit, or start a new run with other settings"
    if versions := other_versions(run_dir):
        return f"resume it with the version that began it ({versions})"
    return "resume it with the version that began it"


def _read(run_dir: Path) -> dict[str, Any]:
    """The record; empty if the file is missing or damaged, because it is only a copy."""
    try:
        record = yaml.safe_load(read_regular(run_dir / FILE_NAME).decode("utf-8"))
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return {}
    return {str(name): value for name, value in record.items()} if isinstance(record, dict) else {}


def _version(package: str) -> str | None:
    """None if the package is not installed: one of the two backends suffices."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return found.stdout.strip() or None
