"""Reads the command lines of pages in Markdown and hands them to the commands that they name."""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path

import click

from bohb_seg.commands import certs, data, master, report, worker
from bohb_seg.errors import SettingsError
from bohb_seg.settings import SearchSettings, WorkerSettings, merge

COMMANDS = {
    "bohb-master": master.command,
    "bohb-worker": worker.command,
    "bohb-report": report.report,
    "bohb-data": data.command,
    "bohb-certs": certs.command,
}
SETTINGS = {"bohb-master": SearchSettings, "bohb-worker": WorkerSettings}
STARTERS = {
    "worker.sh": "bohb-worker",
    "workers.sbatch": "bohb-worker",
    "master.sbatch": "bohb-master",
}
"""Files that hand the words after their name on to these commands."""
SERVICES = {
    f"{part}{kind}": f"bohb-{part}" for part in ("master", "worker") for kind in ("", "-gpu")
}
"""Services of compose that do, after `docker compose run`."""
ENDS = {"|", "||", "&&", "&", ";", ">", ">>", "&>", "<", ")"}
"""Words that end a command."""
NAMING = {"kubectl", "systemctl", "journalctl"}
"""Commands whose own words may be names of ours that start nothing."""


@dataclass(frozen=True)
class Line:
    """A command line of a page, and the words after the command's name."""

    command: str
    words: tuple[str, ...]


def code(page: Path) -> list[str]:
    """The lines of a page's shell blocks, continued ones joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return "".join(blocks).replace("\\\n", " ").splitlines()


def lines(page: Path) -> Iterator[Line]:
    """The command lines of our commands in a page's code blocks, also behind srun and the like."""
    yield from chain.from_iterable(map(_told, code(page)))


def spans(page: Path) -> list[str]:
    """The words in the type of code within a page's sentences and tables."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"(?<!`)`([^`]+)`(?!`)", text.replace("\n", " "))


def said_in_passing(page: Path) -> Iterator[Line]:
    """The command lines of our commands within a page's sentences and tables."""
    begun = [text for text in spans(page) if text.startswith(tuple(COMMANDS)) and " " in text]
    yield from chain.from_iterable(map(_told, begun))


def unknown_flags(page: Path) -> list[str]:
    """Flags in a page's sentences and tables that no command of ours has."""
    words = [word for text in spans(page) if text.startswith("--") for word in text.split()]
    told = {spelling for word in words for spelling in word.split("/") if spelling[:2] == "--"}
    return sorted(told - known_flags())


def known_flags() -> set[str]:
    """Every spelling of every flag of every command."""
    nested = [
        vars(command).get("commands", {"": command}).values() for command in COMMANDS.values()
    ]
    parameters = [each for command in chain(*nested) for each in command.params]
    return {spelling for each in parameters for spelling in (*each.opts, *each.secondary_opts)}


def _told(text: str) -> Iterator[Line]:
    """The command lines of a line of the shell."""
    for words in _parts(text):
        names = [_command(words[: place + 1]) for place in range(len(words))]
        first = next((place for place, name in enumerate(names) if name), None)
        if first is not None:
            yield Line(str(names[first]), tuple(words[first + 1 :]))


def _parts(text: str) -> Iterator[list[str]]:
    """The words of each command of a line; of those that name objects, what follows ``--``."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for ends, words in groupby(lexer, ENDS.__contains__):
        part = list(words)
        if part[0] in NAMING and not ends:
            part = part[part.index("--") + 1 :] if "--" in part else []
        yield [] if ends else part


def _command(words: list[str]) -> str | None:
    """The command of ours that the last word stands for."""
    name = words[-1].rpartition("/")[2] if "=" not in words[-1] else ""
    if "compose" in words and "run" in words:
        name = SERVICES.get(name, name)
    name = STARTERS.get(name, name)
    return name if name in COMMANDS else None


def understand(name: str, words: tuple[str, ...]) -> None:
    """Does with a command line what its command does before anything else.

    Raises:
        click.ClickException: an unknown flag, or an argument too few or too many.
        SettingsError: a value that cannot be.
    """
    command = COMMANDS[name]
    if isinstance(command, click.Group):
        _, command, words = command.resolve_command(click.Context(command), list(words))
    try:
        flags = command.make_context(name, list(words)).params
    except click.exceptions.Exit:  # of --help and --version
        return
    if name in SETTINGS:
        flags.pop("config")
        merge(SETTINGS[name], flags, environment={})


def misunderstood(told: Iterable[Line]) -> list[str]:
    """Complaints of the commands about the command lines that they refuse."""
    found = []
    for line in told:
        try:
            understand(line.command, line.words)
        except (click.ClickException, SettingsError) as error:
            found.append(f"{line}: {error}")
    return found


def dead_links(page: Path) -> list[str]:
    """Links of a page to files that are not there."""
    links = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    local = [link for link in links if not re.match(r"\w+:", link)]
    return [link for link in local if not (page.parent / link).exists()]
