"""Errors, named after the step that their catcher should take.

Attributes hold the facts, the message names the next step. A broken promise of our own code is an
``assert`` or a plain exception instead: it should be loud.
"""

import unicodedata
from collections.abc import Iterable
from pathlib import Path

EXIT_INCOMPLETE = 1
"""Exit status of a master or of ``bohb-report`` if a part of what is to be written could not be."""
EXIT_FAILED = 1
"""Exit status of a run in which nothing works: every evaluation fails."""
EXIT_BAD_INPUT = 2
"""Exit status of every command whose input must be changed."""
EXIT_STOPPED_EARLY = 3
"""Exit status of a command that was stopped and can be resumed."""
EXIT_FAULT = 70
"""Exit status of a command that a fault of ours ended (``EX_SOFTWARE``): another start may do."""


_JOINERS = "\u200c\u200d"
"""Show nothing, but words of several languages are written with them."""


def printable(text: str) -> str:
    """Text from outside in one line, as text and nothing else for terminals, logs and pages.

    Characters that do something instead of being shown (ends of lines, escape sequences, changes of
    the direction of writing), and bytes of a name that is not UTF-8, become visible escapes such as
    ``\\n``, ``\\x1b`` and ``\\xdf``. Everything else stays as it is; the result can be encoded.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def printable_lines(text: str) -> str:
    """Text from outside in several lines, each of them as :func:`printable` has it."""
    return "\n".join(map(printable, text.splitlines()))


def _shown(character: str) -> str:
    shows = character.isprintable() or unicodedata.category(character) == "Zs"
    if shows or character in _JOINERS:
        return character
    if "\udc80" <= character <= "\udcff":  # Python's sign for a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


class BohbSegError(Exception):
    """Ends a command with one sentence and exit status 2; never a traceback.

    Args:
        sentence: The fault, its place and the next step; text from outside in it is made harmless.
    """

    def __init__(self, sentence: str = "") -> None:
        super().__init__(printable(sentence))


class SettingsError(BohbSegError):
    """A flag, a line of a settings file or an environment variable must be changed."""


class DataError(BohbSegError):
    """The data set must be mended before anything can be trained on it."""


class SpaceError(BohbSegError):
    """The search space file cannot be read or holds what cannot be expressed."""


class PluginError(BohbSegError):
    """The file of a plug-in is missing, is no plug-in of its kind, or fails."""


class UnknownPluginError(PluginError):
    """There is no model, data set, space, optimizer or worker of this name.

    Args:
        kind: Kind of plug-in, e.g. ``"model"``.
        name: The name that was given.
        known: The names that exist.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, tuple(sorted(known))
        super().__init__(f"unknown {kind} {name!r}; there are: {', '.join(self.known)}")


class DoesNotFitError(BohbSegError):
    """Another device, with more memory, may train this configuration.

    Args:
        device: Device on which it was tried.
        micro_batch: Smallest number of patches at once that was tried.
        edge: Edge of a patch in pixels.
    """

    def __init__(self, device: str, micro_batch: int, edge: int) -> None:
        self.device, self.micro_batch, self.edge = device, micro_batch, edge
        patches = "1 patch" if micro_batch == 1 else f"{micro_batch} patches"
        super().__init__(
            f"the configuration runs out of memory on {device} even with a micro-batch of {patches}"
            f" of {edge} x {edge} pixels; give the run a worker with more memory, or a space with"
            " smaller networks"
        )


class JournalError(BohbSegError):
    """The journal cannot be replayed.

    Args:
        path: The journal file.
        line: The damaged line, counted from 1.
        reason: The fault of that line.
        repairable: Whether ``bohb-master --repair`` may mend the file.
    """

    def __init__(self, path: Path, line: int, reason: str, repairable: bool = False) -> None:
        self.path, self.line, self.reason = path, line, reason
        remedy = "restore the file from a copy"
        if repairable:
            repair = f"bohb-master --repair --run-dir {path.parent}"
            remedy += f", or let '{repair}' drop what does not fit"
        super().__init__(f"{path}, line {line}: {reason}; {remedy}")


class RunLostError(BohbSegError):
    """The master must end and write nothing more: the run directory is not its own any more.

    Args:
        sentence: What happened, and what to do.
        is_taken: Whether another master has the run, and needs its workers.
    """

    def __init__(self, sentence: str, is_taken: bool = False) -> None:
        self.is_taken = is_taken
        super().__init__(sentence)


class RunMissingError(RunLostError):
    """The run directory is not where it was; it may come back."""


class ServiceError(BohbSegError):
    """The nameserver or the dispatcher cannot be opened, or refuses to serve us."""


class RunOverError(BohbSegError, ConnectionError):
    """There is no master any more: a worker that looks for one may leave."""
