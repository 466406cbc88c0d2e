"""Ours against HpBandSter, Optuna, DEHB and SMAC3 under a simulated clock.

First ``setup``, once; then ``run``, which measures what is missing; then ``table``.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks.search import environments, fit, measuring, results
from benchmarks.search.methods import METHODS
from benchmarks.search.problems import every
from benchmarks.search.regret import MARKS


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the command line says; returns the exit status."""
    options = _parser().parse_args(arguments)
    match options.command:
        case "setup":
            environments.set_up()
        case "fit":
            fit.main()
        case "table":
            from benchmarks.search import tables  # needs SciPy

            runs = results.load(options.results)
            chosen = options.methods, options.problems, options.workers, options.seeds
            print(tables.markdown([run for run in runs if _is_in(run, *chosen)]))
        case "run":
            return measuring.run(_selection(options))
        case "measure":
            measuring.measure(_selection(options))
    return 0


def _selection(options: argparse.Namespace) -> measuring.Selection:
    return measuring.Selection(
        options.methods,
        options.problems,
        options.workers,
        options.seeds,
        options.until,
        options.results,
    )


def _is_in(
    run: results.Run,
    methods: Sequence[str],
    problems: Sequence[str],
    workers: Sequence[int],
    seeds: Sequence[int],
) -> bool:
    chosen = run.method in methods and run.problem in problems
    return chosen and run.workers in workers and run.seed in seeds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search",
        description=__doc__,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="make the peers' environment")
    commands.add_parser("fit", help="print the constants of the problems dubai and recipe")
    table = commands.add_parser("table", help="print the tables")
    run = commands.add_parser("run", help="measure what is missing")
    measure = commands.add_parser("measure", help="the same, all in this environment")
    for command in (table, run, measure):
        command.add_argument("--results", type=Path, default=results.DEFAULT_FILE, metavar="FILE")
        command.add_argument("--methods", type=_names_of(METHODS), default=list(METHODS))
        command.add_argument("--problems", type=_names_of(every()), default=list(every()))
        command.add_argument("--workers", type=_numbers, default=[1, 8], metavar="1,8")
        command.add_argument("--seeds", type=_seeds, default=range(20), metavar="0:20")
    for command in (run, measure):
        command.add_argument("--until", type=int, choices=MARKS, default=MARKS[-1])
    return parser


def _names_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := [name for name in chosen if name not in known]:
            there = ", ".join(known)
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {there}")
        return chosen

    return names


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _seeds(text: str) -> range:
    """``5`` or ``5:10``."""
    first, _, last = text.partition(":")
    return range(int(first), int(last) if last else int(first) + 1)


if __name__ == "__main__":
    sys.exit(main())
