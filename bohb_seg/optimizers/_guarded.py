"""An optimizer of one's own, whose mistakes are told in one sentence with its file and line.

What it says is checked before it reaches the scheduler and the journal, because neither could be
read again otherwise.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, final

from bohb_seg import plugins
from bohb_seg.errors import PluginError, SettingsError
from bohb_seg.search.hyperband import Rung
from bohb_seg.search.optimizer import Optimizer, Withdrawing
from bohb_seg.spaces.formats.configspace import as_plain
from bohb_seg.spaces.formats.plain_values import is_number, is_plain, shown
from bohb_seg.trials import Configuration, Observation, Suggestion


@final
class Guarded:
    """An optimizer that can only raise a :class:`~bohb_seg.errors.BohbSegError`.

    Args:
        optimizer: The optimizer of a plug-in.
        spec: Name or path of the plug-in; those of the package pass their own faults on.
    """

    def __init__(self, optimizer: Optimizer, spec: str) -> None:
        self._optimizer, self._spec = optimizer, spec

    def rungs(self, bracket: int) -> tuple[Rung, ...]:
        """The rungs of a bracket, lowest budget first.

        Raises:
            PluginError: the plug-in fails, or its rungs do not rise.
        """
        with plugins.blaming("optimizers", self._spec):
            rungs = tuple(self._optimizer.rungs(bracket))
        if not rungs or not all(map(_is_rung, rungs)):
            raise self._wrong(f"rungs({bracket})", rungs, "Rungs of a budget and of trials above 0")
        budgets = [rung.budget for rung in rungs]
        if any(low >= high for low, high in pairwise(budgets)):
            raise self._wrong(f"rungs({bracket})", rungs, "Rungs whose budgets rise")
        return rungs

    def suggest(self) -> Suggestion:
        """The next configuration to try.

        Raises:
            PluginError: the plug-in fails, or suggests what is no configuration.
        """
        with plugins.blaming("optimizers", self._spec):
            suggestion = self._optimizer.suggest()
        if not isinstance(suggestion, Suggestion):
            raise self._wrong("suggest()", suggestion, "a Suggestion")
        told = suggestion.configuration
        if not isinstance(told, Mapping) or not all(isinstance(name, str) for name in told):
            raise self._wrong("suggest()", told, "a configuration of names and values")
        configuration = {name: as_plain(value) for name, value in told.items()}
        if wrong := [name for name, value in configuration.items() if not is_plain(value)]:
            raise self._wrong(
                "suggest()", told, f"a finite number or a line of text as {wrong[0]!r}"
            )
        return Suggestion(configuration, bool(suggestion.model_based))

    def observe(self, configuration: Configuration, budget: float, loss: float | None) -> None:
        """Learns from an evaluation.

        Raises:
            PluginError: the plug-in fails.
        """
        with plugins.blaming("optimizers", self._spec):
            self._optimizer.observe(configuration, budget, loss)

    def withdraw(self, configuration: Configuration) -> None:
        """Tells an optimizer that keeps suggestions in mind that one is not trained.

        Raises:
            PluginError: the plug-in fails.
        """
        if isinstance(self._optimizer, Withdrawing):
            with plugins.blaming("optimizers", self._spec):
                self._optimizer.withdraw(configuration)

    def expect(self, runs: Sequence[Sequence[Observation]]) -> None:
        """Learns from runs on other data where to begin.

        Args:
            runs: Observations of each run; of their losses only the order within a run counts.

        Raises:
            SettingsError: the optimizer can learn nothing of such runs.
            PluginError: the plug-in fails.
        """
        learn: Any = getattr(self._optimizer, "expect", None)
        if learn is None:
            raise SettingsError(
                f"--prior: the optimizer {self._spec} learns nothing of runs on other data; leave"
                " the flag out, or take --optimizer bohb"
            )
        with plugins.blaming("optimizers", self._spec):
            learn(runs)

    def _wrong(self, call: str, answer: object, wanted: str) -> PluginError:
        return PluginError(
            f"--optimizer {self._spec}: {call} returned {shown(answer)}, not {wanted}; correct the"
            " file"
        )


def _is_rung(rung: object) -> bool:
    return (
        isinstance(rung, Rung)
        and is_number(rung.budget)
        and rung.budget > 0
        and type(rung.trials) is int
        and rung.trials > 0
    )
