"""Parts of the manual that are made from the code, so that nothing is told twice.

Directives for the pages of ``docs/``: tables of flags, presets, plug-ins, packages and words, and
diagrams of the tables of states, of the import contract and of conversations. Nothing here imports
Keras, and nothing asks the network.
"""

from typing import Any

from extension import directives, formulas, links


def setup(app: Any) -> dict[str, bool]:
    """Registers the directives with Sphinx."""
    for name, directive in directives.ALL.items():
        app.add_directive(name, directive)
    app.add_html_math_renderer("mathml", (formulas.show_inline, None), (formulas.show_block, None))
    app.connect("source-read", links.on_source_read)
    app.connect("include-read", links.on_include_read)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
