"""Names and sizes that master and worker agree on, to hand checkpoints over the wire.

Files travel in pieces, so that no message is large and none takes long. Names that a peer sends are
strangers' words until these functions accept them.
"""

import re

from bohb_seg.trials import (
    ARMS,
    ARMS_BRACKETS,
    CHECKPOINTS,
    COMPARISON,
    INCUMBENT_ARM,
    checkpoint_folder,
    comparison_folder,
)

PIECE_BYTES = 1024 * 1024
"""Largest piece of a file in one message; a second at 1 MB/s, far from any call's timeout."""
MAX_FILE_BYTES = 16 * 1024**3
"""Largest file that is taken; a U-Net of 500 million weights with Adam's variables is 6 GB."""
TOKEN_FILE = f"{CHECKPOINTS}/.token"
"""Relative to the run directory; a worker that reads the run's token there shares its storage."""

_NUMBER = "(0|[1-9][0-9]{0,8})"
_TRIAL = re.compile(f"(0|-?[1-9][0-9]{{0,8}})-{_NUMBER}-{_NUMBER}")
_ARM = f"({'|'.join(ARMS)}|{ARMS[INCUMBENT_ARM]}([2-9]|[1-9][0-9]{{1,3}}))"
_COMPARISON = re.compile(f"{COMPARISON}(/{_ARM}-(fold-)?{_NUMBER})?")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_TOKEN = re.compile(r"[0-9a-f]{32}")


def is_folder(value: object) -> bool:
    """Whether it names a folder of the run directory whose files may be handed over."""
    if not isinstance(value, str):
        return False
    above, _, name = value.partition("/")
    of_trial = above == CHECKPOINTS and trial(name) is not None
    return of_trial or _COMPARISON.fullmatch(value) is not None


def is_name(value: object) -> bool:
    """Whether it names a file that may be handed over; hidden files may not."""
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def is_token(value: object) -> bool:
    """Whether it may be a token of ``secrets.token_hex(16)``, which names runs and uploaders."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


def trial(name: str) -> tuple[int, int, int] | None:
    """Trial with this key, which names the folder of its checkpoint; None if it is no key."""
    match = _TRIAL.fullmatch(name)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def folders_of(trial: tuple[int, int, int]) -> tuple[str, ...]:
    """Folders that a trial writes to, relative to the run directory; its checkpoint's first."""
    checkpoint = checkpoint_folder(trial)
    if trial[0] not in ARMS_BRACKETS:
        return (checkpoint,)
    return checkpoint, COMPARISON, comparison_folder(trial)
