"""Training images per second: ours, a bare Keras ``fit``, and a PyTorch loop of the same network.

All train the U-Net of the Milestone 3 reports (docs/origin.md) with their loss and Adam on the same
random patches, 16 a step, each in a process of its own. They take turns, each round in another
order, so that a change of load hits all alike. In the same turns large matrices are multiplied on
Keras' backend; shares ("of matrices") refer to that rate. Images per second are those of the best
round, as in timeit, because other programs can only slow a round down. On a busy machine without
GPU compare images per second of processor time instead. They hardly change, except for PyTorch,
whose threads spin while they wait. Nothing is asserted.

*first step*: seconds from the model's construction to the end of its first step, imports done;
*again*: the same for a second evaluation of the same shape in that process (ours: another training
with other weights; the others: a new model), less a warm step; *peak*: largest memory of the
process at this size, on an accelerator that of the device.

    python -m benchmarks.training setup [PIP OPTION ...]     PyTorch's environment, once (optional)
    python -m benchmarks.training [--quick] [--pixels 64 ...] [--ways ours ...]
    KERAS_BACKEND=jax python -m benchmarks.training          the same on JAX

``setup`` installs the build that pip chooses; PyTorch's site says which index holds smaller ones.
"""

import argparse
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.training.protocol import BATCH, Process

PYTORCH = Path("~/.cache/bohb-seg/pytorch").expanduser()
PINNED = "torch==2.13.0", "numpy"

WAYS = {
    "ours": ("float32", "bfloat16"),
    "ours, stored": ("float32",),
    "keras fit": ("float32", "bfloat16"),
    "keras fit, one-hot": ("float32",),
    "pytorch": ("float32", "bfloat16"),
}
BATCHES = {64: 8, 128: 4, 256: 2}
"""Steps of a round by patch size on a processor: one to four seconds."""
ACCELERATED = 64
"""Factor for the steps of a round on an accelerator."""
ROUNDS, QUICK_ROUNDS = 4, 2
HEAD = ["px", "precision", "way", "images/s", "median", "of fit", "of float32 fit", "of matrices"]
HEAD += ["images/CPU-s", "of fit", "first step", "again", "peak MB"]


@dataclass
class Runner:
    """A way in one precision, and its results at the present size."""

    way: str
    precision: str
    process: Process
    facts: dict[str, Any] = field(default_factory=dict)
    rounds: list[dict[str, float]] = field(default_factory=list)

    def prepare(self, edge: int, patches: int) -> None:
        """Goes to a patch size; the first steps of its evaluations trace all that there is."""
        self.facts = self.process.ask(edge=edge, patches=patches)
        self.rounds = []

    def rate(self, work: float, clock: str = "wall") -> float:
        """Work per second of the best round."""
        return work / min(each[clock] for each in self.rounds)


def main() -> None:
    """Prints the table, each line as soon as it is known."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="64 px only, few rounds")
    parser.add_argument("--pixels", type=int, nargs="+", choices=BATCHES, metavar="EDGE")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), metavar="WAY")
    options = parser.parse_args()
    device, accelerated = _device()
    print(f"{device}; load {os.getloadavg()[0]:.1f} before\n")
    runners = _runners(options.ways)
    print("| " + " | ".join(HEAD) + " |\n|" + "---|" * len(HEAD))
    for edge in options.pixels or ([64] if options.quick else list(BATCHES)):
        batches = BATCHES[edge] * (ACCELERATED if accelerated else 1)
        patches = BATCH * max(2, batches // (4 if options.quick else 1))
        measure(runners, edge, patches, QUICK_ROUNDS if options.quick else ROUNDS)
        table(runners, edge, patches)
    for runner in runners:
        runner.process.end()
    print(f"\nload {os.getloadavg()[0]:.1f} after")


def measure(runners: list[Runner], edge: int, patches: int, rounds: int) -> None:
    """Lets all take turns at one size."""
    for runner in runners:
        runner.prepare(edge, patches)
    for number in range(rounds):
        turn = number % len(runners)
        for runner in runners[turn:] + runners[:turn]:
            runner.rounds.append(runner.process.ask())


def table(runners: list[Runner], edge: int, patches: int) -> None:
    """Prints one size."""
    by_name = {(runner.way, runner.precision): runner for runner in runners}
    flops = next((r.facts["flops"] for r in runners if r.way == "ours"), None)
    for runner in runners:
        if runner.way == "matrices":
            continue
        matrices = by_name["matrices", runner.precision]
        fit, float32_fit = (
            by_name.get(("keras fit", precision)) for precision in (runner.precision, "float32")
        )
        speed, thrift = (runner.rate(patches, clock) for clock in ("wall", "processor"))
        cells = [
            edge,
            runner.precision,
            runner.way,
            f"{speed:.1f}",
            f"{patches / statistics.median(each['wall'] for each in runner.rounds):.1f}",
            f"{speed / fit.rate(patches):.2f}" if fit else "",
            f"{speed / float32_fit.rate(patches):.2f}" if float32_fit else "",
            f"{speed * flops / matrices.rate(matrices.facts['flops']):.0%}" if flops else "",
            f"{thrift:.1f}",
            f"{thrift / fit.rate(patches, 'processor'):.2f}" if fit else "",
            f"{runner.facts['first']:.1f} s",
            f"{runner.facts['again']:.1f} s",
            f"{max(each['peak_mb'] for each in runner.rounds):.0f}",
        ]
        print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    for precision in ("float32", "bfloat16"):
        matrices = by_name["matrices", precision]
        rate = matrices.rate(matrices.facts["flops"]) / 1e9
        print(
            f"| {edge} | {precision} | matrices, GFLOP/s | {rate:,.0f} |" + " |" * (len(HEAD) - 4)
        )


def _runners(ways: list[str]) -> list[Runner]:
    """Starts all processes; a process that waits costs nothing."""
    runners = []
    for way in [*ways, "matrices"]:
        for precision in WAYS.get(way, ("float32", "bfloat16")):
            if way != "pytorch":
                process = Process.start(sys.executable, "keras_ways", way, precision)
            elif (python := PYTORCH / "bin" / "python").exists():
                process = Process.start(python, "torch_way", precision)
            else:
                print(f"{PYTORCH} is not there: no PyTorch (python -m benchmarks.training setup)\n")
                break
            runners.append(Runner(way, precision, process))
    return runners


def _device() -> tuple[str, bool]:
    """The device of Keras, asked in a process of its own, which would else hold its memory."""
    code = (
        "from bohb_seg.training import devices; devices.prepare('auto'); import keras;"
        " print(keras.backend.backend(), 'on', devices.describe())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    device = answer.stdout.strip().splitlines()[-1]
    return device, " on cpu" not in device


def set_up(pip_options: list[str]) -> None:
    """Makes PyTorch's environment; options go to pip."""
    subprocess.run([sys.executable, "-m", "venv", "--clear", PYTORCH], check=True)
    pip = [str(PYTORCH / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *pip_options, *PINNED], check=True)
    print(f"PyTorch is installed in {PYTORCH}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["setup"]:
        set_up(sys.argv[2:])
    else:
        main()
