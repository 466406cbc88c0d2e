"""The file that tells which master writes a run, as a master on another machine leaves it."""

import json
from pathlib import Path

from bohb_seg.storage import run_lock

ELSEWHERE = {"host": "elsewhere", "process": 4711, "kernel": "another", "time": 1_790_000_000.0}


def left_elsewhere(run_dir: Path) -> None:
    """Makes the run one that a master on another machine has, or had."""
    (run_dir / run_lock.FILE_NAME).write_text(json.dumps(ELSEWHERE))
