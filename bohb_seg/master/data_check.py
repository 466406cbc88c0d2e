"""The audit of a run's data set, in a process of its own."""

import json
import logging
import signal
import subprocess
from collections.abc import Mapping
from typing import Any

from bohb_seg import machine
from bohb_seg.errors import BohbSegError, SettingsError
from bohb_seg.settings import DataSettings, SearchSettings, flag_of

_log = logging.getLogger(__name__)


def check_data(settings: SearchSettings) -> dict[str, Any]:
    """Audits the data set in a process of its own, because the master imports nothing of training.

    Returns:
        What ``bohb-data check --json`` prints.

    Raises:
        BohbSegError: the data cannot be used; says why in the words of the audit. Or the audit was
            killed.
        SettingsError: they cannot be dealt out in ``--final-folds``.
    """
    given = settings.model_dump(mode="json", include=set(DataSettings.model_fields))
    flags = [
        word
        for name, value in given.items()
        if value is not None and value is not False  # a switch has no value
        for word in (flag_of(name), *(() if value is True else (str(value),)))
    ]
    command = machine.tied("bohb_seg.commands.data", "check", "--json", *flags)
    check = subprocess.run(command, capture_output=True, text=True, check=False)
    if check.returncode < 0:
        raise BohbSegError(_killed(-check.returncode))
    if check.returncode:
        last = (check.stderr.strip().splitlines() or ["the data check said nothing"])[-1]
        raise BohbSegError(last.partition(": ")[2] or last)
    data: dict[str, Any] = json.loads(check.stdout)
    refuse_folds(settings.final_folds, data)
    for warning in data.get("warnings", ()):
        _log.warning("data: %s", warning)
    return data


def refuse_folds(folds: int, data: Mapping[str, Any]) -> None:
    """Refuses folds that the data have too few groups for.

    Args:
        folds: Setting ``final_folds``.
        data: The values that ``bohb-data check --json`` prints.

    Raises:
        SettingsError: there are too few, or the split has none that may change sides.
    """
    most = data["most_folds"]
    if folds and not 2 <= folds <= most:
        remedy = f"choose 2 to {most}" if most else "choose 0, or another --split or --group-by"
        raise SettingsError(
            f"--final-folds {folds} cannot be dealt out from {data['folded_units']}; {remedy}"
        )


def _killed(number: int) -> str:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    short = ", as the kernel does when memory is short" if number == signal.SIGKILL else ""
    return (
        f"the check of the data was ended by {name}{short}; give this machine more memory, or"
        " shrink the images with --downscale"
    )
