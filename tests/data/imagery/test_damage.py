import io
from dataclasses import replace

import cv2
import numpy as np
import pytest
from PIL import Image

from bohb_seg.data.imagery import damage
from bohb_seg.data.imagery.damage import Look, Range, decoder_warnings, findings
from bohb_seg.data.imagery.facts import Facts
from bohb_seg.data.imagery.scaling import Scaling

FACTS = Facts(4, 4, 3, ("red", "green", "blue"), "uint8")


@pytest.mark.parametrize("spoil", ["zeros", "rubbish", "a piece missing"])
def test_a_decoder_that_repairs_a_jpeg_is_heard(tmp_path, jpeg, spoil):
    middle = len(jpeg) // 2
    replaced = {"zeros": bytes(200), "rubbish": bytes(range(1, 201)), "a piece missing": b""}
    whole, damaged = tmp_path / "whole.jpg", tmp_path / "über damaged.jpg"
    whole.write_bytes(jpeg)
    damaged.write_bytes(jpeg[:middle] + replaced[spoil] + jpeg[middle + 200 :])

    found = decoder_warnings([whole, damaged, tmp_path / "absent.jpg", whole])

    assert list(found) == [damaged]
    assert "Corrupt JPEG data" in found[damaged][0]


def test_a_png_with_a_wrong_checksum_is_heard_and_a_clumsy_profile_is_not(tmp_path, scene):
    content = bytearray(cv2.imencode(".png", scene)[1].tobytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "a.png").write_bytes(content)
    buffer = io.BytesIO()
    Image.fromarray(scene).save(buffer, "PNG", icc_profile=b"rubbish" * 30)
    (tmp_path / "b.png").write_bytes(buffer.getvalue())

    assert list(decoder_warnings([tmp_path / "a.png", tmp_path / "b.png"])) == [tmp_path / "a.png"]


def test_a_decoder_that_crashes_ends_nothing_and_the_next_file_is_heard(
    tmp_path, jpeg, monkeypatch
):
    damaged = jpeg[: len(jpeg) // 2] + bytes(200) + jpeg[len(jpeg) // 2 + 200 :]
    for name, content in {"a": jpeg, "crash": jpeg, "b": damaged}.items():
        (tmp_path / name).write_bytes(content)
    crash = "    if path.endswith(b'crash'): os.abort()\n    try:\n"
    program = damage._DECODE_EACH.replace("    try:\n", crash)
    monkeypatch.setattr(damage, "_DECODE_EACH", program)
    monkeypatch.setattr(damage, "processors", lambda: 1)

    found = decoder_warnings([tmp_path / "a", tmp_path / "crash", tmp_path / "b"])

    assert list(found) == [tmp_path / "crash", tmp_path / "b"]
    assert found[tmp_path / "crash"] == ("the decoder crashes on it",)


def test_complaints_that_differ_in_a_number_are_one_sentence():
    looks = [
        look(f"{n}.jpg", replace(FACTS, warnings=(f"{n + 7} extraneous bytes",)), seen(0, 255))
        for n in range(5)
    ]

    found = findings(looks)

    assert found == (
        "0.jpg, 1.jpg, 2.jpg and 2 more: 7 extraneous bytes; look at them before training",
    )


def test_no_files_are_no_work():
    assert decoder_warnings([]) == {}


def seen(low, high):
    return np.random.default_rng(0).integers(low, high + 1, (4, 4, 3)).astype(np.uint8)


def look(name, facts, values):
    """An image of these 8-bit values."""
    pixels = values.reshape(-1, 3).astype(float)
    bright = np.percentile(pixels, 99, axis=0)
    found = Range(*map(tuple, (pixels.min(axis=0), bright, pixels.max(axis=0))))
    return Look(name, facts, found, Scaling(facts.dtype))


def test_ordinary_images_raise_no_doubts():
    assert findings([look(f"{n}.png", FACTS, seen(0, 255)) for n in range(5)]) == ()


def test_every_doubt_is_a_sentence_with_names():
    place = {"transform": (0.5, 0, 0, 0, -0.5, 0)}
    usual = [look(f"{n}.tif", replace(FACTS, **place), seen(0, 255)) for n in range(5)]
    images = [
        *usual,
        *(look(f"black{n}.tif", FACTS, seen(0, 3)) for n in range(5)),
        look("grey.tif", FACTS, np.full((4, 4, 3), 128, np.uint8)),
        Look("empty.tif", FACTS, None, Scaling("uint8")),
        look("deep.tif", replace(FACTS, dtype="uint16"), seen(0, 255)),
        look("four.tif", replace(FACTS, bands=4), seen(0, 255)),
        look("alpha.tif", replace(FACTS, bands=4, alpha=3), seen(0, 255)),
        look("coarse.tif", replace(FACTS, transform=(2, 0, 0, 0, -2, 0)), seen(0, 255)),
        look("near.tif", replace(FACTS, transform=(0.51, 0, 0, 0, -0.51, 0)), seen(0, 255)),
        look("turned.jpg", replace(FACTS, orientation=6), seen(0, 255)),
        look("adobe.jpg", replace(FACTS, profile="Adobe RGB"), seen(0, 255)),
        look("srgb.jpg", replace(FACTS, profile="sRGB"), seen(0, 255)),
        look("said.tif", replace(FACTS, warnings=("holds 2 images",)), seen(0, 255)),
    ]

    sentences = findings(images)

    assert [sentence.split(";")[0] for sentence in sentences] == [
        "said.tif: holds 2 images",
        "empty.tif has no pixel with data",
        "grey.tif is of a single colour",
        "black0.tif, black1.tif, black2.tif and 2 more are nearly black",
        "deep.tif has values of type uint16, most others values of type uint8",
        "four.tif has 4 band(s), most others 3 band(s)",
        "coarse.tif has a ground resolution of 2, most others a ground resolution of 0.5",
        "turned.jpg is turned by viewers (EXIF orientation), but read as stored",
        "adobe.jpg has a colour profile (Adobe RGB) that is not applied",
    ]
