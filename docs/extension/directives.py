"""The directives: what the other modules find, as nodes of a page."""

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.util.docutils import SphinxDirective

import bohb_seg
from bohb_seg import plugins, settings
from bohb_seg.plugins import hyperparameters
from bohb_seg.report.glossary import GLOSSARY
from extension import conversation, floors, plugin_files, states
from extension.commands import Flag, arguments, commands, flags

_CODE = re.compile(r"(?::\w+:)?`{1,2}([^`]+)`{1,2}")
"""Code in docstrings; the split pieces are words and code in turns."""

Cell = str | list[nodes.Node]


class Flags(SphinxDirective):
    """``{flags} bohb-master``: usage and all flags, each of which ``{option}`` can refer to."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """A usage line, then a table for each settings class that has flags here."""
        name = self.arguments[0]
        command = commands()[name]
        found = flags(command)
        usage = f"{name} [FLAGS] {arguments(command)}".strip()
        help_ = str(command.help).partition("\b")[0].partition("\f")[0].partition("Example")[0]
        shown: list[nodes.Node] = [nodes.paragraph(text=help_.strip())]
        shown.append(nodes.literal_block(text=usage))
        for group in dict.fromkeys(each.group for each in found):
            members = [each for each in found if each.group is group]
            if group is not None:
                shown.append(nodes.rubric(text=_title(group)))
            rows = [(self._spelt(name, each), *_told(each)) for each in members]
            shown.append(table(("flag and variable", "meaning", "default"), rows, (36, 48, 16)))
        return shown

    def _spelt(self, program: str, flag: Flag) -> Cell:
        """The first cell, which is also the place that references lead to."""
        label = nodes.make_id(f"{program} {flag.spellings[0]}")
        first = nodes.paragraph(ids=[label])
        for place, spelling in enumerate(flag.spellings):
            first += [nodes.Text(", ")] * bool(place) + [nodes.literal(text=spelling)]
            self.env.domains.standard_domain.add_program_option(
                program.replace(" ", "-"), spelling, self.env.docname, label
            )
        return [first, *(code_block(flag.variable) if flag.variable else [])]


def _title(group: type[settings.DataSettings]) -> str:
    return str(group.__doc__).split("\n\n")[0].replace("``", "").strip()


def _told(flag: Flag) -> tuple[Cell, Cell]:
    values = code_block(flag.values) if flag.values else []
    return [prose(flag.meaning), *values], code_block(flag.default) if flag.default else []


class Presets(Directive):
    """``{presets}``: what a preset and the embedded data set change."""

    def run(self) -> list[nodes.Node]:
        """One row for each change."""
        sources = {f"--preset {name}": its for name, its in settings.PRESETS.items() if its}
        sources["--data synthetic"] = settings.SYNTHETIC
        rows = [
            (code(source), code(f"{settings.flag_of(name)} {value}"))
            for source, changes in sources.items()
            for name, value in changes.items()
        ]
        return [table(("with", "the default is"), rows)]


class Plugins(Directive):
    """``{plugins} models``: how files of one kind are found, and which there are."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A sentence, then one row for each file."""
        its = plugins.KINDS[self.arguments[0]]
        rest = f"[:{its.rest}]" if its.rest else ""
        files = " | ".join(f"FILE{suffix}" for suffix in (".py", *its.formats))
        must = f"`{its.entry}()`" if its.entry else "one subclass of HpBandSter's `Worker`"
        rows = [
            (code(each.name), [prose(each.summary), *code_block(each.signature)])
            for each in plugin_files.plugin_files(self.arguments[0])
        ]
        return [
            nodes.literal_block(text=f"{its.flag} NAME | {files}{rest}"),
            prose(f"A file in Python must define {must}. These come with the package:"),
            table(("name", "file"), rows, (22, 78)),
        ]


class Hyperparameters(Directive):
    """``{hyperparameters}``: those of every training; ``{hyperparameters} unet``: a model's."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """One row for each."""
        found = hyperparameters.TRAINING
        if self.arguments:
            file = plugins.file_of("models", self.arguments[0])
            found = hyperparameters.of_model(file).hyperparameters
        rows = [
            (
                code(each.name),
                _allowed(each),
                [] if each.default is None else code(str(each.default)),
            )
            for each in found.values()
        ]
        return [table(("name", "values", "default"), rows, (28, 54, 18))]


def _allowed(its: hyperparameters.Hyperparameter) -> str:
    """Its values in words, with a word for infinity."""
    return its.allowed.replace(" to inf", " upwards")


class Packages(Directive):
    """``{packages}``: the packages and modules of ``bohb_seg``, in the words of their files."""

    def run(self) -> list[nodes.Node]:
        """One row for each."""
        found = plugin_files.modules()
        rows = [(code(name), text) for name, text in found.items()]
        return [table(("in `bohb_seg`", "in its own words"), rows, (18, 82))]


class PublicNames(Directive):
    """``{public-names}``: what ``import bohb_seg`` gives."""

    def run(self) -> list[nodes.Node]:
        """One row for each name."""
        homes = bohb_seg._HOMES
        rows = [(code(name), code(homes[name])) for name in bohb_seg.__all__]
        return [table(("name", "module"), rows, (35, 65))]


class ReportWords(Directive):
    """``{report-words}``: the glossary of the report."""

    def run(self) -> list[nodes.Node]:
        """One row for each word."""
        return [table(("word", "meaning"), list(GLOSSARY.items()), (26, 74))]


class States(Directive):
    """``{states} MODULE``: the module's ``LEGAL_MOVES`` as a diagram, and what its states mean."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The diagram, and a table if the module explains its states."""
        module = self.arguments[0]
        moves, meanings = states.table(module), states.meanings(module)
        shown = [picture(states.diagram(moves, f"States and legal moves: {', '.join(moves)}"))]
        if meanings:
            shown.append(table(("state", "meaning"), list(meanings.items()), (18, 82)))
        return shown


class Floors(Directive):
    """``{floors}``: the import contract as a diagram."""

    def run(self) -> list[nodes.Node]:
        """The diagram."""
        return [picture(floors.diagram())]


class Conversation(Directive):
    """``{conversation} TITLE``: lines ``A -> B: words`` as a diagram."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content: ClassVar[bool] = True

    def run(self) -> list[nodes.Node]:
        """The diagram."""
        told = conversation.messages(list(self.content))
        return [picture(conversation.diagram(told, self.arguments[0]))]


ALL: dict[str, type[Directive]] = {
    "flags": Flags,
    "presets": Presets,
    "plugins": Plugins,
    "hyperparameters": Hyperparameters,
    "packages": Packages,
    "public-names": PublicNames,
    "report-words": ReportWords,
    "states": States,
    "floors": Floors,
    "conversation": Conversation,
}
"""Directive by the name that pages use."""


def picture(svg: str) -> nodes.Node:
    """SVG as it is."""
    return nodes.raw("", svg, format="html")


def prose(text: str) -> nodes.paragraph:
    """A text with ``words`` and `words` in the type of code, as docstrings have them."""
    pieces = _CODE.split(text)
    kinds = itertools.cycle((nodes.Text, lambda word: nodes.literal(text=word)))
    shown = [kind(piece) for kind, piece in zip(kinds, pieces, strict=False)]
    return nodes.paragraph("", "", *shown)


def code(text: str) -> list[nodes.Node]:
    """A word in the type of code."""
    return [nodes.literal(text=text)]


def code_block(text: str) -> list[nodes.Node]:
    """A line in the type of code, of its own."""
    return [nodes.paragraph("", "", nodes.literal(text=text))]


def table(
    head: Sequence[Cell], rows: Iterable[Sequence[Cell]], widths: Sequence[int] = ()
) -> nodes.Node:
    """A table whose cells are words or nodes."""
    group = nodes.tgroup(cols=len(head))
    for width in widths or [100 // len(head)] * len(head):
        group += nodes.colspec(colwidth=width)
    group += nodes.thead("", _row(head))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group, classes=["generated"])


def _row(cells: Sequence[Cell]) -> nodes.Node:
    return nodes.row("", *map(_entry, cells))


def _entry(cell: Cell) -> nodes.Node:
    if isinstance(cell, str):
        return nodes.entry("", prose(cell))
    if cell and all(isinstance(node, nodes.Inline) for node in cell):
        return nodes.entry("", nodes.paragraph("", "", *cell))
    return nodes.entry("", *cell)
