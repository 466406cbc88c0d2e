"""Section: single hyperparameters."""

from collections.abc import Sequence

from bohb_seg.report.analysis.hyperparameters import FEW_TRIALS, Influence, influences
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.figures import hyperparameters as figures
from bohb_seg.report.sections.section import (
    Gap,
    Picture,
    Section,
    picture,
    stands_alone,
)
from bohb_seg.report.tables import hyperparameters as tables
from bohb_seg.report.wording import in_epochs

HEADING = "hyperparameters", "Hyperparameters"


@stands_alone(*HEADING)
def section(run: RunRecord) -> Section:
    """The influence of each hyperparameter alone."""
    found = influences(run)
    if not found:
        reason = (
            f"There are fewer than {FEW_TRIALS} losses at every budget, too few to say anything"
            " about single hyperparameters."
        )
        return Section(*HEADING, empty=reason)
    pictures = _pictures(run, found)
    return Section(*HEADING, (_method(found[0].budget),), pictures, (tables.influences(found),))


def _method(budget: float) -> str:
    return (
        f"Each hyperparameter is looked at alone, at {in_epochs(budget)}, where most trials have a"
        " loss. Its values form groups (numbers are cut into thirds), and the share says how much"
        " of the spread of loss ranks lies between the groups (epsilon squared of the"
        " Kruskal-Wallis test). Interactions are not seen, and picks of the model are not random,"
        " so take this as a hint, not as a cause."
    )


def _pictures(run: RunRecord, found: Sequence[Influence]) -> tuple[Picture | Gap, ...]:
    values = picture(
        "hyperparameters",
        lambda: figures.hyperparameters(found, _logarithmic(run)),
        "Each point is one trial. A slope or a step shows that the loss goes with the value.",
        "Loss against the value of every hyperparameter.",
    )
    if all(each.share is None for each in found):
        return (values,)
    shares = picture(
        "hyperparameter_shares",
        lambda: figures.shares(found),
        "The longer a bar, the more closely the loss goes with the hyperparameter. Hollow, hatched"
        " bars may be chance (probability above 5 %).",
        "Share of the spread of losses per hyperparameter.",
    )
    return values, shares


def _logarithmic(run: RunRecord) -> list[str]:
    found = run.started.space.get("hyperparameters") or []
    return [str(each["name"]) for each in found if isinstance(each, dict) and each.get("log")]
