"""The methods compared, one file per program; a file is imported only where its program is."""

import hashlib
import importlib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

from benchmarks.search.simulation import Build

_OPTIMIZERS = Path(__file__).parents[3] / "bohb_seg" / "optimizers"


@dataclass(frozen=True)
class Entry:
    """Where a method is found.

    Args:
        module: File in this folder.
        argument: What its ``build`` makes.
        peer: Whether it runs in the peers' environment.
        packages: Whose versions are recorded; none: it is ours.
        sources: Of ours, whose digest is its version.
    """

    module: str
    argument: str
    peer: bool = False
    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def build(self) -> Build:
        """Imports the program."""
        module = importlib.import_module(f"benchmarks.search.methods.{self.module}")
        build: Build = module.build(self.argument)
        return build

    @cache  # noqa: B019 - there are few, and what runs is what was imported at first
    def version(self) -> str:
        """Version of the program."""
        if self.packages:
            return " ".join(f"{name} {version(name)}" for name in self.packages)
        digest = hashlib.sha256()
        for pattern in self.sources:
            for path in sorted(_OPTIMIZERS.glob(pattern)):
                digest.update(path.read_bytes())
        return digest.hexdigest()[:8]


_SHARED = "_encoding.py", "_prior.py"
METHODS = {
    "ours-bohb": Entry("ours", "bohb", sources=("bohb.py", "_process.py", *_SHARED)),
    "ours-bohb-kde": Entry("ours", "bohb_kde", sources=("bohb_kde.py", "_kde.py", *_SHARED)),
    "ours-hyperband": Entry("ours", "hyperband", sources=("hyperband.py", "_prior.py")),
    "random": Entry("ours", "random", sources=("random.py", "_prior.py")),
    "hpbandster-bohb": Entry("hpbandster", "bohb", packages=("hpbandster",)),
    "hpbandster-hyperband": Entry("hpbandster", "hyperband", packages=("hpbandster",)),
    "dehb": Entry("dehb", "dehb", peer=True, packages=("dehb",)),
    "optuna": Entry("optuna", "tpe-hyperband", peer=True, packages=("optuna",)),
    "smac": Entry("smac", "multi-fidelity", peer=True, packages=("smac",)),
}
