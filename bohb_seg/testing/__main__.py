"""``python -m bohb_seg.testing --model FILE.py``: the contracts of files of your own."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import click
import pytest

from bohb_seg import plugins
from bohb_seg.errors import EXIT_BAD_INPUT, BohbSegError
from bohb_seg.testing import CONTRACTS

CLASSES = {
    "models": "TestModel",
    "datasets": "TestDataset",
    "spaces": "TestSpace",
    "optimizers": "TestOptimizer",
    "workers": "TestWorker",
}
"""The classes of ``given.py`` by kind."""


class _Given:
    """A plug-in of pytest that hands the plug-ins of the command line to the tests."""

    def __init__(self, specs: Mapping[str, str]) -> None:
        self._specs = specs

    @pytest.fixture
    def given(self) -> Mapping[str, str]:
        """Names or paths by kind."""
        return self._specs

    def pytest_configure(self) -> None:
        """Registers the contracts again, for this package was imported before pytest began."""
        pytest.register_assert_rewrite(*CONTRACTS)


@click.command("python -m bohb_seg.testing")
@click.option("--model", "models", metavar="FILE.py", help="A model.")
@click.option("--data", "datasets", metavar="FILE.py[:PATH]", help="A data set.")
@click.option("--space", "spaces", metavar="FILE", help="A search space.")
@click.option("--optimizer", "optimizers", metavar="FILE.py", help="An optimizer.")
@click.option("--worker", "workers", metavar="FILE.py[:Class]", help="A worker.")
def main(**flags: str | None) -> NoReturn:
    """Run the contracts of plug-ins; those given together are also tried together.

    Example: python -m bohb_seg.testing --model net.py --space space.json
    """
    given = {kind: spec for kind, spec in flags.items() if spec}
    if not given:
        raise click.UsageError("name a plug-in, e.g. --model FILE.py")
    try:
        for kind, spec in given.items():
            plugins.file_of(kind, spec)
    except BohbSegError as error:
        click.echo(f"bohb_seg.testing: {error}", err=True)
        sys.exit(EXIT_BAD_INPUT)
    tests = Path(__file__).with_name("given.py")
    chosen = [f"{tests}::{CLASSES[kind]}" for kind in given]
    # Nobody's configuration of pytest, and no cache in anybody's folder.
    alone = ["-c", os.devnull, "--rootdir", str(tests.parent), "-p", "no:cacheprovider"]
    sys.exit(pytest.main([*alone, *chosen], plugins=[_Given(given)]))


if __name__ == "__main__":
    main()
