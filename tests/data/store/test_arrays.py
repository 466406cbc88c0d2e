import os
import signal
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from helpers.stores import image_of, stored
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.data.store.arrays import Layout, Store, building
from bohb_seg.errors import DataError

edges = st.integers(1, 200)


@settings(deadline=None, max_examples=50)
@given(edges, edges, st.integers(1, 5), st.sampled_from(["uint8", "uint16"]), st.data())
def test_a_window_is_what_was_written(tmp_path_factory, height, width, bands, dtype, data):
    folder = tmp_path_factory.mktemp("store") / "key"
    first = image_of(30, 70, bands, dtype)
    pixels, labels = image_of(height, width, bands, dtype)
    cuts = sorted(data.draw(st.sets(st.integers(1, height), max_size=4)) | {0, height})
    with building(folder) as writer:
        writer.add(1, (30, 70, bands), dtype, [first])
        strips = [(pixels[start:stop], labels[start:stop]) for start, stop in pairwise(cuts)]
        writer.add(0, pixels.shape, dtype, strips)
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    high, wide = data.draw(st.integers(1, height - row)), data.draw(st.integers(1, width - column))

    store = Store.open(folder)
    read = store.window(0, row, column, high, wide)

    inside = slice(row, row + high), slice(column, column + wide)
    assert read[0].dtype == dtype
    assert np.array_equal(read[0], pixels[inside])
    assert np.array_equal(read[1], labels[inside])
    assert np.array_equal(store.window(1, 0, 0, 30, 70)[0], first[0])


@given(edges, edges)
def test_tiles_waste_little_room(height, width):
    assert Layout(height, width, 3, "uint8", 0, 0).bytes <= 1.5 * height * width * 4


def test_tiles_know_their_labels(tmp_path):
    labels = np.zeros((128, 64), np.uint8)
    labels[100, 3] = 7
    store = stored(tmp_path / "key", [(np.zeros((128, 64, 3), np.uint8), labels)])

    shows = store.shows(0)

    assert [np.flatnonzero(tile).tolist() for tile in shows[:, 0]] == [[0], [0, 7]]


@pytest.mark.parametrize("where", [0, 64 * 64 * 4, -1])
def test_damage_is_an_error_that_says_what_to_do(tmp_path, where):
    folder = tmp_path / "key"
    stored(folder, [image_of(128, 128)])
    content = bytearray((folder / "pixels.bin").read_bytes())
    content[where] ^= 1
    (folder / "pixels.bin").write_bytes(content)
    store = Store.open(folder)

    with pytest.raises(DataError, match=r"key is damaged; remove the folder and start again"):
        store.window(0, 0, 0, 128, 128)


def test_a_file_cut_off_while_it_is_open_is_an_error(tmp_path):
    store = stored(tmp_path / "key", [image_of(128, 128)])
    os.truncate(tmp_path / "key/pixels.bin", 128 * 64 * 4)
    assert store.window(0, 0, 0, 64, 128)[0].shape == (64, 128, 3)

    with pytest.raises(DataError, match="damaged"):
        store.window(0, 64, 0, 64, 128)


@pytest.mark.parametrize("name", ["pixels.bin", "tiles.bin", "index.json"])
@pytest.mark.parametrize("change", ["gone", "shorter", "longer", "other bytes"])
def test_a_store_that_is_not_whole_is_none(tmp_path, name, change):
    stored(tmp_path / "key", [image_of(70, 70)])
    file = tmp_path / "key" / name
    content = file.read_bytes()
    file.write_bytes({"shorter": content[:-1], "longer": content + b"]"}.get(change, b"{}"))
    if change == "gone":
        file.unlink()

    assert Store.open(tmp_path / "key") is None


def test_an_index_of_another_height_is_not_whole(tmp_path):
    stored(tmp_path / "key", [image_of(127, 70)])
    index = tmp_path / "key/index.json"
    index.write_text(index.read_text().replace('"height": 127', '"height": 128'))

    assert Store.open(tmp_path / "key") is None


def test_an_open_store_outlives_its_folder(tmp_path):
    pixels, labels = image_of(70, 70)
    store = stored(tmp_path / "key", [(pixels, labels)])
    for file in (tmp_path / "key").iterdir():
        file.unlink()
    (tmp_path / "key").rmdir()

    assert np.array_equal(store.window(0, 0, 0, 70, 70)[0], pixels)


def test_nothing_appears_where_an_image_fails(tmp_path):
    def strips():
        yield np.zeros((10, 20, 3), np.uint8), np.zeros((10, 20), np.uint8)
        raise ValueError("is cut off")

    with pytest.raises(ValueError, match="cut off"), building(tmp_path / "key") as writer:
        writer.add(0, (20, 20, 3), "uint8", strips())

    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
import numpy as np
from pathlib import Path
from bohb_seg.data.store.arrays import building

def strips():
    yield np.zeros((100, 20, 3), np.uint8), np.zeros((100, 20), np.uint8)
    os.kill(os.getpid(), signal.SIGKILL)

with building(Path(sys.argv[1])) as writer:
    writer.add(0, (200, 20, 3), "uint8", strips())
"""


def test_nothing_appears_where_its_builder_is_killed(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "key")], check=False)

    assert done.returncode == -signal.SIGKILL
    assert Store.open(tmp_path / "key") is None
    assert not (tmp_path / "key").exists()


def test_a_large_image_is_written_in_little_memory(tmp_path):
    """In a process of its own: rows of 20,000 pixels cost less than four times a row of tiles."""
    code = """
import sys
import numpy as np
from pathlib import Path
from bohb_seg.data.store.arrays import building
from bohb_seg.machine import peak_memory_mb

def strips():
    for _ in range(0, 2048, 64):
        yield np.zeros((64, 20_000, 3), np.uint8), np.zeros((64, 20_000), np.uint8)

before = peak_memory_mb()
with building(Path(sys.argv[1])) as writer:
    writer.add(0, (2048, 20_000, 3), "uint8", strips())
print(peak_memory_mb() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "key")],
        check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert float(done.stdout) < 60  # the image has 164 MB
