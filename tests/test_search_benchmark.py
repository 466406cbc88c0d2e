"""The simulated comparison of search methods: same clock, same cost, same yardstick for all."""

import math
from unittest.mock import patch

import numpy as np
import pytest
from hpbandster.core.dispatcher import Job as TheirJob
from hpbandster.optimizers import BOHB, HyperBand
from scipy.stats import spearmanr

from benchmarks.search import fit, fit_recipe, measuring, results, tables
from benchmarks.search.measuring import Selection
from benchmarks.search.methods import METHODS
from benchmarks.search.problems import MAX_EPOCHS, curves, every, plain, recipe
from benchmarks.search.regret import normalised, regrets
from benchmarks.search.results import Run
from benchmarks.search.simulation import Job, Observation, Trajectory, simulate

PROBLEMS = every()
HERE = [name for name, entry in METHODS.items() if not entry.peer]


class Scripted:
    """Asks for these jobs in turn, and remembers when it was told what."""

    def __init__(self, *jobs):
        self.jobs, self.told = list(jobs), []

    def build(self, space, workers, seed):
        return self

    def ask(self, worker):
        return self.jobs.pop(0) if self.jobs else None

    def tell(self, job, loss):
        self.told.append((job.training, job.epochs, loss))


def run_of(name, problem="divergence", workers=1, seed=3, full_trainings=None):
    until = full_trainings or max(4, workers)  # by then everybody has finished something
    return simulate(PROBLEMS[problem], METHODS[name].build(), workers, seed, until)


def epochs_trained(observations):
    """What it all cost, counted anew: continuing costs what is added."""
    reached, total = {}, 0
    for seen in observations:
        before, epochs = reached.get(seen.job.training, 0), seen.job.epochs
        total += epochs - before if epochs > before else epochs
        reached[seen.job.training] = epochs
    return total


# --- the clock ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 8])
@pytest.mark.parametrize("name", HERE)
def test_the_same_seed_gives_the_same_run_and_another_seed_another(name, workers):
    first, second, other = (run_of(name, workers=workers, seed=seed) for seed in (3, 3, 4))
    assert first.observations == second.observations
    assert first.observations[0].job.configuration != other.observations[0].job.configuration


@pytest.mark.parametrize("name", HERE)
def test_one_worker_pays_one_unit_for_every_epoch_it_adds(name):
    observations = run_of(name).observations
    assert observations[-1].spent * MAX_EPOCHS == pytest.approx(epochs_trained(observations))
    assert {type(v) for seen in observations for v in seen.job.configuration.values()} <= {
        bool,
        int,
        float,
        str,
    }


@pytest.mark.parametrize("name", HERE)
def test_eight_workers_are_never_idle_and_never_overdrawn(name):
    """What ended was paid for; what runs at the end is all that is missing."""
    run = run_of(name, problem="hartmann-6", workers=8)
    paid, spent = epochs_trained(run.observations), run.observations[-1].spent * MAX_EPOCHS
    assert spent - 8 * MAX_EPOCHS <= paid <= spent + 1e-6


@pytest.mark.parametrize("name", HERE)
def test_trajectories_rise_in_time_and_the_choice_in_budget_then_falls_in_loss(name):
    run = run_of(name)
    times = [seen.spent for seen in run.observations]
    assert times == sorted(times)
    best = []
    for now in times:
        chosen = run.handed_out(now)
        if chosen is not None:
            seen = [o for o in run.observations if o.spent <= now and o.loss is not None]
            top = max(o.job.epochs for o in seen)
            loss = min(o.loss for o in seen if o.job.epochs == top)
            assert chosen in [o.job.configuration for o in seen if o.loss == loss]
            best.append((-top, loss))
    assert best == sorted(best, reverse=True)
    assert best


def test_continuing_costs_what_it_adds_and_keeps_its_luck():
    problem, point = PROBLEMS["hartmann-6"], PROBLEMS["hartmann-6"].optimum
    scripted = Scripted(*(Job("a", point, epochs) for epochs in (3, 9, 9, 27)))
    with pytest.raises(RuntimeError, match="all 1 workers wait"):
        simulate(problem, scripted.build, 1, 5, 100)
    lucks = [(3, 1), (9, 1), (9, 2), (27, 2)]  # the second nine epochs are begun anew
    assert scripted.told == [("a", e, problem.loss(point, e, (5, luck))) for e, luck in lucks]
    scripted.jobs = [Job("a", point, epochs) for epochs in (3, 9, 9, 27, 1)]
    seen = simulate(problem, scripted.build, 1, 5, 36 / MAX_EPOCHS).observations
    assert [o.spent * MAX_EPOCHS for o in seen] == pytest.approx([3, 9, 18, 36])


def test_workers_run_side_by_side_and_what_ends_too_late_is_not_seen():
    point = PROBLEMS["hartmann-6"].optimum
    epochs = {"a": 9, "b": 3, "c": 3, "d": 9, "e": 27}
    jobs = [Job(name, point, number) for name, number in epochs.items()]
    seen = simulate(PROBLEMS["hartmann-6"], Scripted(*jobs).build, 2, 0, 18 / MAX_EPOCHS)
    assert [(o.job.training, o.spent * MAX_EPOCHS / 2) for o in seen.observations] == [
        ("b", pytest.approx(3)),
        ("c", pytest.approx(6)),
        ("a", pytest.approx(9)),
    ]


def test_what_diverged_is_not_handed_out():
    problem = PROBLEMS["divergence"]
    points = [problem.optimum | {"dropout": value} for value in (0.0, 0.1, 0.2, 0.3)]
    losses = [(1, 0.9), (3, None), (3, 0.95), (3, 0.95)]
    seen = [
        Observation(float(i + 1), Job(i, point, epochs), loss)
        for i, (point, (epochs, loss)) in enumerate(zip(points, losses, strict=True))
    ]
    run = Trajectory(problem, tuple(seen))
    assert [run.handed_out(now) for now in (0.5, 1, 2, 3, 4)] == [
        None,
        points[0],
        points[0],
        points[2],
        points[2],
    ]
    assert math.isnan(run.quality(0.5))


# --- against unmodified HpBandSter --------------------------------------------------------------


class EnoughError(Exception):
    """So many jobs were submitted."""


def their_run(kind, problem, workers, jobs):
    """``Master.run`` itself; its dispatcher is in this process, the oldest job ends first."""
    submitted, running = [], []

    class Dispatcher:
        def __init__(self, new_result_callback, queue_callback=None, **kwargs):
            self.answer, self.resize = new_result_callback, queue_callback

        def run(self):
            self.resize(workers)

        def number_of_workers(self):
            return workers

        def submit_job(self, trial, config, budget, working_directory):
            submitted.append((trial, plain(config), round(budget)))
            if len(submitted) == jobs:
                raise EnoughError
            job = TheirJob(trial, config=config, budget=budget)
            job.result = {"loss": problem.quality(config) / budget, "info": {}}
            running.append(job)
            if len(running) == workers:
                self.answer(running.pop(0))

        def shutdown(self, workers):
            pass

    np.random.seed(7)
    space = problem.space()
    space.seed(7)
    with patch("hpbandster.core.master.Dispatcher", Dispatcher):
        master = kind(configspace=space, run_id="r", eta=3, min_budget=1, max_budget=MAX_EPOCHS)
        with pytest.raises(EnoughError):
            master.run(n_iterations=jobs)
        master.shutdown()
    return submitted


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize(("name", "kind"), [("bohb", BOHB), ("hyperband", HyperBand)])
def test_the_adapter_trains_what_unmodified_hpbandster_trains_in_its_order(name, kind, workers):
    problem, running = PROBLEMS["hartmann-6"], []
    theirs = their_run(kind, problem, workers, jobs=55)
    ours = METHODS[f"hpbandster-{name}"].build()(problem.space(), workers, 7)
    for expected in theirs:
        job = ours.ask(0)
        assert (job.training, job.configuration, job.epochs) == expected
        running.append(job)
        if len(running) == workers:
            ended = running.pop(0)
            ours.tell(ended, problem.quality(ended.configuration) / ended.note[2])
    assert max(trial[0] for trial, _, _ in theirs) >= 1  # more than one bracket


# --- problems and yardstick ---------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_optimum_has_no_regret_and_nothing_at_hand_is_better(name):
    problem, space = PROBLEMS[name], PROBLEMS[name].space()
    best = problem.quality(problem.optimum)
    assert normalised(problem, best, 16) == 0
    space.seed(0)
    points = [plain(point) for point in space.sample_configuration(100)]
    for point in points[:40]:  # neighbours of the optimum, too
        points += [problem.optimum | {key: value} for key, value in point.items()]
    assert min(map(problem.quality, points)) >= best - 1e-4 * abs(best)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_training_shows_the_same_losses_and_another_one_others(name):
    problem, space = PROBLEMS[name], PROBLEMS[name].space()
    space.seed(1)
    for index, point in enumerate(map(plain, space.sample_configuration(20))):
        losses = [problem.loss(point, epochs, (index, 1)) for epochs in (1, 3, 9, 27)]
        assert losses == [problem.loss(point, epochs, (index, 1)) for epochs in (1, 3, 9, 27)]
        alive = [loss is not None for loss in losses]
        assert alive == sorted(alive, reverse=True)  # what diverged stays so
    point = problem.optimum | {"x0": 0.5} if "x0" in problem.optimum else problem.optimum
    assert len({problem.loss(point, 9, (0, luck)) for luck in range(9)}) > 1


@pytest.mark.parametrize("name", PROBLEMS)
def test_quality_is_the_mean_of_losses_at_the_largest_budget(name):
    problem, space = PROBLEMS[name], PROBLEMS[name].space()
    space.seed(2)
    collapsed = getattr(problem, "collapsed", None)
    for point in map(plain, space.sample_configuration(3)):
        shown = [problem.loss(point, MAX_EPOCHS, (luck,)) for luck in range(2000)]
        losses = [collapsed if loss is None else loss for loss in shown]
        error = np.std(losses) / math.sqrt(len(losses))
        assert abs(np.mean(losses) - problem.quality(point)) <= 4 * error + 1e-9


def test_low_rungs_mislead_where_they_should():
    problem = curves.misleading()
    space = problem.space()
    space.seed(3)
    points = [plain(point) for point in space.sample_configuration(1000)]
    final = [problem.quality(point) for point in points]
    ranks = [spearmanr([problem.mean(p, e) for p in points], final)[0] for e in (1, 3, 9)]
    assert ranks == pytest.approx([-0.64, -0.31, 0.85], abs=0.06)


def test_the_constants_of_recipe_are_those_of_the_fit():
    constants = fit_recipe.fitted(fit_recipe.rows_of(fit_recipe.RUN))
    assert constants["recipe mean"] == pytest.approx(recipe._MEAN, abs=2e-3)
    assert constants["recipe noise"] == pytest.approx([recipe._LUCK, recipe._WOBBLE], abs=2e-3)


def test_the_constants_of_dubai_are_those_of_the_fit():
    constants = fit.fitted(fit.rows_of(fit.RUN))
    stated = {
        "mean": curves._MEAN,
        "noise": (curves._LUCK, curves._WOBBLE),
        "hazard": (curves._BASE, curves._EDGE),
    }
    for name, values in constants.items():
        assert values == pytest.approx(stated[name], abs=2e-3), name


@pytest.mark.parametrize("name", ["counting-4", "divergence"])
def test_the_median_of_random_search_is_one(name):
    runs = [run_of("random", name, seed=seed, full_trainings=4) for seed in range(500, 620)]
    assert np.median([regrets(run, [4]) for run in runs]) == pytest.approx(1, abs=0.2)


# --- results and tables -------------------------------------------------------------------------


def test_a_measurement_goes_on_where_it_was_and_a_longer_one_replaces_a_shorter(tmp_path):
    file = tmp_path / "results.jsonl"
    select = Selection(["random"], ["dubai"], [1], range(2), 4, file)
    assert measuring.run(select) == 0
    once = file.read_text()
    measuring.run(select)
    assert file.read_text() == once
    measuring.run(Selection(["random"], ["dubai"], [1, 8], range(1, 3), 16, file))
    assert [(run.workers, run.seed, max(run.qualities)) for run in results.load(file)] == [
        (1, 0, 4),
        (1, 1, 16),
        (8, 1, 16),
        (1, 2, 16),
        (8, 2, 16),
    ]
    assert math.isnan(results.load(file)[2].qualities[4])  # nothing had ended by then


def a_run(method, problem, seed, share):
    """Handed out: a point so far from the optimum."""
    quality = PROBLEMS[problem].quality(PROBLEMS[problem].optimum) + share
    return Run(problem, method, 1, seed, {4: quality, 16: quality, 64: quality}, 1.0, "v")


def test_tables_rank_who_ran_everything_and_mark_what_is_significant():
    runs = [
        a_run(method, problem, seed, share * (1 + 0.01 * seed))
        for method, share in (("ours-bohb", 1.0), ("hpbandster-bohb", 2.0), ("dehb", 1.5))
        for problem in PROBLEMS
        for seed in range(3)
        if not (method == "dehb" and problem == "dubai" and seed == 2)
    ]
    text = tables.markdown(runs)
    overview = {line.split("|")[1].strip(): line for line in text.splitlines() if "seeds)" in line}
    assert overview["ours-bohb"].count("| 1.00 ") == 3
    assert overview["hpbandster-bohb"].count("| 2.00 ") == 3
    assert overview["dehb"].count("(2 seeds)") == 3
    assert overview["dehb"].endswith("| – | – | – |")
    (difference,) = [line for line in text.splitlines() if "**" in line and "dubai" in line]
    assert difference.count("**-") == 3
