"""One search on our Slurm, submitted as deploy/slurm/README.md tells."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.slurm.cluster import Slurm
from helpers.cluster import SPACE, Cluster
from helpers.commands import ROOT, run

FILES = ROOT / "deploy/slurm"
NEW = ("--worker", "toy", "--optimizer", "hyperband", "--no-comparison")
"""A search whose draws follow the sequence only, and that ends with its last bracket."""
LONG = ("--min-budget", 9, "--max-budget", 9)
"""One evaluation a bracket, nine units each, so that there is time to disturb them."""

_WORKER_NAME = re.compile(r"serving run \S+ as (\S+)")


@dataclass(frozen=True)
class Task:
    """A job, or a task of an array, and its log.

    Args:
        number: As Slurm knows it: ``7`` or ``7_0``.
    """

    slurm: Slurm
    number: str
    log_file: Path

    @property
    def log(self) -> str:
        """What it has said so far, in all its lives."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def names(self) -> list[str]:
        """What the worker has been called in the journal, once for each of its lives."""
        return list(dict.fromkeys(_WORKER_NAME.findall(self.log)))

    @property
    def worker_name(self) -> str | None:
        """What it is called now."""
        return self.names[-1] if self.names else None

    @property
    def state(self) -> str:
        """PENDING, RUNNING, COMPLETED and so on."""
        return self.slurm.job(self.number)["JobState"]

    @property
    def node(self) -> str:
        """Where it runs, or ran last."""
        return self.slurm.job(self.number)["BatchHost"]

    def finish(self) -> None:
        """Waits for its end, wants status 0."""
        gone = ("PENDING", "RUNNING", "COMPLETING")
        self.slurm.until(lambda: self.state not in gone, f"job {self.number} ends")
        job = self.slurm.job(self.number)
        assert (job["JobState"], job["ExitCode"]) == ("COMPLETED", "0:0"), self.log


class Search:
    """One run directory, its certificates, and the jobs that were submitted for it.

    Attributes:
        seen: Reads the journal; starts nothing.
    """

    def __init__(self, slurm: Slurm, folder: Path) -> None:
        self._slurm, self._folder = slurm, folder
        self.seen = Cluster(folder)
        self.run_dir = self.seen.run_dir
        self._space = folder / "space.py"
        self._space.write_text(SPACE.format(sleep=0.1))
        made = run("bohb_seg.commands.certs", "certs", "--keep", folder=folder)
        assert made.returncode == 0, made.stderr

    def master(self, *flags: object) -> Task:
        """Submits the master."""
        number = self._submit("master.sbatch", (), (*NEW, "--space", self._space, *flags))
        return Task(self._slurm, number, self._folder / f"bohb-master-{number}.log")

    def workers(self, array: str, *options: object) -> list[Task]:
        """Submits an array of workers; ``options`` are sbatch's."""
        number = self._submit("workers.sbatch", (f"--array={array}", *options), ("--worker", "toy"))
        first, last = map(int, array.partition("%")[0].split("-"))
        tasks = [f"{number}_{index}" for index in range(first, last + 1)]
        return [Task(self._slurm, task, self._folder / f"bohb-worker-{task}.log") for task in tasks]

    def _submit(self, file: str, options: tuple[object, ...], flags: tuple[object, ...]) -> str:
        said = self._slurm.call(
            *("sbatch", "--parsable", *options, FILES / file, *flags),
            folder=self._folder,
            BOHB_RUN_DIR=str(self.run_dir),
            BOHB_TLS=str(self._folder / "certs"),
            PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        ).strip()
        assert said.isdigit(), said
        return said
