"""Reads what a figure shows."""


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
