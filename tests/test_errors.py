"""Text from outside: one line, and nothing but text, wherever it is shown."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg.errors import BohbSegError, JournalError, RunOverError, printable, printable_lines

TEXTS = st.text(st.characters(codec=None, categories=None), max_size=40)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Straße 7 – 水 :smile: [/x] $a_{$", "Straße 7 – 水 :smile: [/x] $a_{$"),
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("Stra\udcdfe", "Stra\\xdfe"),
        ("\ud800", "\\ud800"),
        ("txt\u202egpj.exe\u2028", "txt\\u202egpj.exe\\u2028"),
        ("می\u200cخواهم\u00a0", "می\u200cخواهم\u00a0"),
    ],
)
def test_what_acts_instead_of_being_shown_becomes_visible(text, shown):
    assert printable(text) == shown


@given(TEXTS)
def test_every_text_becomes_one_line_that_can_be_written_anywhere(text):
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")
    assert not [each for each in shown if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp")]
    assert printable(shown) == shown


@given(TEXTS)
def test_lines_stay_lines(text):
    lines = text.splitlines()
    assert printable_lines(text).split("\n") == ([printable(each) for each in lines] or [""])


@pytest.mark.parametrize("kind", [BohbSegError, RunOverError])
def test_an_error_is_one_sentence_whatever_it_names(kind):
    assert str(kind("data \x1b[2J\nis gone")) == "data \\x1b[2J\\nis gone"


def test_facts_of_an_error_stay_as_they_are(tmp_path):
    error = JournalError(tmp_path / "a\nb", 3, "torn")
    assert error.path == tmp_path / "a\nb"
    assert "a\\nb, line 3: torn" in str(error)
