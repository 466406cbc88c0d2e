"""``settings.yaml`` of a run directory: settings, versions and data with which the run began."""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

from bohb_seg.settings import public
from bohb_seg.storage.journal import RunStarted

RECORDED_VERSIONS = (
    *("bohb-seg", "hpbandster", "ConfigSpace", "Pyro4", "keras", "tensorflow", "jax", "numpy"),
)
"""Packages whose version is recorded."""


def settings_record(start: RunStarted) -> str:
    """The text of ``settings.yaml``; its settings can be given to ``--config``."""
    record = {
        **{public(name): value for name, value in start.settings.items()},
        "versions": {name: _version(name) for name in RECORDED_VERSIONS},
        "git_commit": _git_commit(),
        "data_fingerprint": start.data.get("fingerprint"),
        "split_hash": start.data.get("split_hash"),
    }
    return str(yaml.safe_dump(record, sort_keys=False))


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
