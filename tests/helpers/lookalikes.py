"""Tiny data sets in the layouts of public ones and of labelling tools; their contents drawn here.

Each function writes one into an empty folder. Names and encodings are those of the original as far
as they say what belongs together and what a class is.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

EDGE = 48
DRAWN = {}
"""Classes that were drawn, (EDGE, EDGE), by the path of their mask."""
Colours = Sequence[tuple[int, int, int]]

SIX = ((255, 255, 255), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0))
SEVEN = (*((0, 255, 255), (255, 255, 0), (255, 0, 255), (0, 255, 0), (0, 0, 255)),
         *((255, 255, 255), (0, 0, 0)))  # fmt: skip
EIGHT = (*((0, 0, 0), (128, 0, 0), (128, 64, 128), (192, 0, 192), (0, 128, 0)),
         *((128, 128, 0), (64, 64, 0), (64, 0, 128)))  # fmt: skip
FOUR = ((0, 0, 0), (250, 50, 83), (51, 221, 255), (36, 179, 83))
DUBAI = (*((60, 16, 152), (132, 41, 246), (110, 193, 228), (254, 221, 58)),
         *((226, 169, 41), (155, 155, 155)))  # fmt: skip


def image(root: Path, path: str) -> None:
    """Writes an image of noise."""
    _write(root / path, _random(path).integers(0, 256, (EDGE, EDGE, 3), np.uint8))


def mask(root: Path, path: str, classes: int = 2, colours: Colours | None = None) -> None:
    """Writes a mask in which each class has a rectangle, as indices or in colours (RGB)."""
    labels = _random(path).integers(0, classes, (6, 6)).repeat(8, axis=0).repeat(8, axis=1)
    labels[:2, :classes] = np.arange(classes)
    DRAWN[root / path] = labels
    drawn = labels if colours is None else np.array(colours)[labels][..., ::-1]
    _write(root / path, drawn.astype(np.uint8))


def text(root: Path, path: str, *lines: str) -> None:
    """Writes a text file."""
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text("\n".join(lines) + "\n")


def inria(root: Path) -> None:
    for city in ("austin1", "austin2", "chicago1", "chicago2", "kitsap1", "kitsap2"):
        image(root, f"AerialImageDataset/train/images/{city}.tif")
        mask(root, f"AerialImageDataset/train/gt/{city}.tif", 2, ((0,) * 3, (255,) * 3))
    for n in (1, 2):
        image(root, f"AerialImageDataset/test/images/innsbruck{n}.tif")


def potsdam(root: Path) -> None:
    for n in range(10, 14):
        for folder in ("2_Ortho_RGB", "3_Ortho_IRRG", "4_Ortho_RGBIR"):
            image(root, f"{folder}/top_potsdam_2_{n}_{folder.rpartition('_')[2]}.tif")
        mask(root, f"5_Labels_all/top_potsdam_2_{n}_label.tif", 6, SIX)
        text(root, f"2_Ortho_RGB/top_potsdam_2_{n}_RGB.tfw", "0.05")


def vaihingen(root: Path) -> None:
    for n in (1, 3, 5, 7):
        image(root, f"top/top_mosaic_09cm_area{n}.tif")
        mask(root, f"gts_for_participants/top_mosaic_09cm_area{n}.tif", 6, SIX)
        mask(root, f"gts_eroded/top_mosaic_09cm_area{n}_noBoundary.tif", 6, SIX)


def deepglobe(root: Path) -> None:
    names = ("urban_land", "agriculture_land", "rangeland", "forest_land", "water", "barren_land")
    for n in (119, 266, 606, 855):
        image(root, f"train/{n}_sat.jpg")
        mask(root, f"train/{n}_mask.png", 7, SEVEN)
    for n in (1, 2):
        image(root, f"valid/{n}_sat.jpg")
    rows = zip((*names, "unknown"), SEVEN, strict=True)
    lines = (f"{name},{','.join(map(str, colour))}" for name, colour in rows)
    text(root, "class_dict.csv", "name,r,g,b", *lines)


def landcover(root: Path) -> None:
    for name in ("M-33-20-D-c-4-2", "M-33-20-D-d-3-3", "N-33-60-D-c-4-2", "N-34-61-B-a-1-1"):
        image(root, f"images/{name}.tif")
        mask(root, f"masks/{name}.tif", 5)
    for part in ("train", "val", "test"):
        text(root, f"{part}.txt", "M-33-20-D-c-4-2_0")


def landcover_tiles(root: Path) -> None:
    for n in range(6):
        image(root, f"output/M-33-20-D-c-4-2_{n}.jpg")
        mask(root, f"output/M-33-20-D-c-4-2_{n}_m.png", 5)


def loveda(root: Path) -> None:
    for part in ("Train", "Val"):
        for area in ("Rural", "Urban"):
            for n in range(3):
                image(root, f"{part}/{area}/images_png/{n}.png")
                mask(root, f"{part}/{area}/masks_png/{n}.png", 8)
    for area in ("Rural", "Urban"):
        image(root, f"Test/{area}/images_png/9.png")


def uavid(root: Path) -> None:
    for part, number in (("train", 1), ("train", 2), ("val", 16), ("test", 21)):
        for n in ("000000", "000100"):
            image(root, f"uavid_{part}/seq{number}/Images/{n}.png")
            if part != "test":
                mask(root, f"uavid_{part}/seq{number}/Labels/{n}.png", 8, EIGHT)


def openearthmap(root: Path) -> None:
    for region in ("tokyo", "accra", "lima"):
        for n in (1, 2):
            image(root, f"{region}/images/{region}_{n}.tif")
            mask(root, f"{region}/labels/{region}_{n}.tif", 9)
    text(root, "train.txt", "tokyo_1.tif", "accra_1.tif")
    text(root, "val.txt", "lima_1.tif")


def massachusetts(root: Path) -> None:
    for part, numbers in (("train", (1, 2, 3)), ("val", (4,)), ("test", (5, 6))):
        for n in numbers:
            image(root, f"tiff/{part}/2267891{n}_15.tiff")
            mask(root, f"tiff/{part}_labels/2267891{n}_15.tif", 2, ((0, 0, 0), (255, 0, 0)))


def chesapeake(root: Path) -> None:
    for n in range(3):
        image(root, f"m_3807{n}_ne_18_1_naip-new.tif")
        mask(root, f"m_3807{n}_ne_18_1_lc.tif", 7)


def dubai(root: Path) -> None:
    for tile in (1, 2, 3):
        for n in (1, 2):
            image(root, f"Tile {tile}/images/image_part_{n:03d}.jpg")
            mask(root, f"Tile {tile}/masks/image_part_{n:03d}.png", 6, DUBAI)
    text(root, "classes.json", '{"classes": [{"title": "Water", "color": "#50E3C2"}]}')


def roboflow(root: Path) -> None:
    for part in ("train", "valid", "test"):
        for n in range(3):
            for copy in (1, 2) if part == "train" else (1,):
                stem = f"{part}/img{n}_jpg.rf.{10 * n + copy:032x}"
                image(root, f"{stem}.jpg")
                mask(root, f"{stem}_mask.png", 4)
        rows = "0, background", "1, building", "2, road", "3, water"
        text(root, f"{part}/_classes.csv", "Pixel Value, Class", *rows)


def cvat(root: Path) -> None:
    for n in range(5):
        image(root, f"JPEGImages/ortho {n}.jpg")
        mask(root, f"SegmentationClass/ortho {n}.png", 4, FOUR)
        mask(root, f"SegmentationObject/ortho {n}.png", 4, FOUR)
    text(root, "ImageSets/Segmentation/default.txt", *(f"ortho {n}" for n in range(5)))
    rows = "background:0,0,0::", "building:250,50,83::", "water:51,221,255::", "road:36,179,83::"
    text(root, "labelmap.txt", "# label:color_rgb:parts:actions", *rows)


def qgis(root: Path) -> None:
    for n in range(4):
        image(root, f"images/tile_{n}.tif")
        mask(root, f"masks/tile_{n}.tif", 3)


def mmseg(root: Path) -> None:
    for part in ("train", "val", "test"):
        for n in range(3):
            image(root, f"img_dir/{part}/{n}.jpg")
            mask(root, f"ann_dir/{part}/{n}.png", 6)


def nnunet(root: Path) -> None:
    for n in range(4):
        for channel in range(3):
            image(root, f"Dataset001_A/imagesTr/case_{n:03d}_{channel:04d}.png")
        mask(root, f"Dataset001_A/labelsTr/case_{n:03d}.png", 3)
    text(root, "Dataset001_A/dataset.json", '{"labels": {"background": 0, "b": 1, "r": 2}}')


ALL: tuple[Callable[[Path], None], ...] = (
    inria, potsdam, vaihingen, deepglobe, landcover, landcover_tiles, loveda, uavid, openearthmap,
    massachusetts, chesapeake, dubai, roboflow, cvat, qgis, mmseg, nnunet,
)  # fmt: skip


def _random(path: str) -> np.random.Generator:
    return np.random.default_rng(list(path.encode()))


def _write(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), pixels)
