"""Loads a search space by its name or from a file of any format."""

from pathlib import Path

from ConfigSpace import ConfigurationSpace

from bohb_seg import plugins
from bohb_seg.errors import SpaceError
from bohb_seg.search.data_facts import TYPICAL, Facts
from bohb_seg.spaces.formats import checks, configspace, nni, python, text


def load(
    spec: str, facts: Facts | None = None, patch_size: int = TYPICAL.patch_size
) -> ConfigurationSpace:
    """Loads a search space.

    Args:
        spec: A name (``milestone3-bohb``), or a path that ends in ``.json`` (ConfigSpace's or
            NNI's), ``.yaml``, ``.yml`` or ``.py`` (with a ``space()``).
        facts: Facts about the data, for a ``space(facts)``, which may follow from them; its default
            configuration is then logged. None: typical ones.
        patch_size: Edge of a patch in pixels, where this alone is known of the data.

    Raises:
        UnknownPluginError: there is no space of this name.
        PluginError: there is no such file, or it is Python that defines no space or fails.
        SpaceError: the file is broken, or holds what cannot be expressed; names field and value.
    """
    file = plugins.file_of("spaces", spec)
    where = f"search space {spec}"
    if file.suffix == ".py":
        return python.build(spec, facts, patch_size, where)
    try:
        return checks.checked(_read(file, where), where)
    except RecursionError:
        raise SpaceError(f"{where} is broken: it is nested too deeply") from None


def follows_from_data(spec: str) -> bool:
    """Whether ranges of a space may follow from facts about the data.

    Those of the package's own spaces follow from the patch size at most, which is known before.

    Raises:
        UnknownPluginError: there is no space of this name.
        PluginError: there is no such file, or it is Python that defines no space or fails.
    """
    is_own = plugins.digest("spaces", spec) == ""
    return not is_own and plugins.file_of("spaces", spec).suffix == ".py" and python.asks(spec)


def _read(file: Path, where: str) -> ConfigurationSpace:
    form = text.parsed(file, where)
    if configspace.looks_like(form):
        return configspace.read(form, where)
    if nni.looks_like(form):
        return nni.read(form, where)
    raise SpaceError(
        f"{where} is neither ConfigSpace's format (it has no 'hyperparameters')"
        " nor NNI's (not every entry has '_type' and '_value')"
    )
