"""Links between the pages of the manual and the READMEs that pages include.

On a forge, ``../docker/README.md`` leads to that file. In the manual that file is part of a page;
the same link leads there. So pages and READMEs need no second set of links.
"""

import os
import re
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


def relinked(text: str, place: Path, page: Path, docs: Path) -> str:
    """The text with its links as the manual needs them.

    Args:
        text: Content of a page, or of a file that a page includes.
        place: Folder of that page or file, from which its links lead.
        page: Folder of the page.
        docs: Folder of the manual.
    """
    pages = included(docs)

    def leads(link: re.Match[str]) -> str:
        target = (place / link[1]).resolve()
        target = pages.get(target, target)
        if target.suffix == ".md" and target.is_relative_to(docs):
            return f"/{target.relative_to(docs).as_posix()}"
        return os.path.relpath(target, page) if target.is_file() else link[1]

    return _LINK.sub(leads, text)


def on_source_read(app: Any, docname: str, source: list[str]) -> None:
    """Sphinx' event: a page was read."""
    docs = Path(app.srcdir).resolve()
    page = (docs / docname).parent
    source[0] = relinked(source[0], page, page, docs)


def on_include_read(app: Any, path: Path, _: str, content: list[str]) -> None:
    """Sphinx' event: a file was read because a page includes it.

    MyST tells the page's name without its folder, so the page that is being read is asked for.
    """
    docs = Path(app.srcdir).resolve()
    place = (docs / path).resolve().parent
    content[0] = relinked(content[0], place, (docs / app.env.docname).parent, docs)
