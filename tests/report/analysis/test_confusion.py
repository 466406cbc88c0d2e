import numpy as np

from bohb_seg.report.analysis.confusion import pooled_confusion, row_shares


def test_confusions_are_summed_and_rows_become_shares():
    pooled = pooled_confusion([[[1, 1], [0, 0]], [[2, 0], [0, 0]]])
    assert pooled.tolist() == [[3, 1], [0, 0]]
    shares = row_shares(pooled)
    assert shares[0].tolist() == [0.75, 0.25]
    assert np.isnan(shares[1]).all()
    assert pooled_confusion([]) is None
