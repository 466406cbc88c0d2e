"""The constants of ``problems/dubai.py``, fitted to the curves of ``results/dubai-64-milestone3``.

Data: the 24 trials of that search (84 validation losses, one per epoch) and the comparison's three
retrainings of default and incumbent (six validation losses after 24 epochs). With u = log10 of the
learning rate / 1e-3, v = log2 of the batch size / 8 and e epochs:

- *mean curve*: floor[activation] + curvature u^2 + exp(start - power ln e - rise u + slow v), by
  least squares with soft absolute errors over all epochs that did not collapse, each divided by the
  square root of the length of its training. Nine epochs do not show where a curve ends: floors are
  pulled to ``FLOOR``, a little below the best loss seen, all else weakly to its start.
- *noise*: the standard deviation between retrainings of one configuration (luck, four degrees of
  freedom) and of the residuals within a training (wobble).
- *collapse* to one class: hazard exp(base + edge u) (1 + ln e) up to epoch e, maximum likelihood
  over all trainings and the 57 trials of the HyperBand report (50 epochs each), of which only the
  counts in three ranges of the learning rate are known.

Thirty trainings cannot pin a surface over three hyperparameters: this is a plausible problem with
speed, noise and collapse of the real one, not a surrogate of it.

    python -m benchmarks.search fit
"""

import csv
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Place = TypeVar("Place")

RUN = Path(__file__).parents[2] / "results" / "dubai-64-milestone3"
ACTIVATIONS = "relu", "tanh", "swish", "none"
FINAL_EPOCHS = 24
COLLAPSED = 1.3
"""A validation loss above it is that of a network that predicts one class."""

FLOOR, FLOOR_PULL = 0.42, 0.5
START = 0.02, -1.0, 0.6, 0.3, 0.3
"""Curvature, start, power, rise, slow."""
PULL = 0.05
SOFT = 0.05
"""Losses that differ by less are errors that count squared."""

REPORTED = (3e-2, 6, 8), (5.5e-3, 2, 10), (5e-4, 0, 39)
"""Learning rate (middle of the range), collapsed, trials of the HyperBand report."""
REPORTED_EPOCHS = 50


@dataclass(frozen=True)
class Row:
    """One validation loss of one training: where in the space, when, what."""

    trial: str
    epoch: int
    activation: int
    u: float
    v: float
    loss: float


def rows_of(run: Path) -> list[Row]:
    """All validation losses in a run's report, those of collapsed networks included."""
    return [
        Row(trial, epoch, *where, loss)
        for trial, epoch, where, loss in losses_of(run, place, FINAL_EPOCHS)
    ]


def losses_of(
    run: Path, place: Callable[[Mapping[str, str]], Place], epochs: int
) -> Iterator[tuple[str, int, Place, float]]:
    """All validation losses in a run's report.

    Args:
        run: Directory of the run.
        place: Makes the values of a configuration a place in the space.
        epochs: Epochs of the comparison's retrainings.

    Yields:
        Training, epoch, place, validation loss.
    """
    tables = run / "report" / "tables"
    places = {row["trial"]: place(row) for row in _read(tables / "evaluations.csv")}
    for row in _read(tables / "learning_curves.csv"):
        yield row["trial"], int(row["epoch"]), places[row["trial"]], float(row["validation_loss"])
    compared = _read(tables / "configuration.csv")
    for row in _read(tables / "comparison_seeds.csv"):
        if row["part"] == "validation":
            arm = row["configuration"]
            where = place({values["hyperparameter"]: values[arm] for values in compared})
            yield f"{arm} {row['seed']}", epochs, where, float(row["loss"])


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def place(configuration: Mapping[str, object]) -> tuple[int, float, float]:
    """Activation's index, u and v of a configuration."""
    u = math.log10(float(str(configuration["learning_rate"])) / 1e-3)
    v = math.log2(float(str(configuration["batch_size"])) / 8)
    return ACTIVATIONS.index(str(configuration["activation"])), u, v


def mean(
    constants: Sequence[float] | Floats,
    activation: int | NDArray[np.int64],
    u: float | Floats,
    v: float | Floats,
    epochs: float | Floats,
) -> Floats:
    """The mean curve; arrays or numbers."""
    curvature, start, power, rise, slow = constants[4:]
    fall = np.exp(start - power * np.log(epochs) - rise * u + slow * v)
    losses: Floats = np.asarray(constants)[activation] + curvature * u**2 + fall
    return losses


def fitted(rows: list[Row]) -> dict[str, list[float]]:
    """The constants by name: ``mean``, ``noise`` (luck, wobble), ``hazard`` (base, edge)."""
    sound = [row for row in rows if row.loss < COLLAPSED]
    constants = _fit_mean(sound)
    return {
        "mean": constants.tolist(),
        "noise": [_luck(sound), _wobble(sound, _residuals(constants, sound))],
        "hazard": _fit_hazard(rows),
    }


def _residuals(constants: Floats, rows: Sequence[Row]) -> Floats:
    activation = np.array([row.activation for row in rows])
    u, v, epochs, losses = (
        np.array([getattr(row, name) for row in rows]) for name in ("u", "v", "epoch", "loss")
    )
    residuals: Floats = mean(constants, activation, u, v, epochs) - losses
    return residuals


def _fit_mean(rows: Sequence[Row]) -> Floats:
    from scipy.optimize import least_squares

    lengths = Counter(row.trial for row in rows)
    weights = np.array([lengths[row.trial] ** -0.5 for row in rows])

    def errors(constants: Floats) -> Floats:
        floors = FLOOR_PULL * (constants[:4] - FLOOR)
        return np.concatenate(
            [weights * _residuals(constants, rows), floors, PULL * (constants[4:] - START)]
        )

    start = np.array([FLOOR] * len(ACTIVATIONS) + [*START])
    constants: Floats = least_squares(errors, start, loss="soft_l1", f_scale=SOFT).x
    return constants


def _luck(rows: Iterable[Row]) -> float:
    arms: dict[str, list[float]] = {}
    for row in rows:
        if row.epoch == FINAL_EPOCHS:
            arms.setdefault(row.trial.split()[0], []).append(row.loss)
    return pooled(arms.values())


def _wobble(rows: Iterable[Row], residuals: Floats) -> float:
    trials: dict[str, list[float]] = {}
    for row, residual in zip(rows, residuals, strict=True):
        trials.setdefault(row.trial, []).append(residual)
    return pooled(trials.values())


def pooled(groups: Collection[Sequence[float]]) -> float:
    """The standard deviation within groups."""
    squares = sum(np.sum((values - np.mean(values)) ** 2) for values in map(np.array, groups))
    return float(np.sqrt(squares / sum(len(values) - 1 for values in groups)))


def _lifetimes(rows: Iterable[Row]) -> list[tuple[float, int, bool]]:
    """(u, epochs it lived or in which it collapsed, whether it collapsed) of every training."""
    lives: dict[str, tuple[float, int, bool]] = {}
    for row in rows:
        _, _, over = lives.get(row.trial, (0, 0, False))
        if not over:
            lives[row.trial] = row.u, row.epoch, row.loss >= COLLAPSED
    listed = list(lives.values())
    for rate, collapsed, trials in REPORTED:
        u = math.log10(rate / 1e-3)
        listed += [(u, REPORTED_EPOCHS, index < collapsed) for index in range(trials)]
    return listed


def _fit_hazard(rows: Iterable[Row]) -> list[float]:
    from scipy.optimize import minimize

    lives = _lifetimes(rows)
    u, epochs, collapsed = (np.array(column) for column in zip(*lives, strict=True))

    def surprise(constants: Floats) -> float:
        base, edge = constants
        hazard = np.exp(base + edge * u) * (1 + np.log(epochs))
        return float(np.sum(np.where(collapsed, -np.log(-np.expm1(-hazard)), hazard)))

    constants: list[float] = minimize(surprise, [-4.0, 1.0]).x.tolist()
    return constants


def main() -> None:
    """Prints the constants."""
    from benchmarks.search import fit_recipe

    recipe = fit_recipe.fitted(fit_recipe.rows_of(fit_recipe.RUN))
    for name, values in {**fitted(rows_of(RUN)), **recipe}.items():
        print(f"{name.upper()} =", ", ".join(f"{value:.3f}" for value in values))
