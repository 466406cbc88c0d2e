"""Writes labels as tools export them, and the masks that they must become."""

import base64
import io
import json

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 60, 80

NAMES = ("building", "road", "water")


def scene(seed=1, classes=4, height=HEIGHT, width=WIDTH):
    """Rectangles over each other (class, top, left, bottom, right) and their mask; 0 is bare."""
    random = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    boxes = []
    for _ in range(6):
        label = int(random.integers(1, classes))
        top, left = (int(random.integers(most - 8)) for most in (height, width))
        bottom, right = top + int(random.integers(4, 30)), left + int(random.integers(4, 30))
        boxes.append((label, top, left, min(bottom, height), min(right, width)))
        mask[top:bottom, left:right] = label
    return boxes, mask


def corners(box):
    """The corners of a rectangle as columns and rows."""
    _, top, left, bottom, right = box
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def picture(path, height=HEIGHT, width=WIDTH):
    """An image of nothing in particular."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(path)


def runs(mask):
    """COCO's run lengths of an area, column by column."""
    flat = np.concatenate([[0], mask.T.ravel(), [0]]).astype(int)
    changes = np.flatnonzero(np.diff(flat))
    return np.diff(np.concatenate([[0], changes, [mask.size]])).tolist()


def coco(path, scenes, *, whole=None, first=1, by_runs=False):
    """A COCO file of several images.

    Args:
        path: The file.
        scenes: Boxes by the image's name.
        whole: Name of a category that stands for the whole set, as Roboflow adds one.
        first: The id of the class 1.
        by_runs: Whether areas are run lengths.
    """
    images, annotations = [], []
    for number, (name, boxes) in enumerate(scenes.items()):
        images.append({"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH})
        for box in boxes:
            area = np.zeros((HEIGHT, WIDTH), np.uint8)
            area[box[1] : box[3], box[2] : box[4]] = 1
            flat = [np.ravel(corners(box)).tolist()]
            shape = {"size": [HEIGHT, WIDTH], "counts": runs(area)} if by_runs else flat
            annotations.append({
                "id": len(annotations), "image_id": number, "category_id": box[0] + first - 1,
                "segmentation": shape, "iscrowd": int(by_runs), "bbox": [0, 0, 1, 1],
            })  # fmt: skip
    listed = [{"id": first + n, "name": name} for n, name in enumerate(NAMES)]
    listed = [{"id": first - 1, "name": whole}, *listed] if whole else listed
    content = {"images": images, "annotations": annotations, "categories": listed}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def labelme(path, image, boxes, size=(HEIGHT, WIDTH)):
    """A Labelme file of one image, the first box as pixels, the others as polygons."""
    shapes = [
        {"label": NAMES[box[0] - 1], "points": corners(box), "shape_type": "polygon"}
        for box in boxes
    ]
    _, top, left, bottom, right = boxes[0]
    area = io.BytesIO()
    Image.fromarray(np.full((bottom - top, right - left), 255, np.uint8)).save(area, "PNG")
    text = base64.b64encode(area.getvalue()).decode()
    points = [[left, top], [right - 1, bottom - 1]]
    shapes[0] = {**shapes[0], "points": points, "shape_type": "mask", "mask": text}
    content = {"version": "5.2.1", "shapes": shapes, "imagePath": image, "imageData": None}
    if size:
        content |= {"imageHeight": size[0], "imageWidth": size[1]}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def label_studio(folder, task, mask):
    """One mask for each class and image, as its export of brushes names them."""
    for label, name in enumerate(NAMES, start=1):
        if (mask == label).any():
            file = folder / f"task-{task}-annotation-1-by-1-tag-{name.title()}-0.png"
            Image.fromarray((mask == label).astype(np.uint8) * 255).save(file)


def collection(path, boxes, places=lambda box: corners(box), field="class", names=NAMES):
    """A GeoJSON file of polygons; ``places`` gives the coordinates of a box."""
    features = [
        {
            "type": "Feature",
            "properties": {field: names[box[0] - 1]} if field else {},
            "geometry": {"type": "Polygon", "coordinates": [[*places(box), places(box)[0]]]},
        }
        for box in boxes
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
