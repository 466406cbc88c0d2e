"""Files that are none and names that are no text: a sentence or a harmless name, never a wait."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from helpers.commands import refused

from bohb_seg.data.preparation import prepare
from bohb_seg.errors import DataError, SettingsError
from bohb_seg.settings import DataSettings, merge

pytestmark = pytest.mark.timeout(60)

IMAGE, MASK = "Tile 1/images/a.png", "Tile 1/masks/a.png"
HUGE = b"\x89PNG\r\n\x1a\n" + bytes.fromhex(
    "0000000d49484452000186a0000186a0080200000027309c9f0000001149444154"
    "789c63601805a360140c77000003e80001b3a6d3460000000049454e44ae426082"
)
"""A PNG that claims 100,000 x 100,000 pixels."""


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def itself(path):
    path.symlink_to(path.name)


def vast(path):
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("name", [IMAGE, MASK])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (pipe, "a pipe, not a file"),
        (device, "a device, not a file"),
        (vast, "larger than 274878 MB"),
    ],
)
def test_what_is_no_image_file_is_a_sentence(tiles, name, make, reason):
    path = tiles.root / name
    path.unlink()
    make(path)
    with pytest.raises(DataError) as caught:
        prepare(tiles.settings())
    assert str(caught.value) == f"{path} cannot be read: {reason}"


@pytest.mark.parametrize("name", [IMAGE, MASK])
def test_a_link_to_nothing_is_a_sentence(tiles, name):
    (tiles.root / name).unlink()
    itself(tiles.root / name)
    with pytest.raises(DataError, match=f"{name} is a link to nothing; mend or remove it"):
        prepare(tiles.settings())


@pytest.mark.parametrize("name", [IMAGE, MASK])
def test_an_image_that_claims_a_billion_pixels_is_a_sentence(tiles, name):
    (tiles.root / name).write_bytes(HUGE)
    with pytest.raises(DataError, match=r"has more than a billion pixels|GDAL cannot decode it"):
        prepare(tiles.settings())


@pytest.mark.parametrize(
    ("make", "reason"), [(pipe, "a pipe, not a file"), (device, "a device, not a file")]
)
@pytest.mark.parametrize("command", ["check", "show"])
def test_commands_do_not_wait_for_a_class_table(tiles, make, reason, command):
    make(tiles.root / "classes.yaml")
    said = refused("bohb_seg.commands.data", command, tiles.root, "--cache-dir", tiles.cache)
    assert said == f"bohb-data: class table {tiles.root}/classes.yaml cannot be read: {reason}"


def test_nor_for_an_image_that_they_show(tiles, tmp_path):
    (tiles.root / IMAGE).unlink()
    pipe(tiles.root / IMAGE)
    where = ("--cache-dir", tiles.cache, "--out", tmp_path / "x.png")
    status, said, log = command("show", tiles.root, *where)
    assert (status, said) == (0, f"wrote {tmp_path / 'x.png'}\n")
    assert log == f"problem: {tiles.root / IMAGE} cannot be read: a pipe, not a file\n"


@pytest.mark.parametrize("make", [pipe, os.mkdir])
def test_nor_for_a_place_that_they_write(tiles, tmp_path, make):
    place = tmp_path / "place"
    make(place)
    said = refused("bohb_seg.commands.data", "show", tiles.root, "--out", place)
    assert said == f"bohb-data: {place}: this is no file"
    if make is pipe:
        said = refused("bohb_seg.commands.data", "make", place)
        assert said == f"bohb-data: {place} exists already; name a new folder"


@pytest.mark.parametrize("make", [pipe, device])
def test_nor_for_a_settings_file(tmp_path, make):
    make(tmp_path / "run.yaml")
    with pytest.raises(SettingsError, match=r"run.yaml cannot be read: a .*, not a file"):
        merge(DataSettings, {}, tmp_path / "run.yaml")


# --- names ------------------------------------------------------------------------------------

NAMES = {
    b"Stra\xdfe": "Stra\\xdfe",  # unzipped from a Windows archive
    b"\x1b]0;title\x07": "\\x1b]0;title\\x07",
    b"a\nproblem: b": "a\\nproblem: b",
    b"$a_{$ [red] :boom:": "$a_{$ [red] :boom:",
    "水".encode(): "水",
}


@pytest.fixture
def foreign(tiles):
    """A data set whose files have such names, and whose classes have them, too."""
    for name in NAMES:
        for folder, ending in ((b"images", b".jpg"), (b"masks", b".png")):
            place = os.fsencode(tiles.root / "Tile 1") + b"/" + folder + b"/"
            os.link(place + b"a.png", place + name + ending)
    pairs = zip(NAMES.values(), ("3C1098", "8429F6", "6EC1E4", "FEDD3A", "E2A929"), strict=True)
    lines = [f'- {{name: "{name}", colour: "#{colour}"}}' for name, colour in pairs]
    table = "\n".join(lines).replace("[red]", "[/x]")  # no file's name can have a slash
    (tiles.root / "classes.yaml").write_text(table, encoding="utf-8")
    return tiles


def command(*words):
    """A command as a terminal gets it."""
    done = subprocess.run(
        [sys.executable, "-m", "bohb_seg.commands.data", *map(str, words)],
        capture_output=True, check=False, env={**os.environ, "COLUMNS": "300"}
    )  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def is_harmless(text):
    return all(line.isprintable() for line in text.split("\n"))


def test_foreign_names_are_shown_as_text(foreign):
    where = ("--cache-dir", foreign.cache, "--patch-size", 16, "--split", "image")
    status, said, log = command("check", foreign.root, *where)
    assert status == 0, log
    assert is_harmless(said)
    assert is_harmless(log)
    for name in NAMES.values():
        label = name.replace("[red]", "[/x]").replace("\\xdf", "ß")  # YAML reads the escape
        assert f" {label} " in said, said
        assert f"Tile 1/images/{name}.jpg" in said + log, said


def test_foreign_names_of_broken_files_are_shown_as_text(foreign):
    for path in foreign.root.rglob("*.jpg"):
        path.unlink()
        path.write_bytes(b"no image")
    where = ("--cache-dir", foreign.cache, "--patch-size", 16)
    status, said, log = command("check", foreign.root, *where)
    assert status == 2
    assert is_harmless(said + log)
    problems = [line for line in said.splitlines() if line.startswith("problem: ")]
    assert len(problems) == len(NAMES)
    for name in NAMES.values():
        assert f"problem: Tile 1/images/{name}.jpg cannot be read" in said


def test_foreign_names_are_drawn_as_text(foreign, tmp_path):
    where = ("--cache-dir", foreign.cache, "--split", "image", "--log-level", "error")
    out = ("--out", tmp_path / "sheet.png", "--pairs", 12)
    status, said, log = command("show", foreign.root, *where, *out)
    assert status == 0, log
    assert not log, log
    for sheet in said.splitlines():
        assert cv2.imread(sheet.removeprefix("wrote ")).std() > 10


def test_a_sheet_has_room_for_a_hundred_classes(folder, tmp_path):
    folder.root.mkdir()
    lines = [f"- {{name: class number {k}, index: {k}}}" for k in range(100)]
    (folder.root / "classes.yaml").write_text("\n".join(lines))
    mask = (np.arange(1600).reshape(40, 40) % 100).astype(np.uint8)
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        folder.add(group, mask=mask)
    where = ("--cache-dir", folder.cache, "--log-level", "error")
    status, _, log = command("show", folder.root, *where, "--out", tmp_path / "sheet.png")
    assert status == 0, log
    assert not log, log
    sheet = cv2.imread(str(tmp_path / "sheet-train.png"))
    assert sheet.shape[0] > 390 + 17 * 25, "a row of pictures, and one for each six classes"
