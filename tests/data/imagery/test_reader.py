"""Files of every kind through one door. What needs rasterio skips loudly where it is absent."""

import os
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from bohb_seg.data.imagery import geotiff
from bohb_seg.data.imagery.reader import chosen_bands, open_image
from bohb_seg.data.pixels import refuse_torn
from bohb_seg.errors import DataError

NEEDS = pytest.mark.skipif(
    not geotiff.available(), reason="rasterio is not installed: pip install 'bohb-seg[geo]'"
)


def whole(path, bands=None, **how):
    with open_image(path, **how) as image:
        facts = image.facts
        window = image.window(0, 0, facts.height, facts.width, bands or chosen_bands(facts))
        return image.facts, *window


def raster(path, bands, **profile):
    """Writes (bands, height, width) with rasterio; roles are names of colour interpretations."""
    import rasterio
    from rasterio.enums import ColorInterp

    roles = profile.pop("roles", None)
    names = profile.pop("names", None)
    mask = profile.pop("mask", None)
    count, height, width = bands.shape
    shape = {"count": count, "height": height, "width": width, "dtype": bands.dtype}
    with rasterio.open(path, "w", **{"driver": "GTiff", **shape, **profile}) as dataset:
        dataset.write(bands)
        if roles:
            dataset.colorinterp = [ColorInterp[role] for role in roles]
        if names:
            dataset.descriptions = names
        if mask is not None:
            dataset.write_mask(mask)
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".ppm", ".tif"])
def test_8_bit_colours_are_the_same_to_the_bit_as_ever(tmp_path, scene, suffix):
    path = tmp_path / f"a{suffix}"
    cv2.imwrite(str(path), scene)

    facts, values, valid = whole(path)

    assert np.array_equal(values, cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB))
    assert (facts.names, facts.dtype, facts.alpha) == (("red", "green", "blue"), "uint8", None)
    assert valid.all()


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_plain_tiff_is_equal_with_and_without_rasterio(tmp_path, scene, monkeypatch, compression):
    Image.fromarray(scene).save(tmp_path / "a.tif", compression=compression)
    with_rasterio = whole(tmp_path / "a.tif")[1]
    monkeypatch.setattr(geotiff, "available", lambda: False)

    without = whole(tmp_path / "a.tif")[1]

    assert np.array_equal(with_rasterio, scene)
    assert np.array_equal(without, scene)


def test_grey_is_repeated_and_windows_are_cut_where_asked(tmp_path, scene):
    cv2.imwrite(str(tmp_path / "a.png"), scene[..., 0])

    with open_image(tmp_path / "a.png") as image:
        values, valid = image.window(7, 9, 5, 11, chosen_bands(image.facts))

    assert np.array_equal(values, np.repeat(scene[7:12, 9:20, :1], 3, 2))
    assert valid.shape == (5, 11)


def test_11_bits_stay_11_bits(tmp_path, scene):
    cv2.imwrite(str(tmp_path / "a.png"), scene.astype(np.uint16) * 7)

    facts, values, _ = whole(tmp_path / "a.png")

    assert facts.dtype == "uint16"
    assert np.array_equal(values[..., ::-1], scene.astype(np.uint16) * 7)


@NEEDS
@pytest.mark.parametrize("compress", ["zstd", "lerc", "lzma", "webp", "deflate"])
@pytest.mark.parametrize("big", ["YES", "NO"])
def test_codecs_that_opencv_lacks(tmp_path, scene, compress, big):
    lossless = {"webp_lossless": "YES"} if compress == "webp" else {}
    bands = np.moveaxis(scene, 2, 0)
    path = raster(tmp_path / "a.tif", bands, compress=compress, bigtiff=big, tiled=True,
                  blockxsize=16, blockysize=16, **lossless)  # fmt: skip

    facts, values, _ = whole(path)

    assert np.array_equal(values, scene)
    assert facts.codec.lower() == f"tiff ({compress})"


@NEEDS
@pytest.mark.parametrize("driver", ["COG", "JP2OpenJPEG"])
def test_cloud_optimised_and_jpeg_2000(tmp_path, scene, driver):
    how = {"quality": 100, "reversible": "YES"} if driver != "COG" else {"blocksize": 128}
    path = raster(tmp_path / "a.tif", np.moveaxis(scene, 2, 0), driver=driver, **how)

    assert np.array_equal(whole(path)[1], scene)


@NEEDS
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
@pytest.mark.parametrize("count", [1, 2, 4, 8, 13])
def test_any_number_of_bands_of_any_type(tmp_path, dtype, count):
    bands = np.arange(count * 12).reshape(count, 3, 4).astype(dtype) * 2
    path = raster(tmp_path / "a.tif", bands, names=[f"B{n}" for n in range(count)])

    facts, values, _ = whole(path, tuple(range(count)))

    assert np.array_equal(np.moveaxis(values, 2, 0), bands)
    assert (facts.bands, facts.dtype, facts.names[-1]) == (count, dtype, f"B{count - 1}")


@NEEDS
def test_pixels_without_data_are_told_by_nodata_nan_mask_and_alpha(tmp_path):
    hole = np.ones((1, 3, 4), np.float32)
    hole[0, 0, 0] = -9999
    nan = np.where(hole < 0, np.nan, hole).astype(np.float32)
    alpha = np.where(hole < 0, 0, 255).astype(np.uint8)
    rgba = np.concatenate([np.full((3, 3, 4), 9, np.uint8), alpha])
    paths = [
        raster(tmp_path / "nodata.tif", hole, nodata=-9999),
        raster(tmp_path / "nan.tif", nan),
        raster(tmp_path / "mask.tif", np.ones((1, 3, 4), np.uint8), mask=alpha[0]),
        raster(tmp_path / "alpha.tif", rgba, photometric="RGB", alpha="YES"),
    ]

    found = [whole(path)[2] for path in paths]

    assert all(np.array_equal(valid, hole[0] > 0) for valid in found)


@NEEDS
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_near_infrared_tagged_as_alpha_is_a_channel(tmp_path, scene, dtype):
    bands = np.moveaxis(np.dstack([scene, 255 - scene[..., 0]]), 2, 0).astype(dtype) * 2
    path = raster(tmp_path / "a.tif", bands, photometric="RGB", alpha="YES")

    facts, values, valid = whole(path)

    assert np.array_equal(np.moveaxis(values, 2, 0), bands)
    assert (facts.alpha, valid.all()) == (None, True)
    assert "band 4 is tagged as alpha" in facts.warnings[0]


def test_the_same_in_png(tmp_path, scene):
    Image.fromarray(np.dstack([scene, 255 - scene[..., 0]]), "RGBA").save(tmp_path / "a.png")

    facts, values, _ = whole(tmp_path / "a.png")

    assert values.shape[2] == 4
    assert "band 4" in facts.warnings[0]


def test_soft_edges_are_transparency_unless_the_data_set_says_otherwise(tmp_path, scene):
    alpha = np.full(scene.shape[:2], 255, np.uint8)
    alpha[:, :9], alpha[:, 9] = 0, 100
    Image.fromarray(np.dstack([scene, alpha]), "RGBA").save(tmp_path / "a.png")

    facts, values, valid = whole(tmp_path / "a.png")
    told = whole(tmp_path / "a.png", alpha_is_data=True)[0]

    assert (facts.alpha, facts.warnings, told.alpha) == (3, (), None)
    assert np.array_equal(values, scene)
    assert np.array_equal(valid, alpha > 0)


@NEEDS
def test_a_palette_is_looked_up(tmp_path):
    image = Image.fromarray(np.array([[0, 1], [1, 0]], np.uint8), "P")
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.tif")

    assert whole(tmp_path / "a.tif")[1].tolist() == [
        [[10, 20, 30], [40, 50, 60]],
        [[40, 50, 60], [10, 20, 30]],
    ]


@NEEDS
def test_white_may_be_zero(tmp_path, monkeypatch):
    grey = np.array([[0, 9, 250]], np.uint8)
    raster(tmp_path / "a.tif", grey[None], photometric="MINISWHITE")
    with_rasterio = whole(tmp_path / "a.tif")[1]
    monkeypatch.setattr(geotiff, "available", lambda: False)

    assert np.array_equal(with_rasterio, whole(tmp_path / "a.tif")[1])
    assert with_rasterio[0, :, 0].tolist() == [255, 246, 5]


@NEEDS
@pytest.mark.parametrize("photometric", ["MINISWHITE", "MINISBLACK"])
def test_one_bit_is_black_and_white(tmp_path, monkeypatch, photometric):
    bits = np.random.default_rng(0).integers(0, 2, (1, 9, 17), np.uint8)
    raster(tmp_path / "a.tif", bits, nbits=1, photometric=photometric)
    with_rasterio = whole(tmp_path / "a.tif")[1]
    monkeypatch.setattr(geotiff, "available", lambda: False)

    assert np.array_equal(with_rasterio, whole(tmp_path / "a.tif")[1])
    assert set(with_rasterio.ravel()) == {0, 255}


def test_logarithms_become_numbers(tmp_path, scene):
    """OpenCV writes floats so, and GDAL would hand the logarithms on as whole numbers."""
    shares = scene.astype(np.float32) / 255
    cv2.imwrite(str(tmp_path / "a.tif"), shares[..., ::-1])

    facts, values, _ = whole(tmp_path / "a.tif")

    assert (facts.dtype, facts.codec) == ("float32", "TIFF (SGI LogLuv)")
    assert np.abs(values - shares).max() < 0.05


@NEEDS
def test_where_an_image_lies(tmp_path, scene):
    from rasterio.transform import from_origin

    place = {"crs": "EPSG:32632", "transform": from_origin(500000, 5e6, 0.3, 0.3)}
    path = raster(tmp_path / "a.tif", np.moveaxis(scene, 2, 0), **place)

    facts = whole(path)[0]

    assert facts.crs == "EPSG:32632"
    assert facts.transform == (0.3, 0.0, 500000.0, 0.0, -0.3, 5e6)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", pytest.param(".tif", marks=NEEDS)])
def test_orientation_and_profile_are_reported_and_not_applied(tmp_path, scene, suffix):
    from PIL import ImageCms

    exif = Image.Exif()
    exif[274] = 3
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    how = {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(scene).save(tmp_path / f"a{suffix}", exif=exif, icc_profile=icc, **how)

    facts, values, _ = whole(tmp_path / f"a{suffix}")

    assert (facts.orientation, facts.profile) == (3, "sRGB")
    assert np.abs(values.astype(int) - scene).mean() < 20  # turned back it would be 60


@pytest.mark.parametrize("order", ["big", "little"])
def test_orientation_in_both_orders_of_bytes(tmp_path, jpeg, order):
    tiff = b"MM\0*" if order == "big" else b"II*\0"
    exif = tiff + (8).to_bytes(4, order) + (1).to_bytes(2, order)
    exif += b"".join(n.to_bytes(s, order) for n, s in [(274, 2), (3, 2), (1, 4), (6, 2), (0, 6)])
    segment = b"Exif\0\0" + exif
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2) + segment + jpeg[2:])

    assert whole(path)[0].orientation == 6


def test_without_rasterio_the_sentence_names_the_codec_and_the_cure(tmp_path, scene, monkeypatch):
    Image.fromarray(scene).save(tmp_path / "a.tif", compression="zstd")
    monkeypatch.setattr(geotiff, "available", lambda: False)

    with pytest.raises(ValueError, match=r"TIFF \(ZSTD\).*pip install 'bohb-seg\[geo\]'"):
        open_image(tmp_path / "a.tif")


def test_without_rasterio_near_infrared_is_not_multiplied_into_colours(
    tmp_path, scene, monkeypatch
):
    Image.fromarray(np.dstack([scene, 255 - scene[..., 0]]), "RGBA").save(tmp_path / "a.tif")
    monkeypatch.setattr(geotiff, "available", lambda: False)

    with pytest.raises(ValueError, match="rasterio"):
        open_image(tmp_path / "a.tif")


def test_without_rasterio_no_tiff_is_turned_by_opencv(tmp_path, scene, monkeypatch):
    exif = Image.Exif()
    exif[274] = 3
    Image.fromarray(scene).save(tmp_path / "a.tif", exif=exif)
    monkeypatch.setattr(geotiff, "available", lambda: False)

    with pytest.raises(ValueError, match=r"orientation.*rasterio"):
        open_image(tmp_path / "a.tif")


@NEEDS
def test_without_rasterio_nodata_is_not_taken_for_a_value(tmp_path, monkeypatch):
    path = raster(tmp_path / "a.tif", np.ones((1, 3, 4), np.uint16), nodata=0)
    monkeypatch.setattr(geotiff, "available", lambda: False)

    with pytest.raises(ValueError, match=r"nodata.*rasterio"):
        open_image(path)


def test_importing_the_reader_does_not_import_rasterio():
    import subprocess

    code = "import sys, bohb_seg.data.imagery.reader; print('rasterio' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_film_behind_the_end_is_no_damage_but_half_a_file_is(tmp_path, scene, jpeg, suffix):
    content = jpeg if suffix == ".jpg" else cv2.imencode(".png", scene)[1].tobytes()
    path = tmp_path / f"a{suffix}"

    path.write_bytes(content + bytes(70_000))
    assert whole(path)[1].shape == scene.shape

    with pytest.raises(ValueError, match="cut off"):
        refuse_torn(content[: len(content) // 2])


def test_a_preview_with_an_end_of_its_own_does_not_end_the_picture(jpeg):
    preview = b"\xff\xe1" + (len(jpeg) + 2).to_bytes(2) + jpeg
    torn = jpeg[:2] + preview + jpeg[2 : len(jpeg) // 2]

    with pytest.raises(ValueError, match="cut off"):
        refuse_torn(torn + bytes(5000))


@pytest.mark.parametrize("tiled", [True, False])
def test_half_a_tiff_is_cut_off(tmp_path, scene, tiled):
    Image.fromarray(scene).save(tmp_path / "a.tif")
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(content[: len(content) - 500])

    with pytest.raises(ValueError, match="cut off"):
        open_image(tmp_path / "b.tif")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello", "is not an image"),
        (b"\0\0\0\x20ftypavif" + bytes(99), "is AVIF, but"),
        (b"GIF89a" + bytes(99), "is GIF, but"),
        (b"II*\0\xff\xff\xff\xff", "TIFF"),
    ],
)
def test_what_cannot_be_read_is_called_by_its_name(tmp_path, content, message):
    (tmp_path / "a.tif").write_bytes(content)

    with pytest.raises(ValueError, match=message):
        open_image(tmp_path / "a.tif")


@NEEDS
@pytest.mark.parametrize("compress", ["lzw", "lerc"])
def test_a_hole_in_a_tiff_is_damage_with_its_codec(tmp_path, compress):
    noise = np.random.default_rng(0).integers(0, 255, (3, 48, 64), np.uint8)
    path = raster(tmp_path / "a.tif", noise, compress=compress)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(range(40)) + content[middle + 40 :])

    with pytest.raises(ValueError, match=rf"is TIFF \({compress.upper()}\), but GDAL cannot"):
        whole(path)


@NEEDS
def test_further_pages_are_told(tmp_path, scene):
    image = Image.fromarray(scene)
    image.save(tmp_path / "a.tif", save_all=True, append_images=[image])

    assert whole(tmp_path / "a.tif")[0].warnings == ("holds 2 images; only the first is read",)


@NEEDS
def test_a_file_of_addresses_is_not_followed(tmp_path):
    vrt = '<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>'
    (tmp_path / "a.tif").write_text(vrt)

    with pytest.raises(ValueError, match="is not an image"):
        open_image(tmp_path / "a.tif")


def test_bands_by_number_and_name(tmp_path, scene):
    cv2.imwrite(str(tmp_path / "a.png"), scene)
    facts = whole(tmp_path / "a.png")[0]

    assert chosen_bands(facts, "3, Green,1") == (2, 1, 0)
    for wrong in ("0", "4", "nir", ",", "1,,2"):
        with pytest.raises(DataError, match="--bands"):
            chosen_bands(facts, wrong)


@NEEDS
@pytest.mark.parametrize("beside", [True, False])
def test_names_of_any_bytes_are_opened(tmp_path, beside):
    file = tmp_path / os.fsdecode(b"Stra\xdfe.tif")
    raster(tmp_path / "plain.tif", np.arange(12, dtype=np.uint16).reshape(1, 3, 4))
    (tmp_path / "plain.tif").rename(file)
    if beside:
        file.with_suffix(".tfw").write_text("0.5\n0\n0\n-0.5\n10\n20\n")

    facts, bands, _ = whole(file)

    assert np.array_equal(bands[..., 0], np.arange(12).reshape(3, 4))
    assert (facts.transform is not None) == beside


@NEEDS
def test_without_rasterio_jpeg_2000_is_not_guessed_at(tmp_path, monkeypatch):
    bands = np.random.default_rng(0).integers(0, 256, (3, 40, 40), np.uint8)
    raster(tmp_path / "a.jp2", bands, driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    assert np.array_equal(whole(tmp_path / "a.jp2")[1], np.moveaxis(bands, 0, -1))
    monkeypatch.setattr(geotiff, "available", lambda: False)

    with pytest.raises(ValueError, match=r"is JPEG 2000 .* takes rasterio; pip install"):
        whole(tmp_path / "a.jp2")
