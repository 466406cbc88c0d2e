"""Patches as places in a store: nothing is copied before it is read.

Windows are laid as :mod:`~bohb_seg.data.patches` lays patches, and are equal to them, the rule by
which overlap counts once among it. A window may reach over the end of an image that is smaller;
there its bands are 0 and its labels IGNORE.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bohb_seg.data.patches import Grid, grid
from bohb_seg.data.pixels import Pixels
from bohb_seg.data.store.arrays import Bands, Store, Strip
from bohb_seg.trials import IGNORE

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """Windows of one size; all images have the same bands and dtype.

    Args:
        store: Holds the images.
        size: Edge of a window in pixels.
        places: Image, row and column of each window's upper left pixel, (n, 3).
        shown: How many of a window's first rows and columns earlier windows show, (n, 2); their
            labels are read as IGNORE, so that a score counts every pixel once.
    """

    store: Store
    size: int
    places: Numbers
    shown: Numbers

    def __post_init__(self) -> None:
        forms = {(each.bands, each.dtype) for each in self.store.layouts}
        assert len(forms) == 1, f"a batch holds images of one form, not of {sorted(forms)}"

    def __len__(self) -> int:
        return len(self.places)

    @property
    def bytes(self) -> int:
        """Bytes of one window as a network sees it, with its labels."""
        return self.size**2 * (self.store.layouts[0].bands + 1)

    def __getitem__(self, numbers: npt.ArrayLike) -> "Windows":
        """Some of the windows, by their numbers or by a mask."""
        chosen = np.asarray(numbers)
        return replace(self, places=self.places[chosen], shown=self.shown[chosen])

    def read(self, numbers: npt.ArrayLike) -> Strip:
        """Reads k windows.

        Returns:
            Images (k, size, size, bands) of the store's dtype, labels (k, size, size) uint8.

        Raises:
            DataError: the store is damaged, or cannot be read.
        """
        chosen = np.asarray(numbers, np.int64)
        form = self.store.layouts[0]
        images: Bands = np.zeros((len(chosen), self.size, self.size, form.bands), form.dtype)
        labels: Pixels = np.full(images.shape[:3], IGNORE, np.uint8)
        for place, number in enumerate(chosen):
            self._read(int(number), images[place], labels[place])
        return images, labels

    def _read(self, number: int, image: Bands, labels: Pixels) -> None:
        which, row, column = map(int, self.places[number])
        layout = self.store.layouts[which]
        height = min(self.size, layout.height - row)
        width = min(self.size, layout.width - column)
        inside = slice(height), slice(width)
        image[inside], labels[inside] = self.store.window(which, row, column, height, width)
        rows, columns = self.shown[number]
        labels[:rows] = IGNORE
        labels[:, :columns] = IGNORE

    def for_training(self) -> "Windows":
        """The same windows with all their labels, see :mod:`bohb_seg.data.patches`."""
        return replace(self, shown=np.zeros_like(self.shown))

    def sources(self, names: Sequence[str]) -> Iterator[str]:
        """Origin of each window as reports show it, ``name@row,column``, by the images' names."""
        return (f"{names[image]}@{row},{column}" for image, row, column in self.places.tolist())


@dataclass(frozen=True)
class Survey:
    """Facts about windows, found by reading each once.

    Args:
        pixels: Pixels of each class in each window, (n, classes); each pixel counts once.
        informative: Whether there is something to learn: a class, and an image that is not the
            same value everywhere, (n,).
    """

    pixels: Numbers
    informative: npt.NDArray[np.bool_]


def laid(store: Store, size: int, crop: bool = False) -> Windows:
    """Lays windows over all images, image by image and row by row, as patches are cut.

    Args:
        store: Holds the images.
        size: Edge of a window in pixels.
        crop: Whether a rest that does not fill a window is left out, see
            :func:`bohb_seg.data.patches.grid`.
    """
    laid_grids = grids(store, size, crop)
    places = [
        (image, row, column)
        for image, each in enumerate(laid_grids)
        for row, column in each.corners()
    ]
    shown = [
        (down, across)
        for each in laid_grids
        for down in _shown(each.rows, size)
        for across in _shown(each.columns, size)
    ]
    return Windows(store, size, _table(places, 3), _table(shown, 2))


def grids(store: Store, size: int, crop: bool) -> list[Grid]:
    """The grid of each image; one that is smaller than a window has a single one."""
    return [
        grid(max(each.height, size), max(each.width, size), size, crop) for each in store.layouts
    ]


def around(places: Numbers, size: int, edges: Sequence[tuple[int, int]]) -> Numbers:
    """For each image the rectangle around its windows: image, top, left, bottom, right, (n, 5).

    Args:
        places: Image, row and column of each window's upper left pixel, (windows, 3).
        size: Edge of a window in pixels.
        edges: Height and width of every image, which the rectangles end at.
    """
    ordered = places[np.argsort(places[:, 0], kind="stable")]
    images, firsts = np.unique(ordered[:, 0], return_index=True)
    found = []
    for image, corners in zip(images.tolist(), np.split(ordered[:, 1:], firsts[1:]), strict=True):
        ends = np.minimum(corners.max(axis=0) + size, edges[image])
        found.append((image, *corners.min(axis=0).tolist(), *ends.tolist()))
    return _table(found, 5)


def at(store: Store, size: int, places: Numbers) -> Windows:
    """Windows at any places, (n, 3)."""
    return Windows(store, size, places, np.zeros((len(places), 2), np.int64))


def survey(windows: Windows, classes: int) -> Survey:
    """Reads every window once.

    Raises:
        DataError: the store is damaged, or cannot be read.
    """
    pixels = np.zeros((len(windows), classes), np.int64)
    informative = np.zeros(len(windows), np.bool_)
    whole = windows.for_training()
    for number, (rows, columns) in enumerate(windows.shown.tolist()):
        (image,), (labels,) = whole.read([number])
        known = image[_inside(windows, number)]
        informative[number] = (labels < classes).any() and (known != known[0, 0]).any()
        pixels[number] = np.bincount(labels[rows:, columns:].ravel(), minlength=classes)[:classes]
    return Survey(pixels, informative)


def _inside(windows: Windows, number: int) -> tuple[slice, slice]:
    """The part of a window that its image fills."""
    image, row, column = windows.places[number]
    layout = windows.store.layouts[image]
    return slice(layout.height - row), slice(layout.width - column)


def _shown(starts: Sequence[int], size: int) -> list[int]:
    ends = [0, *(start + size for start in starts[:-1])]
    return [max(0, end - start) for end, start in zip(ends, starts, strict=True)]


def _table(rows: Sequence[tuple[int, ...]], columns: int) -> Numbers:
    return np.array(rows, np.int64).reshape(-1, columns)
