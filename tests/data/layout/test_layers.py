from pathlib import Path

from bohb_seg.data.layout.layers import Layered, layers
from bohb_seg.data.layout.search import Tree

MASKS = (
    "task-1-annotation-7-by-1-tag-Building-0.png",
    "task-1-annotation-7-by-1-tag-Building-1.png",
    "task-1-annotation-7-by-1-tag-Bare soil-0.png",
    "task-2-annotation-8-by-1-tag-Building-0.png",
)


def test_masks_of_single_classes_belong_to_one_image():
    tree = Tree(Path("here"), ("images/1.jpg", "images/2.jpg", "images/3.jpg", *MASKS))

    assert layers(tree) == (
        Layered("images/1.jpg", {"Bare soil": MASKS[2:3], "Building": MASKS[:2]}),
        Layered("images/2.jpg", {"Building": MASKS[3:]}),
    )


def test_tasks_that_no_image_is_named_after_say_nothing():
    tree = Tree(Path("here"), ("images/1.jpg", "images/a.jpg", *MASKS))

    assert layers(tree) == ()


def test_other_exports_have_no_layers():
    assert layers(Tree(Path("here"), ("images/1.jpg", "masks/1.png"))) == ()
