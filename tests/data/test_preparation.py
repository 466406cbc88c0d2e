import json
import os
import resource
import subprocess
import sys

import numpy as np
import pytest
from helpers.data_folder import COLOURS

from bohb_seg.data import cache, parting
from bohb_seg.data.preparation import prepare
from bohb_seg.errors import DataError, SettingsError
from bohb_seg.trials import IGNORE


def test_patches_hold_what_their_source_says(folder):
    written = {}
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        written[f"{group}/images/a.png"] = folder.add(group, "a", (40, 37))

    data = prepare(folder.settings())

    assert [len(part) for part in data.parts.values()] == [9, 9, 9]
    for source, image, labels in zip(
        data.train.sources, data.train.images, data.train.labels, strict=True
    ):
        name, _, corner = source.partition("@")
        row, column = map(int, corner.split(","))
        window = np.s_[row : row + 16, column : column + 16]
        assert np.array_equal(image, written[name][0][window])
        assert np.array_equal(labels, written[name][1][window])


def test_held_out_parts_count_every_pixel_once(folder):
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        folder.add(group, "a", (40, 37))

    data = prepare(folder.settings())

    assert (data.train.labels != IGNORE).all()
    assert (data.validation.labels != IGNORE).sum() == 40 * 37
    assert (data.test.labels != IGNORE).sum() == 40 * 37


def test_no_group_lies_on_two_sides(tiles):
    data = prepare(tiles.settings())

    groups = [{source.split("/")[0] for source in part.sources} for part in data.parts.values()]
    assert sum(map(len, groups)) == len(set().union(*groups)) == 4


def test_preset_seed_cuts_and_splits_as_the_reports(folder):
    folder.add("Tile 1", "a", (40, 37), labels=np.full((40, 37), 5))
    folder.add("Tile 2", "b", (32, 32), mask=np.zeros((32, 32, 3), np.uint8))

    data = prepare(folder.settings(preset="milestone3", split="patch"))

    assert data.classes.names[5] == "unlabeled"
    assert (len(data.train), len(data.validation), len(data.test)) == (6, 2, 0)
    assert set(np.unique(data.train.labels)) == {0, 5}
    assert data.audit.warnings[0] == (
        "1,024 mask pixels (40.89%) are of no class (most of them #000000)"
        " and become building, as in the Milestone 3 reports"
    )
    assert "--split patch leaks" in " ".join(data.audit.warnings)


def test_downscaled_labels_match_downscaled_images(tiles):
    data = prepare(tiles.settings(downscale=2))

    assert data.train.images.shape[1:] == (16, 16, 3)
    assert data.train.sources[0].startswith("Tile ")
    assert prepare(tiles.settings()).fingerprint != data.fingerprint


def test_the_fingerprint_depends_on_contents_not_on_places(tiles, tmp_path):
    first = prepare(tiles.settings())
    moved = tiles.root.rename(tmp_path / "elsewhere")

    second = prepare(tiles.settings(data=str(moved), cache_dir=tmp_path / "other"))

    assert (first.fingerprint, first.split_hash) == (second.fingerprint, second.split_hash)
    (moved / "Tile 1/images/a.png").write_bytes((moved / "Tile 1/images/b.png").read_bytes())
    changed = prepare(tiles.settings(data=str(moved)))
    assert changed.fingerprint != first.fingerprint
    assert changed.audit.duplicates == (("Tile 1/images/a.png", "Tile 1/images/b.png"),)


def test_the_cache_is_read_and_built_anew_when_torn(tiles):
    first = prepare(tiles.settings())
    (folder,) = tiles.cache.iterdir()
    pixels = folder / "pixels.bin"
    before = pixels.stat().st_mtime_ns

    assert prepare(tiles.settings()).split_hash == first.split_hash
    assert pixels.stat().st_mtime_ns == before

    pixels.write_bytes(b"torn")
    assert np.array_equal(prepare(tiles.settings()).train.images, first.train.images)
    assert [*tiles.cache.iterdir()] == [folder]


def test_records_with_another_digit_are_not_believed(tiles):
    first = prepare(tiles.settings())
    (file,) = tiles.cache.glob("*/records.json")
    content = file.read_text()
    pixels = json.loads(content)["records"][0]["pixels"]
    file.write_text(content.replace(str(pixels[0]), str(pixels[0] + 1), 1))

    assert prepare(tiles.settings()).audit == first.audit
    assert file.read_text() == content


def test_a_store_that_cannot_be_written_is_no_fault_of_the_masks(tiles):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # as a full disk: writing ends there
    try:
        with pytest.raises(DataError) as raised:
            prepare(tiles.settings())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert str(raised.value) == (
        f"--cache-dir {tiles.cache} cannot be written (File too large); choose another or make room"
    )
    assert not any(tiles.cache.iterdir())


def test_a_file_that_changes_while_it_is_read_is_not_kept(tiles, monkeypatch):
    (mask, other) = sorted(tiles.root.rglob("masks/*.png"))[:2]
    digests = cache.digests

    def then_changed(collection):
        contents = digests(collection)
        mask.write_bytes(other.read_bytes())
        return contents

    monkeypatch.setattr(cache, "digests", then_changed)

    with pytest.raises(DataError, match=r"png changed while it was read; start again"):
        prepare(tiles.settings())

    assert not any(tiles.cache.iterdir())


def test_what_killed_processes_left_is_removed_and_what_is_being_built_is_not(tiles):
    dead, alive = (tiles.cache / f".{n:016x}-{n:032x}-3" for n in (1, 2))
    for folder in (dead, alive):
        folder.mkdir(parents=True)
        (folder / "pixels.bin").write_bytes(b"some")
    for path in (dead / "pixels.bin", dead, alive):
        os.utime(path, (1e9, 1e9))

    prepare(tiles.settings())

    assert not dead.exists()
    assert alive.exists()


def test_processes_may_build_the_same_cache_at_once(tiles):
    code = (
        "import sys; from bohb_seg.data.preparation import prepare;"
        "from bohb_seg.settings import DataSettings;"
        "print(prepare(DataSettings(data=sys.argv[1], cache_dir=sys.argv[2], patch_size=16))"
        ".split_hash)"
    )
    command = [sys.executable, "-c", code, str(tiles.root), str(tiles.cache)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(3)]

    printed = {process.communicate(timeout=60)[0] for process in running}

    assert [process.returncode for process in running] == [0, 0, 0]
    assert len(printed) == 1
    assert len(list(tiles.cache.iterdir())) == 1


def test_data_sets_come_without_keras():
    code = "import sys, bohb_seg.commands.data; print({'keras', 'tensorflow'} & set(sys.modules))"

    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout

    assert printed.strip() == b"set()"


def test_images_smaller_than_a_patch_are_filled_up_with_ignored_pixels(folder):
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        written = folder.add(group, "a", (20, 40))

    data = prepare(folder.settings(patch_size=32))

    assert [len(part) for part in data.parts.values()] == [2, 2, 2]
    assert np.array_equal(data.train.images[0, :20], written[0][:, :32])
    assert (data.train.labels[:, 20:] == IGNORE).all()
    assert not data.train.images[:, 20:].any()
    assert any("smaller than a patch of 32 pixels" in each for each in data.audit.warnings)


def test_patches_are_the_same_in_memory_and_in_the_store(folder, monkeypatch):
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        folder.add(group, "a", (40, 37))
        folder.add(group, "b", (12, 50))
    held = prepare(folder.settings())
    monkeypatch.setattr(parting, "HELD_BYTES", 0)
    stored = prepare(folder.settings())

    assert (stored.fingerprint, stored.split_hash) == (held.fingerprint, held.split_hash)
    for one, other in zip(held.parts.values(), stored.parts.values(), strict=True):
        assert other.held is None
        assert (one.shape, one.sources) == (other.shape, other.sources)
        images, labels = other.read(np.arange(len(other)))
        assert np.array_equal(images, one.images)
        assert np.array_equal(labels, one.labels)


def test_eleven_bits_keep_their_levels(folder):
    """They were read as eight bits: eight levels of grey were left."""
    random = np.random.default_rng(0)
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        folder.add(group, "a", (64, 64), image=random.integers(0, 2048, (64, 64, 3), np.uint16))

    data = prepare(folder.settings())

    assert data.scaling.dtype == "uint16"
    assert len(np.unique(data.train.images)) == 256
    assert not any("nearly black" in each for each in data.audit.warnings)


def test_the_scale_is_that_of_the_training_part_alone(folder):
    for number in range(3):
        image = np.full((32, 32, 3), 1000 * (number + 1), np.uint16)
        image[::2] += np.uint16(100)
        folder.add(f"Tile {number}", "a", (32, 32), image=image)

    data = prepare(folder.settings())

    tile = int(data.train.sources[0][len("Tile ")])
    assert data.scaling.low == (1000.0 * (tile + 1),) * 3
    assert data.scaling.high == (1000.0 * (tile + 1) + 100,) * 3


def test_patches_without_information_are_not_trained_on(folder):
    labels = np.ones((32, 64), int)
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        image = np.random.default_rng(0).integers(0, 255, (32, 64, 3), np.uint8)
        image[:, 32:] = 7
        folder.add(group, "a", (32, 64), image=image, labels=labels + np.eye(32, 64, dtype=int))

    data = prepare(folder.settings())

    assert [len(part) for part in data.parts.values()] == [4, 8, 8]
    assert any("4 of 8 training patches hold" in each for each in data.audit.warnings)


def test_patches_at_random_places_lie_in_the_training_part(tiles):
    data = prepare(tiles.settings(sampling="random", rare_share=0.5))

    groups = {source.split("/")[0] for source in data.train.sources}
    drawn, again, other = (data.drawn(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert len(drawn) == len(data.train)
    assert {source.split("/")[0] for source in drawn.sources} <= groups
    assert drawn.sources == again.sources != other.sources
    assert (drawn.read(np.arange(len(drawn)))[1] != IGNORE).any(axis=(1, 2)).all()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"rare_share": 0.5}, "--rare-share 0.5 needs --sampling random"),
        ({"sampling": "random", "split": "patch"}, "would train on pixels of the other parts"),
    ],
)
def test_patches_that_cannot_be_drawn_so_are_a_sentence(tiles, flags, message):
    with pytest.raises(SettingsError, match=message):
        prepare(tiles.settings(**flags))


def test_soft_edges_of_masks_are_told(folder):
    for group in ("Tile 1", "Tile 2", "Tile 3"):
        labels = np.zeros((40, 40), int)
        labels[:, 20:] = 1
        mask = COLOURS[labels]
        mask[:, 20] = COLOURS[1].astype(int) - 1
        folder.add(group, "a", labels=labels, mask=mask)

    data = prepare(folder.settings())

    assert data.audit.smeared_share == 1 / 40
    assert not data.audit.unknown
    assert any("have pixels between the classes" in each for each in data.audit.warnings)
