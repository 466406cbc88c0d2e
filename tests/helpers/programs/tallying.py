"""The toy, which also writes down each unit of budget that it has trained, to find work done twice.

The tally is the file ``tally`` in the folder where the worker was started.
"""

import runpy
from pathlib import Path

Toy = runpy.run_path(str(Path(__file__).parents[3] / "workers/toy.py"))["Toy"]


def tallied(path, write, write_whole=Toy._train.__globals__["write_whole"], **within):
    write_whole(path, write, **within)
    with Path("tally").open("a") as tally:
        tally.write(f"{path.parent.name} {path.name}\n")


Toy._train.__globals__["write_whole"] = tallied
