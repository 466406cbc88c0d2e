import pytest

from bohb_seg.report.tables.table import shown, table


def test_blanks_do_not_make_a_column_textual():
    its = table("t", "t", ("a", "b", "c"), [(1, None, "x"), (None, None, 2)])
    assert its.numeric == (True, False, False)


@pytest.mark.parametrize(
    ("cell", "text"), [(None, "–"), (True, "yes"), (3.0, "3"), (0.123456, "0.1235"), ("x", "x")]
)
def test_cells_are_shown_rounded(cell, text):
    assert shown(cell) == text
