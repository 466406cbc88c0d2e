"""What both a question and an answer may hold, and what is made of it."""

import zlib

import Pyro4
import pytest
import serpent
from hypothesis import given
from hypothesis import strategies as st
from Pyro4 import util

from bohb_seg.rpc import pyro
from bohb_seg.rpc.serializer import STRUCTURE_BYTES, Serializer

ours = Serializer()


def of_class(name, **further):
    return serpent.dumps({"__class__": name, **further})


def test_it_is_the_one_that_pyro4_uses():
    pyro.set_up_pyro()
    assert isinstance(util.get_serializer("serpent"), Serializer)
    assert isinstance(util.get_serializer_by_id(ours.serializer_id), Serializer)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=9,
)


@given(plain)
def test_plain_values_pass(value):
    data, _ = ours.serializeData(value)
    assert ours.deserializeData(data) == value
    call, _ = ours.serializeCall("object", "method", (value,), {"k": value})
    assert ours.deserializeCall(call) == ("object", "method", (value,), {"k": value})


def test_what_the_protocol_needs_passes():
    for value in (Pyro4.URI("PYRO:x@[::1]:1"), Pyro4.Proxy("PYRO:x@h:1"), KeyError("k")):
        data, _ = ours.serializeData(value)
        found = ours.deserializeData(data)
        assert type(found) is type(value)
    assert str(ours.deserializeData(of_class("float", value="nan"))) == "nan"


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "GeneratorExit"])
def test_an_exception_that_ends_threads_becomes_one_that_does_not(name):
    sent = of_class(f"builtins.{name}", __exception__=True, args=("x",), attributes={})
    found = ours.deserializeData(sent)
    assert isinstance(found, Pyro4.errors.PyroError)
    assert name in str(found)


@pytest.mark.parametrize(
    "sent",
    [
        of_class("Pyro4.core.Daemon", state=()),
        of_class("Pyro4.core.Daemon", state=(), __exception__=True),
        of_class("Pyro4.util.PickleSerializer"),
        of_class("Pyro4.futures._ExceptionWrapper", exception=1),
        of_class("os.system", args=("true",)),
        of_class("builtins.__import__", __exception__=True, args=("os",)),
        of_class("a\x1b[2Jb"),
        of_class(7),
        serpent.dumps([1, {"a": {"__class__": "bohb_seg.Unknown"}}]),
    ],
)
def test_other_classes_are_refused(sent):
    with pytest.raises((Pyro4.errors.PyroError, TypeError, AttributeError)):
        ours.deserializeData(sent)


@pytest.mark.parametrize("read", [ours.deserializeData, ours.deserializeCall])
@pytest.mark.parametrize(
    ("data", "compressed"),
    [
        (zlib.compress(serpent.dumps("x" * 100_000_000)), True),
        (b"[" + b"1," * STRUCTURE_BYTES + b"]", False),
        (b"1," * STRUCTURE_BYTES + rb"'" + rb"\'" * 99, False),
    ],
)
def test_what_would_unfold_is_refused_before_it_does(read, data, compressed):
    with pytest.raises(Pyro4.errors.CommunicationError, match=r"refused kind|too many values"):
        read(data, compressed)
