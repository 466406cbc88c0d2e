import numpy as np

from bohb_seg.augmentation import augment


def patches(count=64, edge=8):
    labels = np.random.default_rng(0).integers(200, size=(count, edge, edge)).astype(np.uint8)
    return np.stack([labels] * 3, axis=-1), labels


def test_images_and_labels_move_together():
    images, labels = patches()
    views, masks = augment(images, labels, 0.0, np.random.default_rng(1))
    np.testing.assert_array_equal(views[..., 0], masks)
    assert sorted(masks.ravel()) == sorted(labels.ravel())


def test_all_eight_views_occur_and_the_originals_stay():
    images, labels = patches(count=200)
    before = labels.copy()
    _, masks = augment(images, labels, 1.0, np.random.default_rng(1))
    np.testing.assert_array_equal(labels, before)
    views = {
        (turn, flip)
        for label, mask in zip(labels, masks, strict=True)
        for turn in range(4)
        for flip in (False, True)
        if np.array_equal(mask, np.rot90(label, turn)[:, :: -1 if flip else 1])
    }
    assert len(views) == 8


def test_strength_changes_colours_and_never_labels():
    images, labels = patches()
    calm = augment(images, labels, 0.0, np.random.default_rng(1))
    wild = augment(images, labels, 1.0, np.random.default_rng(1))
    assert wild[0].dtype == np.uint8
    assert not np.array_equal(calm[0], wild[0])
    np.testing.assert_array_equal(calm[1], wild[1])
