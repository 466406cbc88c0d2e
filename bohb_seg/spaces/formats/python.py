"""Search spaces in Python: a file that defines ``space()`` or ``space(facts)``."""

import dataclasses
import inspect
import logging

from ConfigSpace import ConfigurationSpace

from bohb_seg import plugins
from bohb_seg.search.data_facts import TYPICAL, Facts
from bohb_seg.spaces.formats.checks import checked

_log = logging.getLogger(__name__)


def asks(spec: str) -> bool:
    """Whether a plug-in asks for facts about the data.

    Raises:
        PluginError: the file fails.
    """
    function = plugins.find("spaces", spec).space
    with plugins.blaming("spaces", spec):
        return bool(inspect.signature(function).parameters)


def build(spec: str, facts: Facts | None, patch_size: int, where: str) -> ConfigurationSpace:
    """Calls the ``space()`` or the ``space(facts)`` of a plug-in.

    Args:
        spec: Name or path of the plug-in.
        facts: Facts about the data; None: they are not known yet, so typical ones are given.
        patch_size: Edge of a patch in pixels, which stands among the typical facts.
        where: Name of the space in messages.

    Raises:
        PluginError: the file fails.
        SpaceError: it returns a space that cannot be searched.
    """
    function = plugins.find("spaces", spec).space
    with plugins.blaming("spaces", spec):
        is_told = asks(spec)
        told = facts or dataclasses.replace(TYPICAL, patch_size=patch_size)
        space = checked(function(told) if is_told else function(), where)
    if is_told and facts:
        values = space.get_default_configuration().items()
        chosen = ", ".join(f"{name} {value}" for name, value in values)
        _log.info("default configuration by rules from the data: %s", chosen)
    return space
