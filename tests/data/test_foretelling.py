import logging
import re
import shutil

import pytest

from bohb_seg.data import cache, foretelling
from bohb_seg.data.preparation import prepare
from bohb_seg.errors import DataError


@pytest.fixture
def told(caplog):
    caplog.set_level(logging.INFO)
    return caplog


def sentences(told):
    return [(record.levelname, record.message) for record in told.records]


def test_the_store_is_as_large_as_foretold(tiles, told):
    tiles.add("Tile 1", "large", (700, 900))

    prepare(tiles.settings())

    level, sentence = sentences(told)[0]
    assert level == "INFO"
    folder = next(tiles.cache.iterdir())
    size = sum((folder / name).stat().st_size for name in ("pixels.bin", "tiles.bin"))
    assert sentence.startswith(f"decoded, the data takes {size / 1e6:.0f} MB below {tiles.cache}")
    assert re.fullmatch("decoding takes about .* s, once", sentences(told)[2][1])


def test_nothing_is_foretold_of_data_that_were_decoded_before(tiles, told):
    prepare(tiles.settings())
    told.clear()

    prepare(tiles.settings())

    assert not told.records


def test_too_little_disk_is_a_warning(tiles, told, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 9, 9))

    prepare(tiles.settings(downscale=2))

    level, sentence = sentences(told)[0]
    assert level == "WARNING"
    assert sentence.endswith("0 MB is free; make room or choose another --cache-dir")


def test_files_without_a_header_are_left_to_decoding(tiles, told):
    (tiles.root / "Tile 1/images/a.png").write_bytes(b"no image")
    (tiles.root / "Tile 1/masks/b.png").write_bytes(b"no mask")

    with pytest.raises(DataError, match="not an image"):
        prepare(tiles.settings())

    assert sentences(told)[0][1].startswith("decoded, the data takes 0 MB below")


def test_a_large_file_is_sampled_by_its_beginning(tiles, monkeypatch):
    rasterio = pytest.importorskip("rasterio")
    _, labels = tiles.add("Tile 1", "a", (600, 30))
    (tiles.root / "Tile 1/images/a.png").unlink()
    path = tiles.root / "Tile 1/images/a.tif"
    with rasterio.open(path, "w", height=600, width=30, count=3, dtype="uint8") as file:
        file.write(labels.astype("uint8")[None].repeat(3, axis=0))
    monkeypatch.setattr(foretelling, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(foretelling, "SAMPLE_ROWS", 7)
    read = []
    opened = foretelling.open_image

    def counting(*given, **options):
        image = opened(*given, **options)
        window = image.window
        image.window = lambda *place: read.append(place[:4]) or window(*place)
        return image

    monkeypatch.setattr(foretelling, "open_image", counting)
    prepare(tiles.settings())

    assert (0, 0, 7, 30) in read


def test_progress_tells_the_time_left(told, monkeypatch):
    now = iter([0.0, 2.0, 4.0, 6.0, 8.0])
    monkeypatch.setattr(cache.time, "monotonic", lambda: next(now))

    assert list(cache._with_progress(iter("abcd"), [100, 300, 100, 300])) == list("abcd")

    assert [message for _, message in sentences(told)] == [
        "decoded 2 of 4 images, about 4 s left",
    ]
