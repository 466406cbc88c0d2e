"""Checks all that a run names before anything else is done: plug-ins, and hyperparameters.

Nothing here reads data or imports Keras, so that a wrong word is told within two seconds.
"""

from collections.abc import Iterator
from typing import Any

from ConfigSpace import (
    CategoricalHyperparameter,
    ConfigurationSpace,
    Constant,
    OrdinalHyperparameter,
)

from bohb_seg import plugins
from bohb_seg.plugins import hyperparameters
from bohb_seg.settings import SearchSettings
from bohb_seg.spaces.formats import configspace, loading


def check_plugins(settings: SearchSettings) -> None:
    """Makes sure that model, optimizer and worker can be found, also when a run is resumed.

    Raises:
        UnknownPluginError: there is none of this name; lists those that exist.
        PluginError: a file is missing, or is no plug-in of its kind.
    """
    plugins.file_of("models", settings.model)
    plugins.file_of("optimizers", settings.optimizer)
    plugins.file_of("workers", settings.worker)


def check_new_run(settings: SearchSettings) -> None:
    """Makes sure that a new run finds its data and space, and that training knows the space.

    Raises:
        UnknownPluginError: there is no plug-in of this name; lists those that exist.
        PluginError: a file is missing, is no plug-in of its kind, or fails.
        DataError: ``--data`` names neither a folder nor a data set.
        SpaceError: the space cannot be read, or holds what cannot be expressed.
        SettingsError: training or the model does not know a hyperparameter of the space, cannot use
            one of its values, or cannot halve the patches as often as it would have to.
    """
    plugins.file_of("spaces", settings.space)
    if plugins.needs_data(settings.worker):
        dataset, _ = plugins.data_source(settings.data)
        plugins.file_of("datasets", dataset)
    space = loading.load(settings.space, patch_size=settings.patch_size)
    if plugins.takes_settings(settings.worker):
        _check_space(space, settings)


def _check_space(space: ConfigurationSpace, settings: SearchSettings) -> None:
    """A worker that takes no settings has hyperparameters of its own, of which we know nothing."""
    model = hyperparameters.of_model(plugins.file_of("models", settings.model))
    hyperparameters.check_names(space, model)
    for name, parameter in space.items():
        for value in _extremes(parameter):
            hyperparameters.check_values({name: value}, model)
    default = configspace.plain(space.get_default_configuration())
    hyperparameters.check_patch_size(settings.patch_size, model, default)
    depth = str(model.halvings)
    for value in _extremes(space[depth]) if depth in space else ():
        hyperparameters.check_patch_size(settings.patch_size, model, {depth: int(value)})


def _extremes(parameter: Any) -> Iterator[Any]:
    """All values of a hyperparameter, or its smallest and its largest one."""
    match parameter:
        case CategoricalHyperparameter():
            yield from parameter.choices
        case OrdinalHyperparameter():
            yield from parameter.sequence
        case Constant():
            yield parameter.value
        case _:
            yield from (parameter.lower, parameter.upper)
