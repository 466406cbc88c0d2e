import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from bohb_seg.data import cache
from bohb_seg.data.classes import ClassEntry, check
from bohb_seg.data.collection import Collection, Pair
from bohb_seg.data.decoding import Reading
from bohb_seg.data.labels.names import entries_for_names, labels_of, rest_label, with_background
from bohb_seg.data.masks import mask_code
from bohb_seg.trials import IGNORE


def code(*names, ignored=()):
    entries = [ClassEntry(name=n, index=i, ignore=n in ignored) for i, n in enumerate(names)]
    return mask_code(tuple(entries), "default")


@pytest.mark.parametrize(
    ("name", "label"),
    [("Low vegetation", 1), ("low_vegetation", 1), ("LOW-VEGETATION", 1), ("water", 2), ("2", 2),
     ("7", None), ("tree", None), ("", None), ("cloud", IGNORE)],
)  # fmt: skip
def test_names_and_numbers_of_classes(name, label):
    table = code("background", "low vegetation", "Water", "cloud", ignored=("cloud",))

    assert labels_of([name, "tree"], table) == ({} if label is None else {name: label})


def test_a_name_that_is_a_number_is_a_name():
    table = mask_code((ClassEntry(name="2", index=1), ClassEntry(name="1", index=2)), "default")

    assert labels_of(["1", "2"], table) == {"1": 1, "2": 0}


def test_names_reach_other_processes_and_no_fingerprint_of_masks():
    """Workers of runs that earlier versions began must find the same fingerprint."""
    table = pickle.loads(pickle.dumps(code("road", "cloud", ignored=("cloud",))))

    assert table.by_name == (("road", 0), ("cloud", IGNORE))
    pairs = (Pair("a", "", Path("a.png"), Path("b.png")),)
    contents = cache.Digests((b"1",), (b"2",))
    prints = {
        cache.fingerprint(Collection(Path(), pairs, (), each), contents, Reading(each))
        for each in (table, replace(table, by_name=()))
    }
    assert len(prints) == 1


@pytest.mark.parametrize(
    ("names", "ignored", "label"),
    [
        (("road", "_background_"), (), 1),
        (("road", "Background", "unlabelled"), (), 1),
        (("road", "unlabelled", "tree"), (), 1),
        (("road", "unlabelled", "tree"), ("unlabelled",), IGNORE),
        (("background", "road", "tree"), ("background",), IGNORE),
        (("road", "tree"), (), IGNORE),
    ],
)
def test_ground_that_no_shape_covers(names, ignored, label):
    assert rest_label(code(*names, ignored=ignored)) == label


@pytest.mark.parametrize(
    ("names", "of_objects", "expected"),
    [
        (("road", "tree"), True, ("background", "road", "tree")),
        (("road", "tree"), False, ("road", "tree")),
        (("road",), False, ("background", "road")),
        (("road", "unknown"), False, ("background", "road", "unknown")),
        (("road", "_background_"), True, ("road", "_background_")),
        (("Road", "road", "", "tree"), False, ("Road", "tree")),
    ],
)
def test_tables_get_a_background_where_there_must_be_one(names, of_objects, expected, tmp_path):
    found = with_background(names, of_objects=of_objects)
    entries = entries_for_names(found)

    assert found == expected
    check(entries, tmp_path)
    assert [entry.index == 0 for entry in entries] == (
        [True, *[False] * (len(entries) - 1)]
        if any("background" in name for name in expected)
        else [False] * len(entries)
    )
    assert [entry.name for entry in entries if entry.ignore] == [n for n in names if n == "unknown"]
