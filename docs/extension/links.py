"""Links between the pages of the manual and the READMEs that pages include.

On a forge, ``../docker/README.md`` leads to that file. In the manual that file is part of a page;
the same link leads there. So pages and READMEs need no second set of links.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LINK = re.compile(r"(?<=\]\()([^)\s#:]+)(?=[#)])")
_WHOLE_FILE = re.compile(r"\A```\{include\} (\S+)\n")


def included(docs: Path) -> dict[Path, Path]:
    """File of the repository -> the page that consists of it."""
    found = {}
    for page in docs.rglob("*.md"):
        if match := _WHOLE_FILE.match(page.read_text(encoding="utf-8")):
            found[(page.parent / match[1]).resolve()] = page
    return found


def relinked(text: str, place: Path, docs: Path) -> str:
    """The text of a file in ``place`` with links to pages as the manual needs them."""
    pages = included(docs)
    return _LINK.sub(_leads(place, docs, pages), text)


def _leads(place: Path, docs: Path, pages: dict[Path, Path]) -> Callable[[re.Match[str]], str]:
    def lead(link: re.Match[str]) -> str:
        target = (place / link[1]).resolve()
        target = pages.get(target, target)
        is_page = target.suffix == ".md" and target.is_relative_to(docs)
        return f"/{target.relative_to(docs).as_posix()}" if is_page else link[1]

    return lead


def on_source_read(app: Any, docname: str, source: list[str]) -> None:
    """Sphinx' event: a page was read."""
    docs = Path(app.srcdir).resolve()
    source[0] = relinked(source[0], (docs / docname).parent, docs)


def on_include_read(app: Any, path: Path, parent: str, content: list[str]) -> None:
    """Sphinx' event: a file was read because a page includes it."""
    docs = Path(app.srcdir).resolve()
    content[0] = relinked(content[0], (docs / path).resolve().parent, docs)
