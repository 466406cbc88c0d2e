"""All settings of all commands: name, type, range, default and help in one place.

If the name of a setting is a keyword of Python it ends in ``_`` here, and only here: ``continue_``.
"""

import math
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from bohb_seg import machine

LONGEST = 10**6
"""Seconds of the longest wait, eleven days; system calls refuse much longer ones."""
MOST_BUDGETS = 32
"""Budgets between the smallest and the largest; already then the first bracket never ends."""

_Host = Annotated[str, AfterValidator(machine.bare_host)]
_Location = Annotated[str, AfterValidator(machine.checked_location)]


class DataSettings(BaseModel):
    """Settings of a data set: its place, how its images are cut and split."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data: str = Field(
        "synthetic",
        description="folder with images and masks, or a data set: NAME[:PATH] or FILE.py[:PATH];"
        " synthetic has its own defaults",
    )
    images: str | None = Field(
        None,
        description="pattern of the images' paths in the data folder, with {stem} for what the"
        " mask's name shares (default: by the names of folders and files); goes with --masks",
    )
    masks: str | None = Field(None, description="pattern of the masks' paths; goes with --images")
    preset: Literal["default", "milestone3"] = Field(
        "default",
        description="milestone3: the set-up of the Milestone 3 reports, for comparison with them",
    )
    classes: Path | None = Field(
        None, description="class table: name, colour or index (default: the data folder's own)"
    )
    patch_size: int = Field(256, ge=16, description="edge of a patch in pixels")
    downscale: int = Field(1, ge=1, description="shrink images and masks by this factor first")
    bands: str | None = Field(
        None, description="bands to train on, e.g. 1,2,3 or red,green,nir (default: all but alpha)"
    )
    class_field: str | None = Field(
        None, description="labels are shapes; this field of vector files holds their class"
    )
    align: bool = Field(False, description="warp masks that lie on another grid onto their images")
    split: Literal["auto", "folders", "group", "image", "block", "patch"] = Field(
        "auto",
        description="units that are never divided among train, validation and test; folders: as"
        " published; auto: folders if there are such parts, else group, else image or block",
    )
    group_by: str | None = Field(
        None,
        description="regular expression; images are one group if what it finds in their paths (in"
        " brackets, if it has any) is equal (default: one group a folder)",
    )
    sampling: Literal["grid", "random"] = Field(
        "grid", description="patches of an epoch: all of the grid, or as many at random places"
    )
    rare_share: float = Field(
        0,
        ge=0,
        le=1,
        description="with --sampling random: share of the patches that show a rare class for sure",
    )
    cache_dir: Path = Field(
        Path("~/.cache/bohb-seg"), validate_default=True, description="where decoded data is kept"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="how much is logged"
    )

    @field_validator("*", mode="before")
    @classmethod
    def _says_something(cls, value: object) -> object:
        """An empty text is no value; as a path it would be the present directory."""
        if value == "" or (isinstance(value, list | tuple) and "" in value):
            raise ValueError("it is empty; give a value, or leave it out")
        return value

    @field_validator("cache_dir")
    @classmethod
    def _in_a_home(cls, folder: Path) -> Path:
        """Expands ``~``, for files and the environment have no shell that does it."""
        return folder.expanduser()


class TrainingSettings(DataSettings):
    """Settings that all evaluations of a run share."""

    model: str = Field("unet", description="architecture: NAME or FILE.py")
    objective: Literal["default", "milestone3"] = Field(
        "default", description="the loss that is minimised (see docs/reference/glossary.md)"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="auto: bfloat16 where the device gains by it"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the whole run")
    continue_: bool = Field(
        True, description="promoted trials go on from their checkpoint, or begin again"
    )
    max_budget: float = Field(27, gt=0, description="largest budget in epochs")
    patience: int | None = Field(
        None,
        ge=1,
        description="in the comparison: end after so many epochs without a lower validation loss,"
        " keep the best weights (default: train all epochs, keep the last)",
    )
    final_folds: int = Field(
        0,
        ge=0,
        le=1000,
        description="in the comparison: also retrain on so many folds, so that every group of"
        " images tests once (0: none)",
    )


class SearchSettings(TrainingSettings):
    """Settings of ``bohb-master``."""

    n_iterations: int = Field(4, ge=1, description="number of brackets (HpBandSter: iterations)")
    run_id: str = Field("", description="name of the run (default: now)")
    run_dir: Path = Field(Path(), description="where the run is kept (default: results/<run-id>)")
    space: str = Field("default", description="search space: NAME or a file")
    optimizer: str = Field(
        "bohb",
        description="bohb, bohb-kde (BOHB as published), hyperband, random or FILE.py",
    )
    min_budget: float = Field(3, gt=0, description="smallest budget in epochs")
    eta: float = Field(3, ge=2, description="one of eta configurations is promoted")
    host: _Host = Field("127.0.0.1", description="address to serve on")
    port: int = Field(9090, ge=0, le=65535, description="port of the nameserver (0: any)")
    nameserver: _Location | None = Field(None, description="HOST:PORT of a running nameserver")
    tls: Path | None = Field(None, description="folder made by bohb-certs: encrypt, admit no other")
    insecure: bool = Field(False, description="serve on a network address without encryption")
    checkpoint_gb: float | None = Field(
        None, gt=0, description="disk space for checkpoints; those of the worst trials go first"
    )
    trial_gb: float = Field(
        16, gt=0, description="disk space for files of one trial that workers bring by the network"
    )
    local_workers: Literal["auto"] | Annotated[int, Field(ge=0, le=1000)] = Field(
        "auto",
        description="workers started on this machine (auto: one per GPU, or per two processors)",
    )
    worker: str = Field(
        "segmentation", description="program of the local workers: NAME or FILE.py[:Class]"
    )
    min_workers: int = Field(1, ge=1, description="wait for this many workers before starting")
    heartbeat: float = Field(
        5, gt=0, le=LONGEST, description="seconds between two looks at each worker"
    )
    dashboard: str | None = Field(
        None,
        description="[HOST:]PORT of the live report; for this machine only, or, where HOST is a"
        " network address, for those who have the secret link in the log",
    )
    resume: bool = Field(False, description="go on with the run in --run-dir")
    restartable: bool = Field(
        False,
        description="for a master that something starts again: go on with the run in --run-dir if"
        " there is one, and leave workers waiting until the search is finished",
    )
    take_over: bool = Field(
        False,
        description="go on with a run although a master on another machine had it, which is lost",
    )
    repair: bool = Field(
        False,
        description="mend the journal in --run-dir that two masters wrote, or that is damaged; says"
        " what it drops, keeps the old one",
    )
    warm_start: tuple[Path, ...] = Field(
        (), description="learn from an earlier run first; may be given several times"
    )
    hours: float | None = Field(
        None,
        gt=0,
        description="end the whole run, report included, within this time: budgets, brackets,"
        " runoff and comparison are chosen so, as far as they are not given",
    )
    plan: bool = Field(
        False, description="only measure an epoch, say what would be done and how long, and end"
    )
    prior: tuple[Path, ...] = Field(
        (),
        description="run on other data from which to guess where to begin; a guess that fades; may"
        " be given several times",
    )
    baseline: Path | None = Field(
        None,
        description="recipe to compare with and to try first: a file with hyperparameters, a run's"
        " directory (its incumbent) or a NAME (default: the default configuration of the space)",
    )
    recipe: tuple[Path, ...] = Field(
        (), description="recipe to try early, given as for --baseline; may be given several times"
    )
    max_hours: float | None = Field(None, gt=0, description="stop the search after this time")
    max_evaluations: int | None = Field(None, ge=1, description="stop the search after so many")
    max_epochs: float | None = Field(None, gt=0, description="stop before the search trains more")
    target_loss: float | None = Field(None, description="stop the search at this loss")
    final_epochs: float | None = Field(
        None, gt=0, description="epochs of the final comparison (default: the largest budget)"
    )
    final_seeds: int = Field(
        10, ge=1, le=1000, description="seeds of the final comparison at most; a verdict ends it"
    )
    final_delta: float = Field(
        0.01, ge=0, description="difference in mIoU below which two recipes count as equivalent"
    )
    final_candidates: int = Field(
        3,
        ge=1,
        le=1000,
        description="the best so many are run off before the comparison (1: no runoff)",
    )
    comparison: bool = Field(True, description="retrain and compare incumbent and default")
    max_attempts: int = Field(3, ge=1, description="tries of an evaluation that crashes")
    max_minutes_per_evaluation: float | None = Field(
        None, gt=0, description="an evaluation that takes longer has failed"
    )

    @property
    def comparison_epochs(self) -> float | None:
        """Epochs of the final comparison; None if there is none."""
        if not self.comparison:
            return None
        return self.max_budget if self.final_epochs is None else self.final_epochs

    @field_validator("final_folds")
    @classmethod
    def _several(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("one fold tests on nothing: use 2 or more, or 0 for none")
        return folds

    @field_validator("run_id")
    @classmethod
    def _names_a_run(cls, run_id: str) -> str:
        # Without dots no run's name in the nameserver begins like that of another's worker.
        if not re.fullmatch(r"[A-Za-z0-9_-]*", run_id):
            raise ValueError("use letters, digits, - and _ only")
        return run_id

    @field_validator("dashboard", mode="before")
    @classmethod
    def _is_an_address(cls, value: object) -> object:
        """Checks the address; in files, a port alone is a number."""
        if value is None:
            return None
        found = re.fullmatch(r"(?:.+:)?(\d{1,5})", str(value))
        if not found or int(found[1]) > 65535:
            raise ValueError("give a port or host:port, e.g. 8000")
        return str(value)

    @field_validator("warm_start", "prior", "recipe", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        """Splits a text, as the environment has it, where lists of paths are split."""
        return value.split(os.pathsep) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _budgets_rise(self) -> Self:
        low, high = self.min_budget, self.max_budget
        if self.hours is not None and not {"min_budget", "max_budget"} <= self.model_fields_set:
            return self  # one of them at least is chosen later
        if self.max_epochs is not None and self.max_epochs < low:
            raise ValueError(
                f"--max-epochs {self.max_epochs:g} has no room for one evaluation of --min-budget"
                f" {low:g} epochs; raise the one or lower the other"
            )
        if low > high:
            raise ValueError(
                f"--min-budget {low:g} is larger than --max-budget {high:g}; lower the one or raise"
                " the other"
            )
        if (math.log(high) - math.log(low)) / math.log(self.eta) >= MOST_BUDGETS:
            raise ValueError(
                f"--min-budget {low:g} and --max-budget {high:g} have more than {MOST_BUDGETS}"
                f" budgets between them, each --eta {self.eta:g} times the last; bring them closer"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _names(cls, values: dict[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in values.items() if value is not None}
        run_id = given.get("run_id", f"{datetime.now():%Y%m%d-%H%M%S}")
        return {**values, "run_id": run_id, "run_dir": Path("results") / str(run_id)} | given


class WorkerSettings(TrainingSettings):
    """Settings of ``bohb-worker``."""

    host: _Host = Field("127.0.0.1", description="address of the master's nameserver")
    port: int = Field(9090, ge=1, le=65535, description="port of the master's nameserver")
    run_dir: Path | None = Field(
        None, description="the run's directory, if shared: tells host and port of its master"
    )
    run_id: str = Field("", description="the run to serve (default: the only one there is)")
    worker: str = Field(
        "segmentation", description="program to serve with: NAME or FILE.py[:Class]"
    )
    device: str = Field(
        "auto",
        pattern=r"^(auto|cpu|gpu|gpu:\d+|tpu|all-gpus)$",
        description="auto, cpu, gpu, gpu:N, tpu or all-gpus (one process each)",
    )
    threads: int | None = Field(None, ge=1, description="processor threads (default: all)")
    bind: _Host | None = Field(None, description="own address (default: the way to the master)")
    tls: Path | None = Field(None, description="folder made by bohb-certs")
    notice: float = Field(
        8,
        ge=0,
        le=LONGEST,
        description="seconds to finish an epoch after SIGTERM (docker stop grants 10)",
    )
    idle_timeout: float | None = Field(
        None, gt=0, le=LONGEST, description="leave after so many idle seconds"
    )
    deliver: bool = Field(False, description="only bring results that were left on this machine")
    check: bool = Field(
        False, description="only say what a worker finds here: status 0 if one could start, else 2"
    )
    only: Literal["nameserver"] | None = Field(
        None, description="check only whether the nameserver answers; fast, imports no Keras"
    )
