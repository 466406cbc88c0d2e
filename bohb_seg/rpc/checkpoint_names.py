"""What master and worker agree on to hand a checkpoint over the wire: names and sizes.

Files travel in pieces, so that no message is large and none of them takes long.
"""

import re

PIECE_BYTES = 1024 * 1024
"""Largest piece of a file in one message; a second at 1 MB/s, far from any call's timeout."""
MAX_FILE_BYTES = 16 * 1024**3
"""Largest file that is taken; a U-Net of 500 million weights with Adam's variables is 6 GB."""
TOKEN_FILE = "checkpoints/.token"
"""Relative to the run directory; who can read the run's token there shares its storage."""

_NUMBER = "(0|[1-9][0-9]{0,8})"
_TRIAL = re.compile(f"(0|-?[1-9][0-9]{{0,8}})-{_NUMBER}-{_NUMBER}")
_COMPARISON = re.compile(f"comparison(/(default|incumbent)-{_NUMBER})?")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_TOKEN = re.compile(r"[0-9a-f]{32}")
_EPOCHS = re.compile(r"epoch-([0-9]+)\.npz")


def is_folder(value: object) -> bool:
    """Whether it names a folder of the run directory whose files may be handed over."""
    if not isinstance(value, str):
        return False
    above, _, name = value.partition("/")
    of_trial = above == "checkpoints" and trial(name) is not None
    return of_trial or _COMPARISON.fullmatch(value) is not None


def is_name(value: object) -> bool:
    """Whether it is the name of a file that may be handed over; hidden files are not."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_token(value: object) -> bool:
    """Whether it is what ``secrets.token_hex(16)`` returns: names runs and uploaders."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def checkpoint_folder(config_id: tuple[int, int, int]) -> str:
    """Where a trial's checkpoint lies, relative to the run directory."""
    return "checkpoints/" + "-".join(map(str, config_id))


def trial(name: str) -> tuple[int, int, int] | None:
    """The trial whose checkpoint lies in the folder of this name; None if it is no trial's."""
    match = _TRIAL.fullmatch(name)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def epochs(name: str) -> int | None:
    """How many epochs the checkpoint of this name has seen; None if it names none."""
    match = _EPOCHS.fullmatch(name)
    return int(match[1]) if match else None
