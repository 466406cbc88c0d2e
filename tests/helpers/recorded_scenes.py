"""Aerial-like patches of a recorded run, wrong predictions of them, and their scores."""

import numpy as np

CLASSES = {
    "building": (60, 16, 152),
    "land": (132, 41, 246),
    "road": (110, 193, 228),
    "vegetation": (254, 221, 58),
    "water": (226, 169, 41),
}
NAMES = list(CLASSES)
BINS = 1024


def scores(labels, predicted, loss):
    """The numbers of one part, from the confusion matrix."""
    size = len(NAMES)
    counted = labels != 255
    pairs = labels[counted].astype(int) * size + predicted[counted]
    matrix = np.bincount(pairs, minlength=size * size).reshape(size, size)
    hit, named, true = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    iou = hit / np.maximum(named + true - hit, 1)
    return {
        "loss": loss,
        "dice": float(np.mean(2 * hit / np.maximum(named + true, 1))),
        "focal": 0.01,
        "miou": float(iou.mean()),
        "iou": dict(zip(NAMES, iou.tolist(), strict=True)),
        "accuracy": float(hit.sum() / matrix.sum()),
        "precision": dict(zip(NAMES, (hit / np.maximum(named, 1)).tolist(), strict=True)),
        "recall": dict(zip(NAMES, (hit / np.maximum(true, 1)).tolist(), strict=True)),
        "micro_precision": float(hit.sum() / matrix.sum()),
        "micro_recall": float(hit.sum() / matrix.sum()),
        "confusion": matrix.tolist(),
    }


def scenes(count, edge, random):
    """Aerial-like patches: fields and water, a road, houses with shadows, some ignored pixels."""
    y, x = np.mgrid[:edge, :edge]
    images, labels = [], []
    for index in range(count):
        waves = sum(
            np.sin((x * random.normal(0, 0.09) + y * random.normal(0, 0.09)) + random.uniform(0, 6))
            for _ in range(4)
        )
        shift = 3.0 if index % 4 == 0 else random.normal(0, 0.6)
        label = np.where(waves + shift > 0.6, 1, np.where(waves + shift > -1.2, 3, 4))
        offset, slope = random.uniform(10, edge - 10), random.normal(0, 0.4)
        label[np.abs(y - offset - slope * (x - edge / 2)) < 3.5] = 2
        for _ in range(random.integers(0, 6) if index % 4 else 0):
            top, left = random.integers(0, edge - 14, 2)
            high, wide = random.integers(6, 14, 2)
            label[top : top + high, left : left + wide] = 0
        if index % 9 == 5:
            label[:6, :20] = 255
        ground = {0: (186, 170, 160), 1: (196, 172, 128), 2: (120, 122, 126), 3: (86, 118, 66),
                  4: (52, 92, 120), 255: (10, 10, 10)}  # fmt: skip
        image = np.zeros((edge, edge, 3))
        for value, colour in ground.items():
            image[label == value] = colour
        image += random.normal(0, 9, image.shape)
        images.append(np.clip(image, 0, 255))
        labels.append(label)
    return np.array(images, dtype=np.uint8), np.array(labels, dtype=np.uint8)


def predictions(labels, error, random):
    """Ground truth with blobs of wrong classes on a share ``error`` of the pixels."""
    edge = labels.shape[1]
    noise = random.normal(size=(len(labels), edge // 8 + 2, edge // 8 + 2))
    fine = noise.repeat(8, axis=1).repeat(8, axis=2)[:, 4 : edge + 4, 4 : edge + 4]
    for axis in (1, 2):
        for shift in (1, 2, 4):
            fine = (fine + np.roll(fine, shift, axis) + np.roll(fine, -shift, axis)) / 3
    hardness = random.uniform(0.3, 1.8, len(labels))
    truth = np.where(labels == 255, 1, labels)
    wrong = (truth + random.integers(1, len(NAMES), (len(labels), 1, 1))) % len(NAMES)
    limits = [
        np.quantile(own, 1 - min(0.95, error * h)) for own, h in zip(fine, hardness, strict=True)
    ]
    return np.where(fine > np.array(limits)[:, None, None], wrong, truth).astype(np.uint8)


def score_histograms(labels, error, random):
    """Histograms (positive, negative) of class scores, as the evaluation writes them."""
    size = len(NAMES)
    counts = np.bincount(labels[labels != 255].ravel(), minlength=size)
    positive = np.zeros((size, BINS), dtype=np.int64)
    negative = np.zeros((size, BINS), dtype=np.int64)
    for index, count in enumerate(counts):
        right = random.beta(5, 5 * error * (1 + index / 3), count)
        other = random.beta(5 * error * (1 + index / 3), 5, counts.sum() - count)
        positive[index] = np.histogram(right, BINS, (0, 1))[0]
        negative[index] = np.histogram(other, BINS, (0, 1))[0]
    return positive, negative
