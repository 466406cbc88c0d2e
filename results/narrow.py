"""The space ``default`` at the reports' width, 16 filters: for two processor cores without GPU."""

from bohb_seg.spaces import default
from bohb_seg.spaces.formats.configspace import from_json, to_json


def space(facts):
    """All of ``default`` but ``base_filters`` and the clause that forbids the widest networks."""
    form = to_json(default.space(facts))
    rest = [each for each in form["hyperparameters"] if each["name"] != "base_filters"]
    width = {"type": "constant", "name": "base_filters", "value": 16, "meta": None}
    return from_json({**form, "hyperparameters": [*rest, width], "forbiddens": []})
