"""Jinja templates of the pages, which share one head and one set of colours (``base.html``)."""

from importlib.resources import files

import jinja2


def environment() -> jinja2.Environment:
    """An environment for HTML, whose templates may extend those of this package."""
    return jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_source),
    )


def _source(name: str) -> str:
    return files("bohb_seg.report").joinpath(name).read_text(encoding="utf-8")
