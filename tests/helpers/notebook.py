"""Executes a notebook of ``examples/`` as it would be in an activated environment.

``python tests/helpers/notebook.py FILE`` writes the new outputs into the file: ``make notebook``.
"""

import os
import re
import sys
from pathlib import Path
from unittest import mock

import nbformat
from nbclient import NotebookClient

CELL_SECONDS = 400
"""Time for one cell; on a machine that does nothing else the slowest takes one minute."""


def executed(file: Path) -> nbformat.NotebookNode:
    """The notebook with new outputs.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raised.
    """
    notebook = nbformat.read(file, as_version=4)
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with mock.patch.dict(os.environ, PATH=tools):
        NotebookClient(notebook, timeout=CELL_SECONDS, coalesce_streams=True).execute()
    return notebook


def shell(notebook: nbformat.NotebookNode) -> str:
    """The notebook's cells for the shell, as blocks of a page in Markdown."""
    cells = [cell.source for cell in notebook.cells if cell.source.startswith("%%bash\n")]
    return "".join(f"```sh\n{cell.partition(chr(10))[2]}\n```\n" for cell in cells)


def without_noise(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The notebook without what libraries say on standard error, times and versions."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def main(file: Path) -> None:
    """Executes the notebook in place; it must name no place of this machine."""
    notebook = without_noise(executed(file))
    text = nbformat.writes(notebook)
    assert not re.search(r"/home/|/tmp/|/root/", text), "an output names a place of this machine"
    file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
