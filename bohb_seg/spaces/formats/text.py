"""The text of a space file, read so that nothing in it is taken for something else.

JSON and YAML readers pass over a name that stands twice. YAML 1.1, which PyYAML reads, takes
``no`` for false, ``1e-4`` for text, ``010`` for eight and ``1:30`` for ninety. Here ``1e-4`` is a
number, as in JSON and in YAML 1.2; the other words are refused, because the two versions disagree
on them.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import yaml

from bohb_seg.errors import SpaceError
from bohb_seg.files import open_regular
from bohb_seg.spaces.formats.plain_values import one_line

LARGEST = 1_000_000
"""Bytes of a space file; a larger one is something else."""
MOST_NODES = 100_000
"""Values of a YAML file with its aliases written out, of which a few lines can mean billions."""

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*|0x[0-9a-fA-F]+)")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
_TAG = "tag:yaml.org,2002:"


def parsed(file: Path, where: str) -> Any:
    """Parses a space file by its suffix.

    Args:
        file: A file that ends in ``.json``, ``.yaml`` or ``.yml``.
        where: Name of the space in messages.

    Raises:
        SpaceError: the file cannot be read, is broken, or says what can be taken in two ways.
        RecursionError: it is nested deeply.
    """
    try:
        with open_regular(file, sys.maxsize) as stream:
            text = stream.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes, which is no search space")
        read = _json if file.suffix == ".json" else _yaml
        return read(text.decode("utf-8-sig"))
    except OSError as error:
        raise SpaceError(f"{where} cannot be read: {error.strerror}") from None
    except (ValueError, yaml.YAMLError) as error:
        raise SpaceError(f"{where} is broken: {one_line(error)}") from None


def _json(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_number)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_twice(name for name, _ in pairs)
    return dict(pairs)


def _refuse_twice(names: Iterable[Hashable], place: str = "") -> None:
    name, count = next(iter(Counter(names).most_common(1)), (None, 0))
    if count > 1:
        raise ValueError(f"{place}{name!r} stands {count} times in one table; leave one of them")


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number that a hyperparameter can have; write a finite one")


def _yaml(text: str) -> Any:
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_endless(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _refuse_endless(node: yaml.Node, known: dict[int, int]) -> int:
    """Counts the values below a node, each alias as often as it is used.

    Raises:
        ValueError: they are too many, or a value holds itself.
    """
    if id(node) not in known:
        known[id(node)] = MOST_NODES + 1  # while its own values are counted: it may not hold itself
        below: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            below = node.value
        elif isinstance(node, yaml.MappingNode):
            below = [each for pair in node.value for each in pair]
        known[id(node)] = 1 + sum(_refuse_endless(each, known) for each in below)
    if known[id(node)] > MOST_NODES:
        line = node.start_mark.line + 1
        raise ValueError(f"line {line}: it means more than {MOST_NODES} values; write fewer")
    return known[id(node)]


class _Loader(yaml.SafeLoader):
    """Plain YAML, and tuples, which ConfigSpace writes for forbidden values but does not read."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A table, in which no name may stand twice."""
        names = ((key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        place = f"line {node.start_mark.line + 1}: "
        _refuse_twice((value for tag, value in names if tag != f"{_TAG}merge"), place)
        return super().construct_mapping(node, deep)

    def tuples(self, node: yaml.SequenceNode) -> list[Any]:
        """A tuple, as a list."""
        return list(self.construct_sequence(node, deep=True))

    def truth(self, node: yaml.ScalarNode) -> bool:
        """``true`` or ``false``."""
        if node.value.lower() not in ("true", "false"):
            raise _ambiguous(node)
        return bool(node.value.lower() == "true")

    def whole(self, node: yaml.ScalarNode) -> int:
        """A whole number, decimal or with ``0x``."""
        if not _WHOLE.fullmatch(node.value):
            raise _ambiguous(node)
        return int(node.value, 16 if "x" in node.value else 10)

    def number(self, node: yaml.ScalarNode) -> float:
        """A number with a point or an exponent."""
        if not _FLOAT.fullmatch(node.value):
            raise _ambiguous(node)
        return float(node.value.replace(".inf", "inf").replace(".nan", "nan"))

    def date(self, node: yaml.ScalarNode) -> NoReturn:
        """A date, which is no value of a hyperparameter."""
        raise _ambiguous(node)


def _ambiguous(node: yaml.ScalarNode) -> ValueError:
    word, kind = node.value, node.tag.removeprefix(_TAG)
    return ValueError(
        f"line {node.start_mark.line + 1}: {word!r} would be taken for a value of type {kind};"
        " write it in quotation marks if it is text, else in plain digits, true or false"
    )


_Loader.add_constructor(f"{_TAG}python/tuple", _Loader.tuples)
_Loader.add_constructor(f"{_TAG}bool", _Loader.truth)
_Loader.add_constructor(f"{_TAG}int", _Loader.whole)
_Loader.add_constructor(f"{_TAG}float", _Loader.number)
_Loader.add_constructor(f"{_TAG}timestamp", _Loader.date)
_Loader.add_implicit_resolver(
    f"{_TAG}float", re.compile(f"^({_FLOAT.pattern})$"), list("-+.0123456789")
)
