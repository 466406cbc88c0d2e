"""What may cross the wire."""

import json
import math

import numpy as np
import Pyro4
import pytest
import serpent
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg import security

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
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
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers() | st.booleans(), inner, max_size=3)
    ),
    max_leaves=8,
)
PLAIN = {type(None), bool, int, float, str, list, dict}


def types(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {type(value)}.union(*map(types, inner))


@settings(deadline=None)
@given(values)
def test_what_is_plain_survives_the_wire_and_the_journal(value):
    plain = security.plain(value)
    assert security.plain(plain) == plain
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert serpent.loads(serpent.dumps(plain)) == plain


@settings(deadline=None)
@given(values)
def test_nothing_but_plain_python_is_left(value):
    assert types(security.plain(value)) <= PLAIN


def test_text_of_numpy_survives_the_wire():
    assert serpent.loads(serpent.dumps(security.plain([np.str_("a")]))) == ["a"]


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
    ],
)
def test_plain(value, plain):
    found = security.plain(value)
    assert found == plain
    assert type(found) is type(plain)


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_last_bit(number):
    assert security.plain(np.float64(number)).hex() == number.hex()


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("localhost", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("192.0.2.7", False),
        ("no such host", False),
    ],
)
def test_only_addresses_that_stay_here_are_loopback(host, loopback):
    assert security.is_loopback(host) is loopback


def test_pyro_speaks_nothing_but_serpent():
    security.set_up_pyro()
    assert Pyro4.config.SERIALIZER == "serpent"
    assert set(Pyro4.config.SERIALIZERS_ACCEPTED) == {"serpent"}
    assert 0 < Pyro4.config.MAX_MESSAGE_SIZE <= 2**30


def test_every_call_ends():
    with security.nameserver("192.0.2.7", 9090) as names:
        assert names._pyroTimeout == security.CALL_TIMEOUT
        assert str(names._pyroUri) == "PYRO:Pyro.NameServer@192.0.2.7:9090"
    with security.proxy("PYRO:x@127.0.0.1:1", timeout=0.5) as remote:
        assert remote._pyroTimeout == 0.5
