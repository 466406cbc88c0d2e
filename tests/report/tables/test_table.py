import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.errors import printable
from bohb_seg.report.tables.table import shown, table, to_csv


def test_blanks_do_not_make_a_column_textual():
    its = table("t", "t", ("a", "b", "c"), [(1, None, "x"), (None, None, 2)])
    assert its.numeric == (True, False, False)


@pytest.mark.parametrize(
    ("cell", "text"), [(None, "–"), (True, "yes"), (3.0, "3"), (0.123456, "0.1235"), ("x", "x")]
)
def test_cells_are_shown_rounded(cell, text):
    assert shown(cell) == text


def in_file(*cells):
    text = to_csv(table("t", "t", [f"c{i}" for i in range(len(cells))], [cells]))
    return list(csv.reader(io.StringIO(text)))[1]


@pytest.mark.parametrize(
    "cell", [1, -1, -0.5, 1e-7, True, "-1", "+2.5", "-1e-3", ".5", "a-b", "a=b", ""]
)
def test_numbers_and_plain_names_stay_as_they_are(cell):
    assert in_file(cell, "x") == [str(cell), "x"]


@pytest.mark.parametrize(
    "cell",
    [
        *('=HYPERLINK("http://x";"y")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", " =1", "-road", "-"),
        *("\uff1d1+1", "-1-1", "+49 30", "-inf"),
    ],
)
def test_no_text_becomes_a_formula(cell):
    assert in_file(cell, "x") == ["'" + cell.replace(";=", ";'="), "x"]


def test_neither_does_a_heading_or_what_follows_a_semicolon():
    its = table("t", "t", ["=1+1", "b"], [("road;=1+1", "x;y")])
    assert to_csv(its) == "'=1+1,b\nroad;'=1+1,x;y\n"


@given(st.text().map(printable))  # as it is cleaned at the door
def test_whatever_a_spreadsheet_reads_is_text_or_a_number(text):
    (read, _) = in_file(text, "x")
    for field in read.split(";"):
        begins = field.lstrip()[:1] in "=+-@" and field.strip()
        assert not begins or float(read) is not None
