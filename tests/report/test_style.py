"""Names in any script: drawn by a font that is there, else told otherwise."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import font_manager

from bohb_seg.report import style
from bohb_seg.report.style import drawable, new_figure, png, short, styled


@pytest.fixture
def fonts(monkeypatch):
    """Fonts that are looked for beside the usual one."""

    def choose(*names):
        monkeypatch.setattr(style, "OTHER_FONTS", names)
        style._fonts.cache_clear()

    yield choose
    style._fonts.cache_clear()


def characters(font):
    file = font_manager.findfont(font_manager.FontProperties(family=[font]))
    return font_manager.get_font(file).get_charmap().keys()


@styled
def titled(name):
    figure = new_figure(1, 3)
    figure.subplots().set_title(name)
    return figure


def drawn(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where it draws a box
        return png(titled(name))


def test_a_name_that_no_font_has_is_told_by_its_characters(fonts):
    fonts()
    assert drawable("road \u9053\u8def") == "road \\u9053\\u8def"
    assert short("\u9053" * 9) == "\\u9053" * 4 + "\\u9\u2026"
    assert drawable("\u0434\u043e\u0440\u043e\u0433\u0430, chauss\u00e9e") == (
        "\u0434\u043e\u0440\u043e\u0433\u0430, chauss\u00e9e"
    )
    drawn(short("\u9053\u8def"))


def test_a_font_that_is_there_draws_what_the_usual_one_has_not(fonts):
    only = chr(min(characters("STIXGeneral") - characters(style.FONT)))
    fonts()
    assert drawable(only) != only
    fonts("No Such Font", "STIXGeneral")
    assert drawable(only) == only
    drawn(only)


@settings(deadline=None, max_examples=20)
@given(st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20))
def test_no_name_is_drawn_as_a_box(name):
    drawn(short(name))
