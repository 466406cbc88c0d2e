"""A storm of messages at every remote method of a real run, beside the same run undisturbed.

``python -m benchmarks.door --messages 1000000`` makes a run of the toy with a master and two
workers, and sends them values of all types that the wire carries, and messages that are none
(``tests/helpers/door.py``). Afterwards everybody must have as many threads and descriptors as
before, and the run must end like the undisturbed one; else the exit status is 1. Ctrl-C ends the
storm early, and only the storm.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.door import besiege


def main() -> None:
    """Makes both runs, and prints the figures of the storm."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=20_000, help="so many are sent")
    parser.add_argument("--seed", type=int, default=0, help="of the messages")
    parser.add_argument("--keep", type=Path, help="folder for run directories and logs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="door-") as scratch:
        figures = besiege(given.keep or Path(scratch), given.messages, given.seed)
    print(f"{figures.sent.total()} messages in {figures.seconds:.0f} s; all results are equal")
    print("answers: " + ", ".join(f"{n} {kind}" for kind, n in figures.answered.most_common()))
    for who, held in figures.processes.items():
        print(f"{who}: {held}")
    for kind, number in figures.sent.most_common():
        print(f"{number:8} {kind}")


if __name__ == "__main__":
    main()
