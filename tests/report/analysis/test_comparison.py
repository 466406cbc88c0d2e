import pytest
from helpers.journals import comparison, news, order, run

from bohb_seg.report.analysis.comparison import PartScores, arms, class_names, last_part

IOU = {"road": 0.5, "water": None}


def retrained(*parts):
    """The default, retrained with a seed per table of parts."""
    ordered = [(1, order((-1, 0, seed), 9)) for seed in range(len(parts))]
    ended = [(2, news((-1, 0, n), 9, 0.5, parts=own)) for n, own in enumerate(parts)]
    (arm,) = arms(run(*ordered, *ended))
    return arm


def test_scores_are_read_by_their_form():
    told = {"loss": 0.5, "miou": 1, "iou": IOU, "confusion": [[3, 1], [0, 2]]}
    (one,) = retrained({"test": told}).retrainings
    assert one.on("test") == PartScores({"loss": 0.5, "miou": 1}, {"iou": IOU}, [[3, 1], [0, 2]])
    assert one.on("validation") == PartScores({"loss": 0.5})
    assert one.on("train") == PartScores()


@pytest.mark.parametrize(
    "told",
    [
        {"miou": "good", "iou": {"road": "x"}},
        {"miou": True, "iou": [0.5]},
        {"confusion": [[1, 2], [3]]},
        {"confusion": [[1, 2.5], [3, 4]]},
        {"confusion": "none"},
    ],
)
def test_what_has_another_form_is_left_out(told):
    (one,) = retrained({"test": told}).retrainings
    assert one.on("test") == PartScores()


def test_scores_over_seeds_leave_out_what_a_seed_does_not_have():
    arm = retrained({"test": {"miou": 0.25, "iou": IOU}}, {"test": {}}, {"test": {"miou": 0.75}})
    assert arm.scores("test", "miou") == (0.25, 0.75)
    assert arm.class_scores("test", "iou") == {"road": [0.5], "water": []}


def test_the_test_part_says_most_about_new_images():
    both = arms(comparison([0.5], [0.4]))
    assert [arm.name for arm in both] == ["default", "incumbent"]
    assert last_part(both, "miou") == "test"
    assert last_part(arms(comparison([0.5], [0.4], parts=("validation",))), "miou") == "validation"
    assert last_part(both, "iou") is None


@pytest.mark.parametrize("path", ["/etc", "../other", "comparison/../../other"])
def test_artefacts_lie_in_the_run_directory(path):
    its = run((1, order((-1, 0, 0), 9)), (2, news((-1, 0, 0), 9, 0.5, artefacts=path)))
    assert arms(its)[0].retrainings[0].artefacts is None


def test_a_run_without_images_has_no_classes():
    assert class_names(run((1, order((0, 0, 0), 1)), (2, news((0, 0, 0), 1, 0.5)))) == []
