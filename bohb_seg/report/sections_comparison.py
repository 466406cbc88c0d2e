"""The first half of the page: is the tuned configuration better, and what do the models do?"""

from collections.abc import Mapping, Sequence

from bohb_seg.report import figures_comparison as figures
from bohb_seg.report import patches as patches_of
from bohb_seg.report import tables_comparison as tables
from bohb_seg.report.comparison import PARTS, Arm, arms
from bohb_seg.report.curves import PrecisionRecall, class_curves, pooled_confusion
from bohb_seg.report.figures_patches import sheet
from bohb_seg.report.history import Evaluation, Run
from bohb_seg.report.picking import picked_by
from bohb_seg.report.runoff import candidates
from bohb_seg.report.search import incumbent
from bohb_seg.report.section import Picture, Section, picture
from bohb_seg.report.style import in_epochs
from bohb_seg.report.tables import Table
from bohb_seg.report.verdict import paired_differences, verdict
from bohb_seg.trials import trial_name

NOT_RETRAINED = (
    "There is nothing to show yet: no retraining of the final comparison has told these numbers."
)
NO_PREDICTIONS = (
    "The predictions of the final comparison are not in this run directory: it has not been made"
    " yet, or a worker wrote them on a machine that does not share this directory."
)
Curves = Mapping[str, Mapping[str, PrecisionRecall | None]]


def sections(run: Run) -> tuple[Section, ...]:
    """From the verdict to the worst patches, in the order of the page."""
    found = arms(run)
    return (
        _verdict(run, found),
        _configuration(run, found),
        _losses(found),
        _curves(run, found),
        _values(found),
        _class_iou(found),
        _confusion(run, found),
        *_patches(run, found),
    )


def last_part(found: Sequence[Arm], name: str) -> str | None:
    """The part that says most about new images: test, else validation; None without scores."""
    for part in reversed(PARTS):
        if any(arm.class_scores(part, name) or arm.scores(part, name) for arm in found):
            return part
    return None


def _verdict(run: Run, found: Sequence[Arm]) -> Section:
    its, differences = verdict(run, found), paired_differences(found)
    pictures = []
    if differences:
        pictures.append(
            picture(
                "verdict",
                figures.paired_seeds(differences),
                "Each grey line is one seed and goes from the default's result to the tuned one's;"
                " the black bar is the mean: lines that all run the same way speak for a real"
                " difference.",
                "Results of default and tuned configuration for every seed, joined by lines.",
            )
        )
    return Section(
        "verdict",
        "Verdict",
        (its.sentence, *its.details, its.rule),
        tuple(pictures),
        (tables.differences(differences), tables.seeds(found)) if found else (),
    )


def _configuration(run: Run, found: Sequence[Arm]) -> Section:
    best = incumbent(run)
    tuned = next((arm.configuration for arm in found if arm.name == "tuned"), None)
    if tuned is None and best is not None:
        tuned = best.attempt.configuration
    its = tables.configurations(tuned, run.started.default)
    anchor, title = "configuration", "The winning configuration beside the default"
    if best is None:
        reason = "No evaluation has finished yet, so there is only the default configuration."
        return Section(anchor, title, tables=(its,), empty=reason)
    how = {
        "default": "the default configuration itself",
        "model": "picked by the model",
        "random": "drawn at random",
    }[picked_by(run, best)]
    name = f"The incumbent is trial {trial_name(best.id.trial)}, {how}"
    why = _why_incumbent(run, best)
    return Section(anchor, title, (f"{name}: {why}",), tables=(its,))


def _why_incumbent(run: Run, best: Evaluation) -> str:
    loss = f"{best.loss:.4f} on the validation part after {in_epochs(best.budget)}"
    winner = next((each for each in candidates(run) if each.won), None)
    if winner is None:
        return f"its loss of {loss} is the lowest at the largest budget reached."
    if winner.mean is None:
        return (
            f"its loss of {loss} is the lowest of the search, and no candidate passed the runoff."
        )
    return (
        "of the best configurations of the search, which were trained again with further seeds in"
        f" the runoff, it has the lowest mean loss, {winner.mean:.4f}; its loss in the search was"
        f" {loss}."
    )


def _losses(found: Sequence[Arm]) -> Section:
    anchor, title = "loss", "Training and validation loss"
    told = [arm for arm in found if any(each.attempt.curves for each in arm.finished)]
    if not told:
        return Section(anchor, title, empty=NOT_RETRAINED)
    shown = picture(
        "loss_curves",
        figures.loss_curves(told),
        "Thick lines are means over the seeds as far as all of them go, thin ones single seeds:"
        " lower is better, and a validation loss that rises while the training loss falls means"
        " overfitting; training losses compare only if both configurations train with the same loss"
        " function.",
        "Training and validation loss against epochs for default and tuned configuration.",
    )
    return Section(anchor, title, _patience(told), (shown,))


def _patience(found: Sequence[Arm]) -> tuple[str, ...]:
    attempts = [each.attempt for arm in found for each in arm.finished]
    if not any(each.best_epoch for each in attempts):
        return ()
    ended = sum(each.stopped == "patience" for each in attempts)
    return (
        "Of each retraining the weights of the epoch with the lowest validation loss were kept, at"
        f" the star; {ended} of {len(attempts)} ended before their last epoch, because so many"
        " epochs as --patience says had brought nothing better.",
    )


def _curves(run: Run, found: Sequence[Arm]) -> Section:
    anchor, title = "precision-recall", "Precision–recall curves"
    pictures: list[Picture] = []
    lists: list[Table] = []
    for part in ("validation", "test"):
        curves = _part_curves(run, found, part)
        if curves:
            pictures.append(_curve_picture(curves, part))
            lists += [tables.average_precisions(curves, part), tables.curve_points(curves, part)]
    if not pictures:
        return Section(anchor, title, empty=NO_PREDICTIONS)
    sentence = (
        "Of each configuration the seed with the lowest validation loss is shown. AP is the average"
        " precision: the area under the curve, 1 at best."
    )
    return Section(anchor, title, (sentence,), tuple(pictures), tuple(lists))


def _curve_picture(curves: Curves, part: str) -> Picture:
    return picture(
        f"precision_recall_{part}",
        figures.precision_recall(curves, part),
        "The nearer a curve comes to the upper right corner, the better: it shows how many of the"
        " pixels named as the class are right (precision) for each share of the class that is found"
        " (recall), as the demanded score is lowered; the dotted line is guessing.",
        f"Precision-recall curve of every class and of all together on the {part} part.",
    )


def _part_curves(run: Run, found: Sequence[Arm], part: str) -> Curves:
    curves = {}
    for arm in found:
        best = arm.representative
        counts = patches_of.histograms(best.artefacts, part) if best and best.artefacts else None
        if best and counts:
            names = list(best.parts.get(part, {}).get("iou", {})) or _class_names(run)
            if len(names) == len(counts[0]):
                curves[arm.name] = class_curves(names, *counts)
    return curves


def _values(found: Sequence[Arm]) -> Section:
    anchor, title = "values", "Precision and recall"
    its = tables.precision_recall(found)
    if not its.rows:
        return Section(anchor, title, empty=NOT_RETRAINED)
    sentence = (
        "Precision: of the pixels named as a class, the share that is right. Recall: of the pixels"
        " of a class, the share that is found. A pixel is named as the class with the highest"
        " score; in the row of all classes as every class with a score of at least one half. The"
        " test part was scored only once, at the end."
    )
    return Section(anchor, title, (sentence,), tables=(its,))


def _class_iou(found: Sequence[Arm]) -> Section:
    anchor, title = "iou", "Intersection over union of each class"
    part = last_part(found, "iou")
    if part is None:
        return Section(anchor, title, empty=NOT_RETRAINED)
    shown = picture(
        "class_iou",
        figures.class_iou([arm for arm in found if arm.class_scores(part, "iou")], part),
        "Bars are means over the seeds, circles single seeds: if circles of the two configurations"
        " overlap, the difference in that class may be chance.",
        f"Bars of the intersection over union of every class on the {part} part.",
    )
    return Section(anchor, title, pictures=(shown,), tables=(tables.class_scores(found),))


def _confusion(run: Run, found: Sequence[Arm]) -> Section:
    anchor, title = "confusion", "Confusion matrices"
    part = last_part(found, "iou") or "validation"
    matrices = {}
    for arm in found:
        own = [each.parts.get(part, {}).get("confusion") for each in arm.finished]
        pooled = pooled_confusion([matrix for matrix in own if matrix])
        if pooled is not None:
            matrices[arm.name] = pooled
    if not matrices:
        return Section(anchor, title, empty=NOT_RETRAINED)
    size = len(next(iter(matrices.values())))
    names = _class_names(run)
    names = names if len(names) == size else [str(index) for index in range(size)]
    shown = picture(
        "confusion",
        figures.confusions(matrices, names, part),
        "Each row takes all pixels that truly are of a class (100 %) and shows what they were named"
        " as, over all seeds; the diagonal is right, everything else is a confusion.",
        f"Confusion matrices of the configurations on the {part} part.",
    )
    lists = tuple(tables.confusion(arm, its, names, part) for arm, its in matrices.items())
    return Section(anchor, title, pictures=(shown,), tables=lists)


def _patches(run: Run, found: Sequence[Arm]) -> tuple[Section, Section]:
    best = Section("best-patches", "The best-predicted patches", empty=NO_PREDICTIONS)
    worst = Section("worst-patches", "The worst-predicted patches", empty=NO_PREDICTIONS)
    chosen = {arm.name: arm.representative for arm in found}
    folders = {name: each.artefacts for name, each in chosen.items() if each and each.artefacts}
    data = patches_of.load(run.directory, folders)
    if data is None:
        return best, worst
    choices = patches_of.choices(data)
    if not choices:
        reason = "Every validation patch is trivial: nearly all of its pixels are of one class."
        return Section(best.anchor, best.title, empty=reason), Section(
            worst.anchor, worst.title, empty=reason
        )
    rule = _patch_rule(len(choices), len(data.labels), list(data.predictions)[-1])
    return (
        Section(
            best.anchor,
            best.title,
            (rule,),
            (_patch_picture("best", data, patches_of.best(choices)),),
            (tables.patches(choices),),
        ),
        Section(
            worst.anchor,
            worst.title,
            ("Chosen from the same non-trivial validation patches.",),
            (_patch_picture("worst", data, patches_of.worst(choices)),),
        ),
    )


def _patch_rule(kept: int, total: int, judge: str) -> str:
    return (
        "A patch is trivial if the sum of the squares of its class frequencies exceeds"
        f" {patches_of.TRIVIAL_THRESHOLD:g}, that is if two of its pixels, picked at random, are"
        f" more likely of one class than not; {kept} of the {total} validation patches are not"
        f" trivial, and are ordered by the accuracy of the {judge} model."
    )


def _patch_picture(
    which: str, data: patches_of.Patches, chosen: Sequence[patches_of.Choice]
) -> Picture:
    return picture(
        f"{which}_patches",
        sheet(data, chosen),
        f"The {len(chosen)} {which} predicted patches, accuracy increasing downwards: compare each"
        " model's map with the ground truth; under it stands the share of pixels that are right.",
        "Rows of image, ground truth and predictions of the models.",
    )


def _class_names(run: Run) -> list[str]:
    return [str(each["name"]) for each in run.started.data.get("classes") or []]
