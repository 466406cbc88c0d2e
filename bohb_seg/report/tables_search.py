"""The search in tables. Pure."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from bohb_seg.report import accounts, picking, ranking, search
from bohb_seg.report.history import Evaluation, Run, trials
from bohb_seg.report.runoff import Candidate, differences
from bohb_seg.report.tables import Cell, Table, table
from bohb_seg.trials import Configuration, trial_name


def runoff(found: Sequence[Candidate], default: Configuration) -> Table:
    """The candidates with their losses in the search and in the runoff."""
    again = [f"re-evaluation {number + 1}" for number in range(len(found[0].losses))]
    columns = (
        *("candidate", "trial", "loss in the search", *again, "mean of these", "won"),
        "differs from the default in",
    )
    rows = [
        (
            each.number,
            trial_name(each.search.id.trial),
            each.search_loss,
            *each.losses,
            each.mean,
            each.won,
            differences(each.search.attempt.configuration, default),
        )
        for each in found
    ]
    return table("runoff", "Candidates of the runoff", columns, rows)


def evaluations(run: Run) -> Table:
    """Every evaluation of the search with its configuration, in order of start."""
    names = list({name: None for e in run.evaluations for name in e.attempt.configuration})
    columns = (
        *("trial", "bracket", "budget (epochs)", "loss", "mIoU", "outcome", "ended early"),
        *("picked by", "attempts", "worker", "start (s)", "duration (s)", "epochs trained"),
        *names,
    )
    rows = [_evaluation(run, each, names) for each in run.evaluations]
    return table("evaluations", "All evaluations of the search", columns, rows, folded=True)


def incumbents(run: Run) -> Table:
    """How the incumbent changed."""
    rows = [
        (each.seconds, each.epochs, each.budget, each.loss, trial_name(each.trial))
        for each in search.steps(run)
        if each.incumbent
    ]
    columns = ("time (s)", "epochs spent", "budget (epochs)", "loss", "trial")
    return table("incumbent", "How the incumbent changed", columns, rows, folded=True)


def learning_curves(run: Run) -> Table:
    """All learning curves in long form: one row per trial and epoch."""
    rows: list[tuple[Cell, ...]] = []
    for trial, its in trials(run.evaluations).items():
        longest: Mapping[str, Sequence[float | None]] = {}
        for each in its:
            longest = each.attempt.curves or longest
        for epoch, *values in zip_longest(*(longest.get(name, ()) for name in ("epoch", *CURVES))):
            rows.append((trial_name(trial), epoch, *values))
    columns = ("trial", "epoch", *CURVES)
    return table("learning_curves", "Learning curves", columns, rows, folded=True)


CURVES = (
    "train_loss",
    "validation_loss",
    "validation_miou",
    "validation_accuracy",
    "learning_rate",
    "seconds",
)
"""Curves of ``info["curves"]`` that go into the CSV file."""


def rungs(found: Sequence[search.RungSummary]) -> Table:
    """Rungs and promotions."""
    columns = (
        *("bracket", "budget (epochs)", "evaluated", "failed", "promoted"),
        *("best loss", "median loss"),
    )
    rows = [
        (e.bracket, e.budget, e.evaluated, e.failed, e.promoted, e.best, e.median) for e in found
    ]
    return table("rungs", "Rungs and promotions", columns, rows, folded=len(found) > 12)


def losses_by_budget(found: Sequence[search.BudgetSummary]) -> Table:
    """Losses by budget in long form."""
    rows = [(each.budget, loss) for each in found for loss in sorted(each.losses)]
    columns = ("budget (epochs)", "loss")
    return table("losses_by_budget", "Losses by budget", columns, rows, folded=True)


def picks(found: Sequence[picking.Picks]) -> Table:
    """Medians and best losses of model-based and random picks."""
    columns = (
        *("budget (epochs)", "picked by", "evaluations", "best loss"),
        "median loss",
    )
    rows = [
        (each.budget, who, len(losses), min(losses), search.middle(losses))
        for each in found
        for who, losses in (("random", each.random), ("model", each.model))
        if losses
    ]
    return table("picks", "Model-based and random picks", columns, rows)


def rank_correlations(found: Sequence[ranking.RankCorrelation]) -> Table:
    """Spearman's rank correlation for each two budgets."""
    columns = ("smaller budget (epochs)", "larger budget (epochs)", "trials", "rank correlation")
    rows = [(each.small, each.large, len(each.pairs), each.rho) for each in found]
    return table("rank_correlation", "Rank correlation between budgets", columns, rows)


def influences(found: Sequence[picking.Influence]) -> Table:
    """Share of the spread of loss ranks per hyperparameter."""
    columns = ("hyperparameter", "budget (epochs)", "trials", "share", "probability by chance")
    rows = [(e.name, e.budget, len(e.losses), e.share, e.chance) for e in found]
    return table("hyperparameters", "Hyperparameters one at a time", columns, rows)


def workers(found: Sequence[accounts.WorkerTime]) -> Table:
    """What each worker did with its time."""
    columns = (
        *("worker", "attempts", "busy (s)", "idle (s)", "without result (s)"),
        *("busy (share)", "attempts lost"),
    )
    rows = [(e.worker, e.attempts, e.busy, e.idle, e.wasted, e.busy_share, e.losses) for e in found]
    return table("workers", "Workers", columns, rows, folded=len(found) > 16)


def timeline(run: Run) -> Table:
    """Every attempt with its times."""
    columns = ("worker", "trial", "budget (epochs)", "attempt", "start (s)", "end (s)", "fate")
    rows = [
        (
            each.worker,
            trial_name(each.evaluation.trial),
            each.evaluation.budget,
            each.number,
            each.start - run.begin,
            each.end - run.begin if each.end else None,
            each.fate,
        )
        for each in run.attempts
    ]
    return table("timeline", "All attempts", columns, rows, folded=True)


def failures(run: Run, found: Sequence[accounts.Failure]) -> Table:
    """Attempts without a result, with their reasons."""
    columns = (
        *("time (s)", "trial", "budget (epochs)", "attempt", "worker", "what happened"),
        *("reason", "made good by another attempt"),
    )
    rows = [
        (
            (each.attempt.end or run.end) - run.begin,
            trial_name(each.attempt.evaluation.trial),
            each.attempt.evaluation.budget,
            each.attempt.number,
            each.attempt.worker,
            each.attempt.fate,
            each.reason,
            each.recovered,
        )
        for each in found
    ]
    return table("failures", "Attempts without a result", columns, rows)


def shortages(found: Sequence[accounts.Shortage]) -> Table:
    """Evaluations in micro-batches."""
    columns = (
        *("trial", "budget (epochs)", "worker", "device", "batch (patches)"),
        *("micro-batch (patches)", "memory ran out"),
    )
    rows = [
        (
            trial_name(each.attempt.evaluation.trial),
            each.attempt.evaluation.budget,
            each.attempt.worker,
            each.device,
            each.batch,
            each.micro_batch,
            "in this evaluation" if each.here else "in an earlier one",
        )
        for each in found
    ]
    title = "Trained in micro-batches because memory ran out"
    return table("micro_batches", title, columns, rows, folded=len(found) > 12)


def costs(found: Sequence[accounts.Cost]) -> Table:
    """What search and final phase cost."""
    columns = (
        *("part", "evaluations", "attempts", "epochs trained", "worker hours"),
        *("of these without result (h)", "wall time (h)"),
    )
    rows = [
        (e.part, e.evaluations, e.attempts, e.epochs, e.hours, e.wasted_hours, e.wall_hours)
        for e in found
    ]
    return table("cost", "Cost", columns, rows)


def _evaluation(run: Run, each: Evaluation, names: Sequence[str]) -> tuple[Cell, ...]:
    attempt = each.attempt
    return (
        trial_name(each.id.trial),
        each.id.trial.bracket,
        each.budget,
        each.loss,
        each.info.get("miou"),
        attempt.fate,
        attempt.stopped,
        picking.picked_by(run, each),
        each.attempts,
        attempt.worker,
        attempt.start - run.begin,
        attempt.end - attempt.start if attempt.end else None,
        attempt.epochs_trained,
        *(attempt.configuration.get(name) for name in names),
    )
