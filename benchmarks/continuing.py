"""What continuing from checkpoints saves: one seeded search with it and with ``--no-continue``.

Both search the embedded scenes with Hyperband, whose draws do not depend on results, so both try
the same configurations; only what is promoted may differ. Compared are the epochs that were
trained, the wall time of the commands, and the losses of all evaluations above the lowest rung that
both have: their rank correlation tells whether continuing misleads the search.

    python -m benchmarks.continuing [--brackets 6] [--seed 0]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.stats import spearmanr

LADDER = ("--min-budget", "1", "--max-budget", "9")
Key = tuple[int, int, int, float]


@dataclass(frozen=True)
class Search:
    """What one search came to.

    Args:
        losses: By trial and budget; only what finished.
        epochs: Trained in total.
        seconds: Wall time of the command.
    """

    losses: dict[Key, float]
    epochs: float
    seconds: float

    @property
    def lowest(self) -> float:
        """The smallest budget: nothing can be continued there."""
        return min(budget for *_, budget in self.losses)

    @property
    def incumbent(self) -> float:
        """The lowest loss at the largest budget."""
        largest = max(budget for *_, budget in self.losses)
        return min(loss for (*_, budget), loss in self.losses.items() if budget == largest)


def main() -> None:
    """Runs both searches and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--brackets", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    flags = [*LADDER, "--n-iterations", str(chosen.brackets), "--seed", str(chosen.seed)]
    with tempfile.TemporaryDirectory() as folder:
        continuing = search(Path(folder, "continuing"), flags)
        anew = search(Path(folder, "anew"), [*flags, "--no-continue"])
    report(continuing, anew)


def search(run_dir: Path, flags: list[str]) -> Search:
    """One search by the command that people use; its progress is shown."""
    program = str(Path(sys.executable).parent / "bohb-master")
    command = [program, "--run-dir", str(run_dir), "--port", "0"]
    started = time.perf_counter()
    subprocess.run([*command, "--optimizer", "hyperband", "--no-comparison", *flags], check=True)
    seconds = time.perf_counter() - started
    lines = (run_dir / "results.json").read_text(encoding="utf-8").splitlines()
    finished = [line for line in map(json.loads, lines) if line[3]]
    return Search(
        losses={(*trial, budget): result["loss"] for trial, budget, _, result, _ in finished},
        epochs=sum(trained(line) for line in finished),
        seconds=seconds,
    )


def trained(line: list[Any]) -> float:
    """Epochs that one evaluation of HpBandSter's live log trained itself."""
    return float(line[3]["info"]["epochs_trained"])


def report(continuing: Search, anew: Search) -> None:
    """Prints the comparison as a markdown table."""
    print("| search | evaluations | epochs trained | wall time | incumbent's loss |")
    print("|---|---|---|---|---|")
    for name, found in (("continuing", continuing), ("--no-continue", anew)):
        print(
            f"| {name} | {len(found.losses)} | {found.epochs:g} | {found.seconds:.0f} s"
            f" | {found.incumbent:.4f} |"
        )
    print(
        f"\nsaved: {1 - continuing.epochs / anew.epochs:.1%} of the epochs,"
        f" {1 - continuing.seconds / anew.seconds:.1%} of the wall time"
    )
    shared = [
        key
        for key in continuing.losses.keys() & anew.losses.keys()
        if key[3] > continuing.lowest and key[1] == 0
    ]
    promoted = [(continuing.losses[key], anew.losses[key]) for key in shared]
    correlation = spearmanr(*zip(*promoted, strict=True)).statistic
    print(f"rank correlation of {len(shared)} evaluations above the lowest rung: {correlation:.3f}")


if __name__ == "__main__":
    main()
