"""Recipes that people give: one to compare with (``--baseline``), others to try early.

A recipe of ``--recipe`` must lie in the search space; hyperparameters that it does not name have
the space's default. A baseline is what somebody trains with today, whatever a search may vary: what
it does not name has training's own default, and it may lie outside the space. Then it is compared
with all the same, and not tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from ConfigSpace import ConfigurationSpace

from bohb_seg import plugins
from bohb_seg.errors import SettingsError
from bohb_seg.plugins import hyperparameters
from bohb_seg.plugins.completion import SGD_RATE, completed
from bohb_seg.plugins.hyperparameters import ModelDeclaration
from bohb_seg.settings import SearchSettings
from bohb_seg.spaces.formats import configspace
from bohb_seg.spaces.formats.placement import OutsideError, placed
from bohb_seg.spaces.formats.plain_values import shown
from bohb_seg.storage import recipe_files
from bohb_seg.storage.recipe_files import Recipe
from bohb_seg.trials import Configuration


@dataclass(frozen=True)
class Given:
    """The recipes that a run was given.

    Args:
        baseline: The one to compare with; None: the default.
        recipes: Those to try early.
    """

    baseline: Recipe | None = None
    recipes: tuple[Recipe, ...] = ()


@dataclass(frozen=True)
class Beginning:
    """Facts of a run's first journal entry that follow from recipes and space.

    Args:
        default: The configuration that the incumbent is compared with.
        first: Configurations that the search tries first.
        baseline: What ``--baseline`` was given, or "".
        unsearched: Values that training takes for hyperparameters that the space does not have.
        why_not: Reason why the search does not try the baseline; "" if it does.
    """

    default: Configuration
    first: tuple[Configuration, ...]
    baseline: str = ""
    unsearched: Mapping[str, Any] = field(default_factory=dict)
    why_not: str = ""


def read(settings: SearchSettings) -> Given:
    """Reads the files of all recipes.

    Raises:
        SettingsError: there is no such file, or it holds no configuration.
        SpaceError: a file cannot be read, is broken, or says what can be taken in two ways.
        JournalError: the files of a run are damaged.
    """
    path = settings.baseline
    baseline = recipe_files.read_one("--baseline", path) if path else None
    found = [recipe_files.read("--recipe", path) for path in settings.recipe]
    return Given(baseline, tuple(recipe for each in found for recipe in each))


def check(given: Given, settings: SearchSettings) -> None:
    """Makes sure that training and the model can use the recipes, whatever the space.

    Raises:
        SettingsError: a hyperparameter is unknown, its value is not allowed, or the patches cannot
            be halved as often as the baseline does.
    """
    training = _Training.of(settings)
    if given.baseline:
        training.whole(training.used(given.baseline), given.baseline.where)
    for recipe in given.recipes:
        training.check(recipe)


def beginning(given: Given, space: ConfigurationSpace, settings: SearchSettings) -> Beginning:
    """Puts the recipes into a space.

    Raises:
        SettingsError: a recipe of ``--recipe`` lies outside the space; training or the model cannot
            use a recipe.
    """
    training = _Training.of(settings)
    default = configspace.plain(space.get_default_configuration())
    recipes = [_in_space(each, space, training) for each in given.recipes]
    if given.baseline is None:
        return Beginning(default, recipe_files.distinct((default, *recipes)))
    baseline, why_not = _baseline(given.baseline, space, training)
    first = recipe_files.distinct((default if why_not else baseline, *recipes))
    whole = training.whole(default, given.baseline.where) if training.model else {}
    unsearched = {n: v for n, v in whole.items() if n not in space and v is not None}
    return Beginning(baseline, first, given.baseline.source, unsearched, why_not)


@dataclass(frozen=True)
class _Training:
    """Knows how a configuration is trained.

    Args:
        model: The run's model; None for a worker that takes no settings: it has hyperparameters of
            its own, of which we know nothing.
        preset: Preset of the run, under which models may have other defaults.
        patch_size: Edge of a patch in pixels.
    """

    model: ModelDeclaration | None
    preset: str
    patch_size: int

    @classmethod
    def of(cls, settings: SearchSettings) -> Self:
        """The training of a run's worker."""
        model = None
        if plugins.takes_settings(settings.worker):
            model = hyperparameters.of_model(plugins.file_of("models", settings.model))
        return cls(model, settings.preset, settings.patch_size)

    def check(self, recipe: Recipe) -> None:
        """Makes sure that names and values are known; others than these are still to follow."""
        if self.model:
            hyperparameters.read_values(recipe.values, self.model, recipe.where)

    def told(self, recipe: Recipe) -> Configuration:
        """The values of a recipe, and those that followed from the preset of its run."""
        if self.model is None or recipe.preset is None:
            return recipe.values
        defaults = self.model.defaults(recipe.preset)
        followed = {n: v for n, v in defaults.items() if self.model.follows_preset(n)}
        return {**followed, **recipe.values}

    def used(self, recipe: Recipe) -> Configuration:
        """Values without empty ones, where training has none unless it is told one."""
        known: Mapping[str, Any] = self.model.known if self.model else {}
        return {
            name: value
            for name, value in self.told(recipe).items()
            if value is not None or name not in known or known[name].default is not None
        }

    def whole(self, values: Configuration, where: str) -> dict[str, Any]:
        """All that is trained with a configuration; training can use it."""
        if self.model is None:
            return {**values}
        whole = completed(values, self.model, self.preset, where)
        try:
            hyperparameters.check_patch_size(self.patch_size, self.model, whole)
        except SettingsError as error:
            raise SettingsError(f"{where}: {error}") from None
        return whole


def _in_space(recipe: Recipe, space: ConfigurationSpace, training: _Training) -> Configuration:
    training.check(recipe)
    try:
        point = placed(space, recipe.values)
        whole = training.whole(point, recipe.where)
        _refuse_others({n: v for n, v in training.told(recipe).items() if n not in space}, whole)
    except OutsideError as error:
        raise SettingsError(
            f"{recipe.where}: {error}; change the recipe, or take another --space"
        ) from None
    return point


def _baseline(
    recipe: Recipe, space: ConfigurationSpace, training: _Training
) -> tuple[Configuration, str]:
    """The configuration of a baseline, and why the search cannot try it; "" if it can."""
    whole = training.whole(training.used(recipe), recipe.where)
    searched = {SGD_RATE: whole["learning_rate"]} if whole.get("optimizer") == "sgd" else {}
    try:
        point = placed(space, {**searched, **whole})
        trained = training.whole(point, recipe.where)
        _refuse_others(whole, trained)
        _refuse_others(trained, whole)
    except OutsideError as error:
        return {name: value for name, value in whole.items() if value is not None}, str(error)
    return point, ""


def _refuse_others(values: Configuration, trained: Configuration) -> None:
    """Makes sure that values which a space cannot express are those that are trained anyway."""
    for name, value in values.items():
        if name not in trained:
            raise OutsideError(f"only one of the search space and the recipe has {name}")
        if not configspace.is_same(value, trained[name]):
            raise OutsideError(
                f"{name} is {shown(value)}, and with the search space it would always be"
                f" {shown(trained[name])}"
            )
