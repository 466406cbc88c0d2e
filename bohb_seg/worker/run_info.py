"""The run that a worker serves: where its master is, and what it tells its workers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from bohb_seg.errors import ServiceError
from bohb_seg.rpc import names, pyro
from bohb_seg.settings import TrainingSettings, WorkerSettings

LOOK_INTERVAL = 2.0
"""Seconds between two looks whether the nameserver of a stock master still knows us."""
ELSEWHERE = frozenset({"data", "cache_dir", "log_level"})
"""Settings that may differ between machines; that the data is the same is seen by its hash."""


@dataclass(frozen=True)
class Post:
    """The run to be served, and its master as it is now.

    Args:
        run_id: The run's name.
        dispatcher: Pyro address of the master's dispatcher.
        is_ours: Whether the master understands leases; a stock HpBandSter master does not.
        settings: What all evaluations have in common, as the master told it.
        heartbeat: Seconds between two signs of life.
        token: Tells who shares the master's storage; "" without one.
    """

    run_id: str
    dispatcher: str
    is_ours: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    heartbeat: float = LOOK_INTERVAL
    token: str = ""

    @property
    def storage(self) -> str:
        """Pyro address of the master's storage."""
        return f"PYRO:{names.storage_name(self.run_id)}@{self.dispatcher.rpartition('@')[2]}"

    def training_settings(self, own: WorkerSettings) -> TrainingSettings:
        """The run's settings; our own where the master tells none or machines may differ.

        Raises:
            ServiceError: the master tells what this version does not know.
        """
        values = {name: getattr(own, name) for name in TrainingSettings.model_fields}
        chosen_here = {name: values[name] for name in own.model_fields_set & ELSEWHERE}
        try:
            return TrainingSettings.model_validate({**values, **self.settings, **chosen_here})
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise ServiceError(
                f"the master of run {self.run_id} has a setting that this worker does not"
                f" understand ({where}); install the same version of bohb-seg on both machines"
            ) from None


def runs(settings: WorkerSettings, run_id: str = "") -> dict[str, str]:
    """The runs that the nameserver knows, or only this one, with their dispatchers."""
    # The whole list holds all workers, too: 256 of them should not ask for it.
    only = names.dispatcher_name(run_id) if run_id else names.RUNS
    with pyro.nameserver(*settings.nameserver) as nameserver:
        return names.runs(nameserver.list(prefix=only))


def ask(run_id: str, remote: Any) -> Post:
    """What the master behind ``remote``, a proxy of its dispatcher, is and tells."""
    dispatcher = remote._pyroUri.asString()
    if not hasattr(remote, "renew"):
        return Post(run_id, dispatcher)
    terms = remote.terms()
    heartbeat, token = float(terms["heartbeat"]), str(terms["token"])
    return Post(run_id, dispatcher, True, dict(terms["settings"]), heartbeat, token)
