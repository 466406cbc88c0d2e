"""The second half of the page: how the search went, what it taught and what it cost."""

from collections.abc import Callable

from bohb_seg.report import (
    accounts,
    figures_insight,
    figures_runoff,
    figures_search,
    picking,
    ranking,
    runoff,
    search,
)
from bohb_seg.report import tables_search as tables
from bohb_seg.report.history import Run
from bohb_seg.report.section import Section, picture
from bohb_seg.report.style import in_epochs

NO_LOSS = "No evaluation of the search has finished with a loss yet."


def sections(run: Run) -> tuple[Section, ...]:
    """From the runoff, if there was one, to the cost, in the order of the page."""
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
    return (*_runoff(run), *(part(run) for part in parts))


def _runoff(run: Run) -> tuple[Section, ...]:
    found = runoff.candidates(run)
    if not found:
        return ()
    shown = picture(
        "runoff",
        figures_runoff.runoff(found),
        "Each candidate has its loss in the search on the left (hollow circle) and its losses with"
        " further seeds on the right, with their mean: the steeper a line rises, the more of the"
        " search's loss was luck.",
        "Loss in the search and losses with further seeds of every candidate.",
    )
    its = tables.runoff(found, run.started.default)
    title = "The runoff: how much of the search's losses was luck?"
    return (Section("runoff", title, runoff.sentences(found), (shown,), (its,)),)


def _incumbent(run: Run) -> Section:
    anchor, title = "incumbent", "The search: best loss over time and epochs"
    learnt = _learnt_before(run)
    if not run.finished:
        return Section(anchor, title, learnt, empty=NO_LOSS)
    shown = picture(
        "incumbent",
        figures_search.progress(run),
        "Every point is one evaluation, every line the best loss so far at one budget; the thick"
        " line is that of the search's incumbent, and where it stays flat the search found nothing"
        " better.",
        "Best loss so far for every budget, against time and against epochs trained.",
    )
    return Section(anchor, title, learnt, (shown,), (tables.incumbents(run),))


def _learnt_before(run: Run) -> tuple[str, ...]:
    """What the optimizer was given by a warm start, in at most one sentence."""
    count = len(run.started.earlier)
    if not count:
        return ()
    runs = [str(each) for each in run.started.settings.get("warm_start") or ()]
    return (
        f"Before its first suggestion the optimizer was given {count} evaluations of earlier runs"
        f" ({', '.join(runs) or 'not named'}).",
    )


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
    return Section(anchor, title, _collapsed(run), (shown,), (its,))


def _collapsed(run: Run) -> tuple[str, ...]:
    count = sum(each.attempt.stopped == "collapsed" for each in run.evaluations)
    if not count:
        return ()
    which = "evaluation ends" if count == 1 else "evaluations end"
    return (
        f"{count} of {len(run.evaluations)} {which} early, at a diamond: the network had"
        " collapsed, which means that it gave the same answer for every image and learnt nothing"
        " more. Such a loss is a true one.",
    )


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
    anchor, title = "failures", "Failures and oddities"
    found, short = accounts.failures(run), accounts.shortages(run)
    oddities = (tables.shortages(short),) if short else ()
    memory = (_memory(len(short)),) if short else ()
    if not found:
        sentence = "Every attempt that ended gave a result."
        return Section(anchor, title, (sentence, *memory), tables=oddities)
    open_ = sum(not each.recovered and each.attempt.fate != "diverged" for each in found)
    sentence = (
        f"{len(found)} of {len(run.attempts)} attempts gave no result that counts; of these"
        f" {sum(each.recovered for each in found)} were made good by another attempt and"
        f" {sum(each.attempt.fate == 'diverged' for each in found)} diverged, which is a result of"
        f" its own kind (a bad configuration); {open_} remain without one."
    )
    its = (tables.failures(run, found), *oddities)
    return Section(anchor, title, (sentence, *memory), tables=its)


def _memory(count: int) -> str:
    return (
        f"{count} evaluation{'s were' if count > 1 else ' was'} trained in micro-batches because"
        " the memory of the device ran out; the gradients of a batch's parts are added up, so that"
        " its size stays what the configuration says."
    )


def _cost(run: Run) -> Section:
    its = tables.costs(accounts.costs(run))
    sentence = (
        "Epochs are those really trained: a promoted trial goes on from its checkpoint and pays"
        " only the difference. Where a worker does not tell, its whole budget is counted."
    )
    if any(each.part == "runoff" for each in accounts.costs(run)):
        sentence += " Runoff and comparison are the final phase."
    return Section("cost", "Cost", (sentence,), tables=(its,))


def _evaluations(run: Run) -> Section:
    anchor, title = "evaluations", "All evaluations"
    if not run.evaluations:
        return Section(anchor, title, empty="No evaluation has been started yet.")
    return Section(anchor, title, tables=(tables.evaluations(run),))


def _logarithmic(run: Run) -> list[str]:
    found = run.started.space.get("hyperparameters") or []
    return [str(each["name"]) for each in found if isinstance(each, dict) and each.get("log")]
