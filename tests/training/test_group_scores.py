"""Scores of the test part by group."""

import dataclasses

import numpy as np

from bohb_seg.data.classes import ClassTable
from bohb_seg.training import group_scores
from bohb_seg.training.metrics import PixelSums
from bohb_seg.trials import MOST_GROUPS


def of_patches(data, sources, classes=3, **units):
    names = tuple(f"c{number}" for number in range(classes))
    table = ClassTable(names, tuple((n % 256, n // 256, 0) for n in range(classes)))
    return group_scores.of_patches(dataclasses.replace(data, classes=table, units=units), sources)


def test_an_image_without_a_group_is_its_own(data):
    sources = ["a@1.png@0,0", "a@1.png@0,32", "b.png@0,0", "c.png@0,0"]
    groups = of_patches(data, sources, **{"b.png": "Tile 1", "c.png": "Tile 1"})
    assert groups == ("a@1.png", "a@1.png", "Tile 1", "Tile 1")


def test_neighbours_by_name_are_put_together_where_there_are_too_many(data):
    sources = [f"{number:03d}.png@0,0" for number in range(100)]
    groups = of_patches(data, sources)
    assert len(set(groups)) == MOST_GROUPS
    assert groups[0] == groups[1] == "000.png .. 001.png"
    assert groups[99] == "099.png"
    assert of_patches(data, sources[::-1]) == groups[::-1]
    assert len(set(of_patches(data, sources, classes=100))) == 3


def test_a_group_without_labelled_pixels_has_no_scores():
    scores = np.full((2, 4, 4, 3), 1 / 3, np.float32)
    labels = np.zeros((2, 4, 4), np.uint8)
    labels[1] = 255
    sums = {name: PixelSums.of(scores[[n]], labels[[n]]) for n, name in enumerate("ab")}
    confusion = [[16, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert group_scores.table(sums, lambda each: float(each.truth.sum())) == {
        "a": {"confusion": confusion, "loss": 16.0}
    }


def test_runs_are_neighbours_of_one_group():
    found = [(name, (run.start, run.stop)) for name, run in group_scores.runs("aabca")]
    assert found == [("a", (0, 2)), ("b", (2, 3)), ("c", (3, 4)), ("a", (4, 5))]
