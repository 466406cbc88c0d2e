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

from bohb_seg import optimizers, plugins
from bohb_seg.errors import SettingsError
from bohb_seg.master import recipes
from bohb_seg.plugins import hyperparameters
from bohb_seg.search.hyperband import Ladder
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
        JournalError: the files of a run that was given for a recipe are damaged.
        DataError: ``--data`` names neither a folder nor a data set.
        SpaceError: the space cannot be read, or holds what cannot be expressed.
        SettingsError: a budget is less than one epoch; training or the model does not know a
            hyperparameter of the space, cannot use one of its values, or cannot halve the patches
            as often as it would have to; a recipe is wrong; the optimizer takes no ``--prior``.
    """
    plugins.file_of("spaces", settings.space)
    if plugins.needs_data(settings.worker):
        dataset, _ = plugins.data_source(settings.data)
        plugins.file_of("datasets", dataset)
    if plugins.takes_settings(settings.worker):
        _check_epochs(settings)
    space = loading.load(settings.space, patch_size=settings.patch_size)
    check_space(space, settings)
    _check_recipes(space, settings)
    if settings.prior:
        ladder = Ladder(settings.min_budget, settings.max_budget, settings.eta)
        optimizers.build(settings.optimizer, space, ladder, settings.seed).expect(())


def _check_epochs(settings: SearchSettings) -> None:
    """A worker that takes no settings has budgets of its own; with settings they are epochs."""
    ladder = Ladder(settings.min_budget, settings.max_budget, settings.eta)
    if ladder.budgets[0] < 1:
        raise SettingsError(
            f"--min-budget {settings.min_budget:g} and --max-budget {settings.max_budget:g} make a"
            f" budget of {ladder.budgets[0]:g} epochs, and less than one epoch cannot be trained;"
            " raise --min-budget to 1 or more, and --max-budget accordingly"
        )
    final = settings.final_epochs
    if settings.comparison and final is not None and (final < 1 or final != round(final)):
        raise SettingsError(
            f"--final-epochs {final:g} is no whole number of epochs, and a part of one cannot be"
            " trained; write a whole number, or add --no-comparison"
        )


def _check_recipes(space: ConfigurationSpace, settings: SearchSettings) -> None:
    """Refuses wrong recipes; those of a space that follows from the data are looked at again."""
    given = recipes.read(settings)
    recipes.check(given, settings)
    if not loading.follows_from_data(settings.space):
        recipes.beginning(given, space, settings)


def check_space(space: ConfigurationSpace, settings: SearchSettings) -> None:
    """Makes sure that training knows a space, and that the model can halve the patches.

    A worker that takes no settings has hyperparameters of its own, of which we know nothing.

    Raises:
        SettingsError: training or the model does not know a hyperparameter of the space, cannot use
            one of its values, or cannot halve the patches as often as it would have to.
    """
    if not plugins.takes_settings(settings.worker):
        return
    model = hyperparameters.of_model(plugins.file_of("models", settings.model))
    hyperparameters.check_names(space, model)
    for name, parameter in space.items():
        for value in _extremes(parameter):
            hyperparameters.check_values({name: value}, model)
            if name == model.halvings:
                hyperparameters.check_patch_size(settings.patch_size, model, {name: value})
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
