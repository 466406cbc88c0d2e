"""All settings of all commands: name, type, default and help in one place, checked once.

A setting ``patch_size`` is the flag ``--patch-size``, the key ``patch_size`` of ``--config`` files
and the environment variable ``BOHB_PATCH_SIZE``; a flag wins over a file, a file over the
environment. All three win over the values of the chosen preset and of the synthetic data, and these
over the defaults below. If the name of a setting is a keyword of Python it ends in ``_`` here, and
only here: ``continue_``.
"""

import os
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bohb_seg.errors import SettingsError

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "milestone3": {"objective": "milestone3", "split": "patch", "space": "milestone3-hyperband"},
}
"""Values that ``--preset`` changes; ``milestone3`` is the set-up of the Milestone 3 reports
(docs/origin.md)."""

FORMER_NAMES: Mapping[str, Mapping[str, str]] = {
    "preset": {"seed": "milestone3"},
    "objective": {"seed": "milestone3"},
    "space": {"seed-bohb": "milestone3-bohb", "seed-hyperband": "milestone3-hyperband"},
}
"""Values of settings that were called otherwise up to version 0.1; still understood everywhere."""

SYNTHETIC: Mapping[str, Any] = {
    "patch_size": 64,
    "space": "quick",
    "final_epochs": 30,
}
"""Values that ``--data synthetic`` changes, so that all can be tried in minutes on two cores."""


class DataSettings(BaseModel):
    """Settings of a data set: its place, how its images are cut and split."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    data: str = Field(
        "synthetic",
        description="folder with images/ and masks/ twins, or a data set: NAME[:PATH] or"
        " FILE.py[:PATH]; synthetic has its own defaults",
    )
    preset: Literal["default", "milestone3"] = Field(
        "default",
        description="milestone3: the set-up of the Milestone 3 reports, for comparison with them",
    )
    classes: Path | None = Field(None, description="class table (YAML): name, colour or index")
    patch_size: int = Field(256, ge=16, description="edge of a patch in pixels")
    downscale: int = Field(1, ge=1, description="shrink images and masks by this factor first")
    split: Literal["group", "image", "patch"] = Field(
        "group", description="units that are never divided among train, validation and test"
    )
    cache_dir: Path = Field(
        Path("~/.cache/bohb-seg"), validate_default=True, description="where decoded data is kept"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="how much is logged"
    )

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
    seed: int = Field(0, ge=0, description="seed of the whole run")
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


class SearchSettings(TrainingSettings):
    """Settings of ``bohb-master``."""

    n_iterations: int = Field(4, ge=1, description="number of brackets (HpBandSter: iterations)")
    run_id: str = Field("", description="name of the run (default: now)")
    run_dir: Path = Field(Path(), description="where the run is kept (default: results/<run-id>)")
    space: str = Field("default", description="search space: NAME or a file")
    optimizer: str = Field("bohb", description="bohb, hyperband, random or FILE.py")
    min_budget: float = Field(3, gt=0, description="smallest budget in epochs")
    eta: float = Field(3, ge=2, description="one of eta configurations is promoted")
    host: str = Field("127.0.0.1", description="address to serve on")
    port: int = Field(9090, ge=0, le=65535, description="port of the nameserver (0: any)")
    nameserver: str | None = Field(
        None, pattern=r"^[^:]+:\d+$", description="HOST:PORT of a running nameserver to use"
    )
    tls: Path | None = Field(None, description="folder made by bohb-certs: encrypt, admit no other")
    insecure: bool = Field(False, description="serve on a network address without encryption")
    checkpoint_gb: float | None = Field(
        None, gt=0, description="disk space for checkpoints; those of the worst trials go first"
    )
    local_workers: Literal["auto"] | Annotated[int, Field(ge=0)] = Field(
        "auto",
        description="workers started on this machine (auto: one per GPU, or per two processors)",
    )
    worker: str = Field(
        "segmentation", description="program of the local workers: NAME or FILE.py[:Class]"
    )
    min_workers: int = Field(1, ge=1, description="wait for this many workers before starting")
    heartbeat: float = Field(5, gt=0, description="seconds between two looks at each worker")
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
    max_hours: float | None = Field(None, gt=0, description="stop the search after this time")
    max_evaluations: int | None = Field(None, ge=1, description="stop the search after so many")
    max_epochs: float | None = Field(
        None, gt=0, description="stop the search before it trains more"
    )
    target_loss: float | None = Field(None, description="stop the search at this loss")
    final_epochs: float = Field(100, gt=0, description="epochs of the final comparison")
    final_seeds: int = Field(3, ge=1, description="seeds of the final comparison")
    final_candidates: int = Field(
        3, ge=1, description="the best so many are run off before the comparison (1: no runoff)"
    )
    comparison: bool = Field(True, description="retrain and compare incumbent and default")
    max_attempts: int = Field(3, ge=1, description="tries of an evaluation that raises")

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

    @field_validator("warm_start", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        """Splits a text, as the environment has it, where lists of paths are split."""
        return value.split(os.pathsep) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _first_evaluation_fits(self) -> Self:
        if self.max_epochs is not None and self.max_epochs < self.min_budget:
            raise ValueError(
                f"--max-epochs {self.max_epochs:g} has no room for one evaluation of --min-budget"
                f" {self.min_budget:g} epochs; raise the one or lower the other"
            )
        return self

    @model_validator(mode="after")
    def _budgets_rise(self) -> Self:
        if self.min_budget > self.max_budget:
            raise ValueError(
                f"--min-budget {self.min_budget:g} is larger than --max-budget"
                f" {self.max_budget:g}; lower the one or raise the other"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _names(cls, values: dict[str, Any]) -> dict[str, Any]:
        run_id = values.get("run_id") or f"{datetime.now():%Y%m%d-%H%M%S}"
        run_dir = values.get("run_dir") or Path("results") / str(run_id)
        return {**values, "run_id": run_id, "run_dir": run_dir}


class WorkerSettings(TrainingSettings):
    """Settings of ``bohb-worker``."""

    host: str = Field("127.0.0.1", description="address of the master's nameserver")
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
    bind: str | None = Field(None, description="own address (default: the way to the master)")
    tls: Path | None = Field(None, description="folder made by bohb-certs")
    notice: float = Field(
        8, ge=0, description="seconds to finish an epoch after SIGTERM (docker stop grants 10)"
    )
    idle_timeout: float | None = Field(None, gt=0, description="leave after so many idle seconds")
    leave_with_parent: bool = Field(False, description="leave when the starting process is gone")
    check: bool = Field(
        False, description="only say what a worker finds here: status 0 if one could start, else 2"
    )
    only: Literal["nameserver"] | None = Field(
        None, description="check only whether the nameserver answers; fast, imports no Keras"
    )


def public(field: str) -> str:
    """Name of a setting in settings files and, in capitals after ``BOHB_``, in the environment."""
    return field.removesuffix("_")


def flag_of(field: str) -> str:
    """Flag of a setting on the command line."""
    return f"--{public(field).replace('_', '-')}"


def with_present_names(values: Mapping[str, Any]) -> dict[str, Any]:
    """The same settings, with values that were renamed since under their present names."""
    return {
        name: FORMER_NAMES.get(name, {}).get(value, value) if isinstance(value, str) else value
        for name, value in values.items()
    }


AnySettings = TypeVar("AnySettings", bound=DataSettings)


def merge(
    kind: type[AnySettings],
    flags: Mapping[str, Any],
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> AnySettings:
    """Merges flags, settings file and environment over presets and defaults, and checks them.

    Args:
        kind: The settings class to fill.
        flags: Values of the command line; None means that the flag was not given.
        file: The ``--config`` file, YAML with the fields of ``kind`` as keys.
        environment: The environment, in which ``BOHB_<FIELD>`` is looked up.

    Raises:
        SettingsError: one sentence that names the setting, its source and its value.
    """
    sources = {
        "environment": _from_environment(kind, environment),
        str(file): _from_file(kind, file),
        "command line": {key: value for key, value in flags.items() if value is not None},
    }
    given = with_present_names(
        {key: value for source in sources.values() for key, value in source.items()}
    )
    origin = {key: name for name, source in sources.items() for key in source}
    try:
        return kind.model_validate({**_brought_along(kind, given), **given})
    except ValidationError as error:
        raise SettingsError(_sentence(error, origin)) from None


def _brought_along(kind: type[DataSettings], given: Mapping[str, Any]) -> dict[str, Any]:
    preset = str(given.get("preset", "default"))
    synthetic = given.get("data", "synthetic") == "synthetic"
    values = {**(SYNTHETIC if synthetic else {}), **PRESETS.get(preset, {})}
    return {key: value for key, value in values.items() if key in kind.model_fields}


def _from_environment(kind: type[DataSettings], environment: Mapping[str, str]) -> dict[str, str]:
    names = {field: f"BOHB_{public(field).upper()}" for field in kind.model_fields}
    return {field: environment[name] for field, name in names.items() if environment.get(name)}


def _from_file(kind: type[DataSettings], file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise SettingsError(f"--config {file} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, ValueError) as error:
        where = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", str(error).splitlines()[0])
        line = f", line {where.line + 1}" if where else ""
        raise SettingsError(
            f"--config {file}{line} is not YAML: {problem}; write one 'name: value' a line"
        ) from None
    if not isinstance(values, dict):
        raise SettingsError(f"--config {file} holds no settings; write one 'name: value' a line")
    values = {str(name).replace("-", "_"): value for name, value in values.items()}
    fields = {public(field): field for field in kind.model_fields}
    if unknown := sorted(values.keys() - fields.keys()):
        raise SettingsError(
            f"--config {file}: unknown setting {unknown[0]!r}; there are:"
            f" {', '.join(sorted(fields))}"
        )
    return {fields[name]: value for name, value in values.items()}


def _sentence(error: ValidationError, origin: Mapping[str, str]) -> str:
    first = error.errors()[0]
    message = first["msg"].removeprefix("Value error, ")
    if not first["loc"]:
        return message
    field = str(first["loc"][0])
    place = origin.get(field, "default")
    source = "" if place == "command line" else f" (from {place})"
    return f"{flag_of(field)} {first['input']}{source}: {message.lower()}"
