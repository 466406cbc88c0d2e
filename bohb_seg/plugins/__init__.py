"""Finds, checks and imports plug-ins: models, data sets, search spaces, optimizers and workers.

A plug-in is one file. It lies in the folder of its kind, and its name on the command line is its
file name with ``-`` for ``_``; or it lies anywhere, and its path is given, which ends in ``.py``.
There is no list of plug-ins: a file is one if it defines the entry function of its kind. Files
whose names begin with ``_`` are helpers of plug-ins.

A file is read before it is run: whether it exists and defines its entry function follows from its
syntax tree. It is imported when it is used, and not earlier.
"""

import ast
import hashlib
import importlib
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from bohb_seg.errors import BohbSegError, DataError, PluginError, UnknownPluginError
from bohb_seg.files import read_regular
from bohb_seg.plugins.literals import LiteralError, Literals


@dataclass(frozen=True)
class Kind:
    """One kind of plug-in.

    Args:
        word: Its name in messages, singular.
        flag: The flag that chooses one.
        entry: The function that its files define; "" if they hold a class instead.
        formats: Suffixes of its files that are not Python; these are never imported.
        rest: What may follow after a colon: ``--data NAME:PATH``; "" if nothing may.
    """

    word: str
    flag: str
    entry: str
    formats: tuple[str, ...] = ()
    rest: str = ""


KINDS: Mapping[str, Kind] = {
    "models": Kind("model", "--model", "build"),
    "datasets": Kind("data set", "--data", "load", rest="PATH"),
    "spaces": Kind("space", "--space", "space", formats=(".json", ".yaml", ".yml")),
    "optimizers": Kind("optimizer", "--optimizer", "build"),
    "workers": Kind("worker", "--worker", "", rest="Class"),
}
"""The kinds by folder."""

FOLDER_DATASET = "folder"
"""The data set that reads the path of ``--data PATH``."""

_PACKAGE = Path(__file__).resolve().parents[1]
_PYTHON = ".py"


def names(kind: str) -> tuple[str, ...]:
    """Names of the plug-ins in the folder of a kind, sorted."""
    return tuple(sorted(_files(kind)))


def file_of(kind: str, spec: str) -> Path:
    """The file of a plug-in, checked as far as this is possible without running it.

    Args:
        kind: A folder: ``"models"``, ``"datasets"``, ``"spaces"``, ``"optimizers"``, ``"workers"``.
        spec: What the flag says: a name or a path, for some kinds with ``:`` and more behind it.

    Raises:
        UnknownPluginError: there is no such name; lists those that exist.
        PluginError: there is no such file, or it is no plug-in of this kind.
    """
    place, _ = parts(kind, spec)
    if not _is_path(kind, place):
        files = _files(kind)
        name = place.replace("_", "-")
        if name not in files:
            raise UnknownPluginError(KINDS[kind].word, place, files)
        return files[name]
    file = Path(place).expanduser()
    if not file.is_file():
        raise PluginError(
            f"{KINDS[kind].flag} {spec}: there is no file {file.absolute()}; check the path"
        )
    if file.suffix == _PYTHON:
        _check_source(kind, spec, file)
    return file


def find(kind: str, spec: str) -> ModuleType:
    """Imports a plug-in; a file is imported once, until it changes.

    Raises:
        UnknownPluginError: there is no such name; lists those that exist.
        PluginError: there is no such file, it is no plug-in of this kind, or running it fails.
    """
    file = file_of(kind, spec)
    if file.resolve().parent == _PACKAGE / kind:
        return importlib.import_module(f"bohb_seg.{kind}.{file.stem}")
    with blaming(kind, spec):
        module = _imported(file.resolve())
    return module


def call(kind: str, spec: str, *arguments: Any) -> Any:
    """Calls the entry function of a plug-in.

    Raises:
        UnknownPluginError: there is no such name; lists those that exist.
        PluginError: there is no such file, it is no plug-in of this kind, or running it fails.
    """
    module = find(kind, spec)
    with blaming(kind, spec):
        return getattr(module, KINDS[kind].entry)(*arguments)


@contextmanager
def blaming(kind: str, spec: str) -> Iterator[None]:
    """Turns errors of a plug-in that was given by path into one sentence with file and line.

    Errors of plug-ins in the package's folders pass unchanged: they are faults of the package.

    Raises:
        PluginError: the code within raised something that is no BohbSegError.
    """
    place, _ = parts(kind, spec)
    try:
        yield
    except BohbSegError:
        raise
    except (Exception, SystemExit) as error:
        if not _is_path(kind, place):
            raise
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        line = _last_line(error, Path(place).expanduser().resolve())
        raise PluginError(
            f"{KINDS[kind].flag} {spec} fails{f' in line {line}' if line else ''}: {reason};"
            " correct the file"
        ) from error


def digest(kind: str, spec: str) -> str:
    """Hex digest of a plug-in that was given by path; "" for one that belongs to the package.

    Two machines have the same plug-in if they have the same version of the package and the same
    digest.
    """
    if not _is_path(kind, parts(kind, spec)[0]):
        return ""
    return hashlib.blake2b(read_regular(file_of(kind, spec)), digest_size=16).hexdigest()


def parts(kind: str, spec: str) -> tuple[str, str]:
    """Name or path of a plug-in, and what follows after the colon ("" if nothing does)."""
    if not KINDS[kind].rest:
        return spec, ""
    file = re.match(r"(.+?\.py)(?::|$)", spec)
    place = file[1] if file else spec.partition(":")[0]
    return place, spec[len(place) + 1 :]


def data_source(data: str) -> tuple[str, str]:
    """The data set that ``--data`` means, and the path that it is to read.

    Args:
        data: ``NAME``, ``NAME:PATH``, ``FILE.py``, ``FILE.py:PATH`` or the path of a folder. A
            data set wins over a folder of the same name.

    Raises:
        DataError: it is none of them.
    """
    place, path = _data_parts(data)
    if path == data and not Path(data).expanduser().is_dir():
        others = ", ".join(name for name in names("datasets") if name != FOLDER_DATASET)
        raise DataError(
            f"--data {data} is neither a folder nor a data set of this name; there are: {others}"
        )
    return place, path


def absolute_data(data: str) -> str:
    """``--data`` with its path made absolute, for workers that run in another directory.

    Names and files of plug-ins stay as they are given, and so does what is no path here.
    """
    place, path = _data_parts(data)
    if path == data:
        return str(Path(data).resolve())
    return f"{place}:{Path(path).resolve()}" if path and Path(path).exists() else data


def takes_settings(spec: str) -> bool:
    """Whether a worker trains with the run's settings: its class has an argument ``settings``.

    Args:
        spec: What ``--worker`` says.

    Raises:
        UnknownPluginError: there is no such name; lists those that exist.
        PluginError: there is no such file, or it is not Python.
    """
    _, wanted = parts("workers", spec)
    classes = (
        node
        for node in _tree("workers", spec, file_of("workers", spec)).body
        if isinstance(node, ast.ClassDef) and wanted in ("", node.name)
    )
    return any("settings" in _constructor_arguments(each) for each in classes)


def needs_data(spec: str) -> bool:
    """Whether a worker needs the data of ``--data``, which the master then audits first.

    The worker's file says so by ``NEEDS_DATA = True`` or ``NEEDS_DATA = False`` at its top level.
    Without such a line a worker needs data if it takes the settings, for they name the data.

    Args:
        spec: What ``--worker`` says.

    Raises:
        UnknownPluginError: there is no such name; lists those that exist.
        PluginError: there is no such file, it is not Python, or it says something else.
    """
    file = file_of("workers", spec)
    try:
        literals = Literals(file)
        node = literals.node("NEEDS_DATA")
        if node is None:
            return takes_settings(spec)
        value = literals.value(node, "NEEDS_DATA")
        if not isinstance(value, bool):
            raise literals.error(node, f"NEEDS_DATA is {value!r}; write True or False")
    except LiteralError as error:
        raise PluginError(f"--worker {spec}: {error}") from None
    return value


def _files(kind: str) -> dict[str, Path]:
    """The plug-ins in the folder of a kind, by name."""
    folder = _workers_folder() if kind == "workers" else _PACKAGE / kind
    files = (file for file in folder.glob("*.py") if not file.name.startswith("_"))
    return {
        file.stem.replace("_", "-"): file
        for file in files
        if not KINDS[kind].entry or KINDS[kind].entry in _defined(ast.parse(file.read_bytes()).body)
    }


def _data_parts(data: str) -> tuple[str, str]:
    """Data set and path of ``--data``; the path is all of it if it names no data set."""
    place, path = parts("datasets", data)
    if _is_path("datasets", place):
        return place, path
    is_named = place in names("datasets") and (path or place != FOLDER_DATASET)
    return (place, path) if is_named else (FOLDER_DATASET, data)


def _workers_folder() -> Path:
    """``workers/`` of the checkout, or the copy that the wheel carries."""
    packaged = _PACKAGE / "_workers"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "workers"


def _is_path(kind: str, place: str) -> bool:
    return Path(place).suffix in (_PYTHON, *KINDS[kind].formats)


def _check_source(kind: str, spec: str, file: Path) -> None:
    entry = KINDS[kind].entry
    if entry and entry not in _defined(_tree(kind, spec, file).body):
        raise PluginError(
            f"{KINDS[kind].flag} {spec}: {file} does not define {entry}(), by which a"
            f" {KINDS[kind].word} is found; add it at the top level of the file"
        )


def _tree(kind: str, spec: str, file: Path) -> ast.Module:
    try:
        return ast.parse(read_regular(file))
    except OSError as error:
        problem = f"{file} cannot be read: {error.strerror}; check the path"
    except SyntaxError as error:
        line = f", line {error.lineno}," if error.lineno else ""
        problem = f"{file}{line} is not Python: {error.msg}; correct the file"
    raise PluginError(f"{KINDS[kind].flag} {spec}: {problem}")


def _defined(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Names that the top level of a file defines or imports."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.ImportFrom(names=imported):
                yield from (each.asname or each.name for each in imported)


def _constructor_arguments(node: ast.ClassDef) -> set[str]:
    """Names of the arguments of a class' own ``__init__``."""
    for method in node.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            listed = (*method.args.posonlyargs, *method.args.args, *method.args.kwonlyargs)
            return {argument.arg for argument in listed}
    return set()


def _imported(file: Path) -> ModuleType:
    """The module of a file, run once for each content that the file has had.

    It is compiled here because Python's own loader leaves files beside those of other people.
    """
    source = read_regular(file)
    content = hashlib.blake2b(bytes(file) + source, digest_size=8).hexdigest()
    name = f"bohb_seg_plugin_{file.stem}_{content}"
    if name not in sys.modules:
        module = sys.modules[name] = ModuleType(name)
        module.__file__ = str(file)
        try:
            exec(compile(source, file, "exec"), vars(module))
        except BaseException:
            del sys.modules[name]
            raise
    return sys.modules[name]


def _last_line(error: BaseException, file: Path) -> int | None:
    """The line of the file in which an error was raised, or through which it passed last."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(file)), None)
