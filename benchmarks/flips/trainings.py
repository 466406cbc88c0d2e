"""Reads the checkpoints of a run as trainings do that go on from them; stands for those trainings.

``python -m benchmarks.flips.trainings RUN WHOLE`` takes the keys of the trainings from the
undamaged run. It writes what it read into ``loaded.json``, or ends with status 2 and a sentence.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from bohb_seg.errors import EXIT_BAD_INPUT
from bohb_seg.training import checkpoints
from bohb_seg.training.checkpoints import Checkpoint
from bohb_seg.trials import CHECKPOINTS

MOST = 1 << 20
"""Epochs; no checkpoint has seen as many."""


def main() -> None:
    """Reads all checkpoints."""
    run, whole = map(Path, sys.argv[1:])
    loaded, lost = {}, []
    for name, key in keys(whole):
        found = checkpoints.load(run / CHECKPOINTS / name, key, MOST)
        lost += [found.lost] if found.lost else []
        loaded[name] = digest(found.checkpoint) if found.checkpoint else ""
    if lost:
        print(f"bohb-worker: {'; '.join(lost)}")
        sys.exit(EXIT_BAD_INPUT)
    Path("loaded.json").write_text(json.dumps(loaded))


def keys(run: Path) -> Iterator[tuple[str, str]]:
    """Names of the trials that have a checkpoint, with the keys of their trainings."""
    for file in sorted((run / CHECKPOINTS).glob("*/*.npz")):
        with np.load(file) as parts:
            yield file.parent.name, json.loads(str(parts["header"]))["key"]


def digest(checkpoint: Checkpoint) -> str:
    """Hash of everything that a training takes from a checkpoint."""
    found = hashlib.sha256(json.dumps([asdict(each) for each in checkpoint.history]).encode())
    for stack in (checkpoint.weights, checkpoint.optimizer):
        for each in stack:
            found.update(f"{each.dtype}{each.shape}".encode() + each.tobytes())
    return found.hexdigest()


if __name__ == "__main__":
    main()
