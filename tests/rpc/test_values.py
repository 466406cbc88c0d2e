"""What is plain survives the wire and the journal."""

import json
import math
import socket

import numpy as np
import Pyro4
import pytest
import serpent
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.rpc import values
from bohb_seg.rpc.serializer import Serializer

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.integers(0, 4_000).map(lambda bits: 1 << bits)
    | st.text(st.characters(codec=None), max_size=3)
    | st.floats()
    | st.text(max_size=5)
    | st.floats(width=32).map(np.float32)
    | st.floats().map(np.float64)
    | st.integers(-(2**63), 2**63 - 1).map(np.int64)
    | st.booleans().map(np.bool_)
    | st.lists(st.floats(), max_size=3).map(np.array)
    | st.just(np.zeros((2, 0)))
    | st.just(object())
    | st.binary(max_size=3)
)

keys = (
    st.text(st.characters(codec=None), max_size=3)
    | st.integers()
    | st.booleans()
    | st.just("__class__")
)

anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=8,
)

PLAIN = {type(None), bool, int, float, str, list, dict}


def types(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {type(value)}.union(*map(types, inner))


@settings(deadline=None)
@given(anything)
def test_what_is_plain_survives_the_wire_and_the_journal(value):
    plain = values.plain(value)
    assert values.plain(plain) == plain
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert serpent.loads(serpent.dumps(plain)) == plain
    assert Serializer().deserializeData(serpent.dumps(plain)) == plain


@settings(deadline=None)
@given(anything)
def test_nothing_but_plain_python_is_left(value):
    assert types(values.plain(value)) <= PLAIN


def test_text_of_numpy_survives_the_wire():
    assert serpent.loads(serpent.dumps(values.plain([np.str_("a")]))) == ["a"]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (True, True),
        (np.bool_(True), True),
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (math.inf, None),
        (-math.inf, None),
        (np.array([[1.0, math.nan]]), [[1.0, None]]),
        ((1, (2,)), [1, [2]]),
        ({3}, [3]),
        ({1: {"a": math.nan}}, {"1": {"a": None}}),
        (2**70, 2**70),
        ("\ud800x", "?x"),
    ],
)
def test_plain(value, plain):
    found = values.plain(value)
    assert found == plain
    assert type(found) is type(plain)


def test_integers_that_python_cannot_spell_out_do_no_harm():
    assert values.plain([2**5000, -(2**20_000), {2**20_000: 1}]) == [None, None, {"...": 1}]


def test_nesting_has_an_end():
    deep = shallow = "core"
    for _ in range(100_000):
        deep = [deep]
    for _ in range(values.MAX_DEPTH):
        shallow = {"in": [shallow]} if shallow == "core" else [shallow]
    assert "..." in json.dumps(values.plain(deep))
    assert json.dumps(values.plain(deep)).count("[") == values.MAX_DEPTH
    endless = []
    endless.append(endless)
    assert json.dumps(values.plain(endless)).count("[") == values.MAX_DEPTH


@pytest.mark.parametrize("value", ["a", "ä" * 300, "PYRO:x@[::1]:9090"])
def test_a_word_is_kept(value):
    assert values.word(value) == value


@pytest.mark.parametrize(
    "value",
    [None, 1, b"a", ["a"], "", "a" * 301, "\udfff", "a b", "a\n", "a\x1b[2J", "a\u202eb", "a\x85"],
)
def test_what_is_no_word_is_refused(value):
    with pytest.raises(ValueError, match="at most 300 characters"):
        values.word(value)


@given(st.text() | st.integers() | st.binary() | st.lists(st.text(), max_size=2))
def test_a_line_is_one_line_of_characters_that_can_be_seen(value):
    line = values.line(value, 50)
    assert line.isprintable()
    assert len(line) <= 50


def test_a_remote_object_among_values_is_not_asked_anything():
    """It would be by ``hasattr``: a proxy connects to find out."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0)
        host, port = listening.getsockname()
        found = values.plain({"a": Pyro4.Proxy(f"PYRO:x@{host}:{port}")})
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert isinstance(found["a"], str)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_last_bit(number):
    assert values.plain(np.float64(number)).hex() == number.hex()
