import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from helpers import limits
from helpers.commands import only_sentence
from helpers.data_folder import write

from bohb_seg.commands import data
from bohb_seg.errors import DataError


def run(*arguments):
    return CliRunner().invoke(data.command, [str(argument) for argument in arguments])


def flags(folder):
    return "--cache-dir", folder.cache, "--patch-size", 16


def test_check_prints_json(tiles):
    result = run("check", tiles.root, "--json", *flags(tiles))

    found = json.loads(result.stdout)
    assert result.exit_code == 0
    assert found["images"] == 8
    assert sum(found["patches"].values()) == 72
    assert (found["test_groups"], found["most_folds"], found["folded_units"]) == (1, 4, "4 groups")
    assert found["classes"][0] == {"name": "building", "colour": [60, 16, 152]}
    assert sum(found["frequencies"].values()) == pytest.approx(1)
    assert found.keys() == {
        "fingerprint", "split_hash", "classes", "patches", "images", "warnings", "frequencies",
        "split", "bands", "scaling", "test_groups", "most_folds", "folded_units",
    }  # fmt: skip


@pytest.mark.parametrize("split", ["auto", "group", "image", "block", "patch"])
def test_check_prints_a_report(tiles, split):
    result = run("check", tiles.root, *flags(tiles), "--split", split)

    assert result.exit_code == 0
    assert "8 in 4 groups" in result.stdout
    assert "vegetation" in result.stdout
    assert f"split by {'group' if split == 'auto' else split}, 16-pixel patches" in result.stdout
    assert ("Tile 1" in result.stdout) == (split != "patch")
    folds = {"auto": "at most 4", "group": "at most 4", "patch": "none, of --split patch"}
    assert folds.get(split, "at most 8") in result.stdout


def test_check_prints_the_parts_also_when_it_refuses_them(folder):
    for group in ("a", "b", "c"):
        labels = np.full((48, 48), 5 if group == "b" else 1)
        labels[:12] = 5 if group == "b" else 0
        folder.add(group, size=(48, 48), labels=labels)

    result = run("check", folder.root, *flags(folder))

    assert "part holds no labelled pixel" in str(result.exception)
    assert "25.0%" in result.stdout
    assert "none" in result.stdout
    assert "split by group, 16-pixel patches" in result.stdout


def test_check_lists_all_problems(tiles):
    (tiles.root / "Tile 1/images/a.png").write_bytes(b"")
    (tiles.root / "Tile 4/masks/b.png").unlink()

    result = run("check", tiles.root, *flags(tiles))

    assert isinstance(result.exception, DataError)
    assert result.stdout.count("problem:") == 2


def test_a_sentence_ends_with_status_2(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["bohb-data", "check", "/no/such/folder"])

    with pytest.raises(SystemExit) as caught:
        data.main()

    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "bohb-data: --data /no/such/folder is neither a folder nor a data set of this name;"
        " there are: synthetic\n"
    )


def test_make_writes_a_data_folder(tmp_path):
    place = tmp_path / "scenes"

    assert run("make", place, "--tiles", 3).exit_code == 0

    checked = run("check", place, "--patch-size", 64, "--cache-dir", tmp_path / "cache", "--json")
    assert json.loads(checked.stdout)["images"] == 6
    again = run("make", place)
    assert str(again.exception) == f"{place} exists already; name a new folder"


def test_show_draws_a_sheet_for_each_part(tiles, tmp_path):
    result = run("show", tiles.root, "--out", tmp_path / "sheet.png", "--pairs", 3, *flags(tiles))

    assert result.exit_code == 0, result.exception
    sheets = [tmp_path / f"sheet-{part}.png" for part in ("train", "validation", "test")]
    assert result.stdout.splitlines() == [f"wrote {sheet}" for sheet in sheets]
    assert all(cv2.imread(str(sheet)).std() > 10 for sheet in sheets)


def test_show_draws_one_sheet_of_data_that_check_refuses(tiles, tmp_path):
    (tiles.root / "Tile 1/images/a.png").write_bytes(b"")

    result = run("show", tiles.root, "--out", tmp_path / "sheet.png", *flags(tiles))

    assert result.exit_code == 0, result.exception
    assert result.stdout == f"wrote {tmp_path / 'sheet.png'}\n"
    assert "problem: Tile 1/images/a.png cannot be read: the file is empty" in result.stderr
    assert cv2.imread(str(tmp_path / "sheet.png")).std() > 10


def test_show_without_any_pair_is_one_sentence(tmp_path):
    assert isinstance(run("show", tmp_path).exception, DataError)


SHORT_OF_MEMORY = """
import sys
from helpers.limits import leave
from bohb_seg.commands import data
import bohb_seg.data.preparation

leave({megabytes})
sys.argv = ["bohb-data", {command!r}, {root!r}, "--cache-dir", {cache!r}]
data.main()
"""


@pytest.mark.parametrize("command", ["check", "show"])
def test_images_that_memory_does_not_hold_are_one_sentence(folder, command):
    """Decoded, each has 48 MB; its file is small."""
    for group in "abc":
        write(folder.root / group / "images/large.png", np.zeros((4000, 4000, 3), np.uint8))
        write(folder.root / group / "masks/large.png", np.zeros((4000, 4000, 3), np.uint8))
    names = {"root": str(folder.root), "cache": str(folder.cache), "command": command}
    done = limits.child(SHORT_OF_MEMORY.format(megabytes=70, **names))
    sentence = only_sentence(done.returncode, done.stderr)
    assert sentence.endswith("this machine has not enough memory; free some or give it more")


@pytest.mark.parametrize(("place", "target"), [("", ""), ("Tile 1/masks", "Tile 1")])
def test_classes_are_drafted_from_a_data_folder_or_a_folder_of_masks(tiles, place, target):
    folder = tiles.root / target

    result = run("classes", tiles.root / place)

    assert result.exit_code == 0, result.output
    assert f"wrote {folder / 'classes.yaml'} and {folder / 'classes.png'}" in result.output
    assert "of the pixels" in (folder / "classes.yaml").read_text()
    assert run("check", tiles.root, *flags(tiles)).exit_code == 0
    again = run("classes", tiles.root / place)
    assert isinstance(again.exception, DataError)
    assert "exists already" in str(again.exception)


def test_classes_are_drafted_where_no_table_names_the_values(folder):
    for group in "abc":
        folder.add(group, mask=np.tile(np.array([3, 7], np.uint8), (40, 20)))
    checked = run("check", folder.root, "--json", *flags(folder))
    assert [each["name"] for each in json.loads(checked.stdout)["classes"]] == [
        "class_3",
        "class_7",
    ]

    assert run("classes", folder.root).exit_code == 0

    assert run("check", folder.root, *flags(folder)).exit_code == 0


def test_classes_of_a_folder_without_masks_are_one_sentence(tmp_path):
    assert isinstance(run("classes", tmp_path).exception, DataError)
