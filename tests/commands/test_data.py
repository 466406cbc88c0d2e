import json

import cv2
import pytest
from click.testing import CliRunner

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
    assert found["classes"][0] == {"name": "building", "colour": [60, 16, 152]}
    assert sum(found["frequencies"].values()) == pytest.approx(1)
    assert found.keys() == {
        "fingerprint", "split_hash", "classes", "patches", "images", "warnings", "frequencies",
    }  # fmt: skip


@pytest.mark.parametrize("split", ["group", "image", "patch"])
def test_check_prints_a_report(tiles, split):
    result = run("check", tiles.root, *flags(tiles), "--split", split)

    assert result.exit_code == 0
    assert "8 in 4 groups" in result.stdout
    assert "vegetation" in result.stdout
    assert ("Tile 1" in result.stdout) == (split != "patch")


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


def test_show_draws_a_sheet(tiles, tmp_path):
    result = run("show", tiles.root, "--out", tmp_path / "sheet.png", "--pairs", 3, *flags(tiles))

    assert result.exit_code == 0, result.exception
    assert cv2.imread(str(tmp_path / "sheet.png")).std() > 10
