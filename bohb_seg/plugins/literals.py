"""Literals at the top level of a Python file, read without running the file.

So the master learns what a plug-in states of itself without importing what the plug-in imports.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, final

from bohb_seg.files import read_regular


class LiteralError(ValueError):
    """A file does not state what it should; the message names the file, and the line if any."""


@final
class Literals:
    """Assignments of a Python file, by name.

    Args:
        file: The file.

    Raises:
        LiteralError: it cannot be read, or is not Python.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            body = ast.parse(read_regular(file)).body
        except OSError as error:
            raise LiteralError(f"{file} cannot be read: {error.strerror}; check the path") from None
        except SyntaxError as error:
            # Null bytes are in no line.
            place = f"{file}, line {error.lineno}" if error.lineno else str(file)
            raise LiteralError(f"{place}: {error.msg}; correct it") from None
        self._nodes = dict(_assignments(body))

    def node(self, name: str) -> ast.expr | None:
        """The expression that is assigned to a name, or None."""
        return self._nodes.get(name)

    def needed(self, name: str, example: str) -> ast.expr:
        """The expression that is assigned to a name.

        Args:
            name: The name.
            example: What could stand in the file, for the message.

        Raises:
            LiteralError: there is none.
        """
        if name not in self._nodes:
            raise LiteralError(f"{self._file} states no {name}; add a line like {example}")
        return self._nodes[name]

    def value(self, node: ast.expr, subject: str) -> Any:
        """The value of an expression.

        Args:
            node: The expression.
            subject: Its name in words, for the message.

        Raises:
            LiteralError: it is computed.
        """
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, MemoryError, RecursionError):
            raise self.error(
                node, f"{subject} must be written out, because the file is read without running it"
            ) from None

    def entries(self, table: ast.expr, subject: str) -> Iterator[tuple[ast.expr, ast.expr]]:
        """Keys and values of a dictionary.

        Args:
            table: The dictionary.
            subject: Its name in words, for the message.

        Raises:
            LiteralError: it is none, or unpacks another one.
        """
        if not isinstance(table, ast.Dict):
            raise self.error(table, f"{subject} must be a dictionary that is written out")
        for key, value in zip(table.keys, table.values, strict=True):
            if key is None:
                raise self.error(value, f"{subject} must be written out, without **")
            yield key, value

    def error(self, node: ast.expr, problem: str) -> LiteralError:
        """An error at an expression, in a sentence that names file and line."""
        return LiteralError(f"{self._file}, line {node.lineno}: {problem}")


def _assignments(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value
