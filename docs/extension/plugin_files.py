"""The plug-ins that ship, read from their files without importing them."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bohb_seg import plugins
from extension.commands import ROOT

_SENTENCE_END = re.compile(r"(?<!\bal)\. ")
"""A full stop, but not that of "et al."."""

PACKAGE = ROOT / "bohb_seg"


@dataclass(frozen=True)
class Plugin:
    """One file of a plug-in folder.

    Args:
        name: As on the command line.
        signature: Its entry function as its file has it, ``build(space, ladder, seed)``; for a
            worker, its class.
        summary: First sentence of the file's docstring.
    """

    name: str
    signature: str
    summary: str


def plugin_files(kind: str) -> Iterator[Plugin]:
    """The plug-ins of one kind, sorted by name."""
    for name in plugins.names(kind):
        file = plugins.file_of(kind, name)
        yield Plugin(name, _signature(file, plugins.KINDS[kind].entry), first_sentence(file))


def modules(folder: Path = PACKAGE) -> dict[str, str]:
    """The packages and modules directly in a package, each with its docstring's first sentence."""
    packages = {file.parent.name: file for file in folder.glob("*/__init__.py")}
    files = {file.stem: file for file in folder.glob("*.py") if file.stem != "__init__"}
    found = sorted((packages | files).items())
    return {name: first_sentence(file) for name, file in found if not name.startswith("_")}


def first_sentence(file: Path) -> str:
    """The first sentence of a file's docstring, on one line."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return _SENTENCE_END.split(" ".join(text.split("\n\n")[0].split()))[0].rstrip(".:") + "."


def _signature(file: Path, function: str) -> str:
    """The first line of the function; without a name, that of the file's public class."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) if name == function:
                return f"{name}({ast.unparse(node.args)})"
            case ast.ClassDef(name=name) if not function and not name.startswith("_"):
                return f"class {name}({', '.join(map(ast.unparse, node.bases))})"
    raise ValueError(f"{file} has no {function or 'class'}")
