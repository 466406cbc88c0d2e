"""The second half of the page: how the search went, what it taught and what it cost."""

from collections.abc import Callable

from bohb_seg.report import accounts, figures_insight, figures_search, picking, ranking, search
from bohb_seg.report import tables_search as tables
from bohb_seg.report.history import Run
from bohb_seg.report.section import Section, picture
from bohb_seg.report.style import in_epochs

NO_LOSS = "No evaluation of the search has finished with a loss yet."


def sections(run: Run) -> tuple[Section, ...]:
    """From the incumbent to the cost, in the order of the page."""
    parts: tuple[Callable[[Run], Section], ...] = (
        _incumbent,
        _learning_curves,
        _rungs,
        _by_budget,
        _ranks,
        _picks,
        _hyperparameters,
        _workers,
        _failures,
        _cost,
        _evaluations,
    )
    return tuple(part(run) for part in parts)


def _incumbent(run: Run) -> Section:
    anchor, title = "incumbent", "The search: best loss over time and epochs"
    if not run.finished:
        return Section(anchor, title, empty=NO_LOSS)
    shown = picture(
        "incumbent",
        figures_search.progress(run),
        "Every point is one evaluation, every line the best loss so far at one budget; the thick"
        " line is the incumbent's, and where it stays flat the search found nothing better.",
        "Best loss so far for every budget, against time and against epochs trained.",
    )
    return Section(anchor, title, pictures=(shown,), tables=(tables.incumbents(run),))


def _learning_curves(run: Run) -> Section:
    anchor, title = "curves", "Learning curves of all trials"
    its = tables.learning_curves(run)
    if not any(row[3] is not None for row in its.rows):
        reason = "No worker has told the course of its training, so there are no learning curves."
        return Section(anchor, title, empty=reason)
    shown = picture(
        "learning_curves",
        figures_search.learning_curves(run),
        "Each line is one trial; it ends with a dot at the budget where the trial was stopped, so"
        " good trials reach far to the right, and lines that cross show where early stopping could"
        " have chosen wrongly.",
        "Validation loss against epoch for every trial.",
    )
    return Section(anchor, title, pictures=(shown,), tables=(its,))


def _rungs(run: Run) -> Section:
    anchor, title = "rungs", "Rungs and promotions"
    if not run.finished:
        return Section(anchor, title, empty=NO_LOSS)
    shown = picture(
        "rungs",
        figures_search.rungs(run),
        "In every bracket many trials start at a small budget (left), and those with the lowest"
        " loss go on, along the lines, to the next larger one; hollow circles stopped there.",
        "Loss of every trial at every budget it reached, one panel per bracket.",
    )
    its = tables.rungs(search.rungs(run))
    sentences: tuple[str, ...] = ()
    if len({each.id.trial.bracket for each in run.evaluations}) > figures_search.MOST_BRACKETS:
        sentences = (f"The picture shows the last {figures_search.MOST_BRACKETS} brackets.",)
    return Section(anchor, title, sentences, (shown,), (its,))


def _by_budget(run: Run) -> Section:
    anchor, title = "budgets", "Losses by budget"
    found = search.by_budget(run)
    if not run.finished:
        return Section(anchor, title, empty=NO_LOSS)
    shown = picture(
        "losses_by_budget",
        figures_search.losses_by_budget(found),
        "Points are evaluations; the box holds the middle half of them and its black line is the"
        " median: it falls from left to right because training goes on and because only the better"
        " trials get there.",
        "Points and boxes of the losses at every budget.",
    )
    return Section(anchor, title, pictures=(shown,), tables=(tables.losses_by_budget(found),))


def _ranks(run: Run) -> Section:
    anchor, title = "ranks", "Do small budgets foretell large ones?"
    found = ranking.rank_correlations(run)
    if not found:
        reason = "No trial has losses at two budgets yet, so budgets cannot be compared."
        return Section(anchor, title, empty=reason)
    its = tables.rank_correlations(found)
    if all(each.rho is None for each in found):
        return Section(anchor, title, (ranking.advice(found),), tables=(its,))
    shown = picture(
        "rank_correlation",
        figures_insight.rank_correlations(found),
        "Each point is one trial: if points rise from lower left to upper right (correlation near"
        " 1), the order at the smaller budget is the order at the larger one; only promoted trials"
        " have both, which makes correlations look smaller than they are.",
        "Loss at a smaller budget against loss at a larger one.",
    )
    return Section(anchor, title, (ranking.advice(found),), (shown,), (its,))


def _picks(run: Run) -> Section:
    anchor, title = "picks", "Model-based against random picks"
    found = [each for each in picking.picks(run) if each.model or each.random]
    if not found:
        return Section(anchor, title, empty=NO_LOSS)
    shown = picture(
        "picks",
        figures_insight.picks(found),
        "Hollow circles were drawn at random, filled triangles picked by the optimizer's model:"
        " where the triangles lie lower, the model has learnt something; the default configuration"
        " is left out.",
        "Losses of random and model-based picks at every budget.",
    )
    its = tables.picks(found)
    return Section(anchor, title, (picking.picks_sentence(found),), (shown,), (its,))


def _hyperparameters(run: Run) -> Section:
    anchor, title = "hyperparameters", "Hyperparameters"
    found = picking.influences(run)
    if not found:
        reason = (
            f"There are fewer than {picking.FEW_TRIALS} losses at every budget, too few to say"
            " anything about single hyperparameters."
        )
        return Section(anchor, title, empty=reason)
    sentence = (
        f"Each hyperparameter is looked at alone, at {in_epochs(found[0].budget)}, where most"
        " trials have a loss: its values (numbers cut into thirds) form groups, and the share says"
        " how much of the spread of loss ranks lies between the groups (epsilon squared of the"
        " Kruskal-Wallis test). Interactions are not seen, and what was picked by the model was not"
        " picked at random, so read this as a hint, not as a cause."
    )
    pictures = [
        picture(
            "hyperparameters",
            figures_insight.hyperparameters(found, _logarithmic(run)),
            "Each point is one trial: a slope or a step tells that the loss goes with the value.",
            "Loss against the value of every hyperparameter.",
        )
    ]
    if any(each.share is not None for each in found):
        pictures.append(
            picture(
                "hyperparameter_shares",
                figures_insight.shares(found),
                "Longer bars go more closely with the loss; hollow, hatched bars may be chance"
                " (probability above 5 %).",
                "Share of the spread of losses per hyperparameter.",
            )
        )
    return Section(anchor, title, (sentence,), tuple(pictures), (tables.influences(found),))


def _workers(run: Run) -> Section:
    anchor, title = "workers", "Workers"
    found = accounts.worker_times(run)
    if not found:
        return Section(anchor, title, empty="No worker has joined yet.")
    shown = picture(
        "timeline",
        figures_insight.timeline(run),
        "Each row is a worker, each block one attempt; grey between blocks is idle time, white"
        " means that the worker was not there.",
        "Timeline of every worker.",
    )
    return Section(
        anchor, title, pictures=(shown,), tables=(tables.workers(found), tables.timeline(run))
    )


def _failures(run: Run) -> Section:
    anchor, title = "failures", "Failures"
    found = accounts.failures(run)
    if not found:
        return Section(anchor, title, ("Every attempt that ended gave a result.",))
    open_ = sum(not each.recovered and each.attempt.fate != "diverged" for each in found)
    sentence = (
        f"{len(found)} of {len(run.attempts)} attempts gave no result that counts; of these"
        f" {sum(each.recovered for each in found)} were made good by another attempt and"
        f" {sum(each.attempt.fate == 'diverged' for each in found)} diverged, which is a result of"
        f" its own kind (a bad configuration); {open_} remain without one."
    )
    return Section(anchor, title, (sentence,), tables=(tables.failures(run, found),))


def _cost(run: Run) -> Section:
    its = tables.costs(accounts.costs(run))
    sentence = (
        "Epochs are those really trained: a promoted trial goes on from its checkpoint and pays"
        " only the difference. Where a worker does not tell, its whole budget is counted."
    )
    return Section("cost", "Cost", (sentence,), tables=(its,))


def _evaluations(run: Run) -> Section:
    anchor, title = "evaluations", "All evaluations"
    if not run.evaluations:
        return Section(anchor, title, empty="No evaluation has been started yet.")
    return Section(anchor, title, tables=(tables.evaluations(run),))


def _logarithmic(run: Run) -> list[str]:
    found = run.started.space.get("hyperparameters") or []
    return [str(each["name"]) for each in found if isinstance(each, dict) and each.get("log")]
