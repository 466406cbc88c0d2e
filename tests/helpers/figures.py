"""Reads what a figure shows."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg


def marks(figure, marker):
    """Points of the lines of a figure that are drawn with this marker only, line by line."""
    lines = [line for ax in figure.axes for line in ax.lines]
    return [
        tuple(zip(line.get_xdata(), line.get_ydata(), strict=True))
        for line in lines
        if (line.get_marker(), line.get_linestyle()) == (marker, "None")
    ]


def labels(legend):
    """Texts of a legend."""
    return [text.get_text() for text in legend.get_texts()]


def heights(figure, marker):
    """Heights of the lines of a figure that are drawn with this marker, line by line."""
    lines = [line for ax in figure.axes for line in ax.lines]
    return [list(line.get_ydata()) for line in lines if line.get_marker() == marker]


def overlapping(figure, texts):
    """Pairs of texts that overlap when the figure is drawn, and texts that stick out of it."""
    FigureCanvasAgg(figure).draw()
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    pairs = [
        (one, other)
        for (one, box), (other, second) in combinations(boxes, 2)
        if box.overlaps(second)
    ]
    return pairs + [text for text, box in boxes if box.x0 < 0 or box.x1 > figure.bbox.x1]
