"""Finds a file of ``models/``, ``datasets/``, ``spaces/`` or ``optimizers/`` by its name.

Adding one thing is adding one file: a module is a plug-in of its folder if it defines the folder's
entry function, and its file name (with ``-`` for ``_``) is its name on the command line. Nothing is
imported until it is asked for.
"""

import ast
import importlib
from pathlib import Path
from types import ModuleType

from bohb_seg.errors import SettingsError, UnknownPluginError

ENTRY_FUNCTIONS = {
    "models": "build",
    "datasets": "load",
    "spaces": "space",
    "optimizers": "build",
}
"""What each plug-in folder's files must define to be found."""

_PACKAGE = Path(__file__).parent


def names(kind: str) -> tuple[str, ...]:
    """The names that ``find(kind, name)`` knows, sorted."""
    files = (_PACKAGE / kind).glob("*.py")
    return tuple(sorted(_name(file) for file in files if _defines(file, ENTRY_FUNCTIONS[kind])))


def check(kind: str, name: str) -> None:
    """Makes sure that ``find(kind, name)`` will find something, without importing it.

    Raises:
        UnknownPluginError: there is none; lists those that exist.
    """
    known = names(kind)
    if name not in known:
        raise UnknownPluginError(kind.rstrip("s"), name, known)


def file_of(kind: str, name: str) -> Path:
    """The file of a plug-in, without importing it.

    Raises:
        UnknownPluginError: there is none; lists those that exist.
    """
    check(kind, name)
    return _PACKAGE / kind / f"{name.replace('-', '_')}.py"


def find(kind: str, name: str) -> ModuleType:
    """Imports the plug-in ``name`` of the folder ``kind``.

    Raises:
        UnknownPluginError: there is none; lists those that exist.
    """
    check(kind, name)
    return importlib.import_module(f"bohb_seg.{kind}.{name.replace('-', '_')}")


def worker_file(spec: str) -> Path:
    """The file that ``--worker NAME`` or ``--worker FILE.py[:Class]`` means.

    Raises:
        UnknownPluginError: no such name; lists those that exist.
        SettingsError: no such file.
    """
    place = spec.partition(":")[0]
    if place.endswith(".py"):
        if not Path(place).is_file():
            raise SettingsError(f"--worker {spec}: there is no file {place}; check the path")
        return Path(place)
    files = {file.stem: file for file in _workers_folder().glob("*.py")}
    if place not in files:
        raise UnknownPluginError("worker", place, files)
    return files[place]


def _workers_folder() -> Path:
    """``workers/`` of the checkout, or the copy that the wheel carries."""
    packaged = _PACKAGE / "_workers"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "workers"


def _name(file: Path) -> str:
    return file.stem.replace("_", "-")


def _defines(file: Path, function: str) -> bool:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body)
