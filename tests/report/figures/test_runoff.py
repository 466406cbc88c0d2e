from helpers.figures import heights
from helpers.journals import run_off

from bohb_seg.report.analysis.runoff import candidates
from bohb_seg.report.figures.runoff import runoff
from bohb_seg.report.style import png


def test_the_picture_shows_every_loss_and_every_failure():
    figure = runoff(candidates(run_off((0.5, 0.25), (None, 0.3))))
    assert heights(figure, "o") == [[0.1], [0.5, 0.25], [0.2], [0.3]]
    assert heights(figure, "x") == [[0.96]]
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["trial 0-0-0\nwinner", "trial 0-0-1"]
    assert png(figure)
