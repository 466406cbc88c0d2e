"""What compose.yaml starts, in a project of its own, driven by the commands of its README."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from deploy.docker.engine import COMPOSE_FILE, PATIENCE, Engine
from helpers.commands import free_port

from bohb_seg.rpc.names import is_on
from bohb_seg.search.events import Evaluate, Evaluated, Settled
from bohb_seg.storage import journal
from bohb_seg.trials import EvaluationId

SPACE = """
import ConfigSpace as CS

def space():
    found = CS.ConfigurationSpace()
    found.add([CS.Float(f"x{i}", (0.0, 1.0)) for i in range(5)], CS.Constant("sleep", 0.8))
    return found
"""
TOY = {
    **{"BOHB_WORKER": "toy", "BOHB_SPACE": "/data/space.py", "BOHB_COMPARISON": "false"},
    **{"BOHB_OPTIMIZER": "hyperband", "BOHB_N_ITERATIONS": "3", "BOHB_HEARTBEAT": "1"},
    **{"BOHB_MIN_BUDGET": "9", "BOHB_MAX_BUDGET": "9"},
}
"""Three evaluations of nine units of budget each: in all of them there is time for a fault."""

Found = TypeVar("Found")


@dataclass
class Stack:
    """One project: its folders on this machine and what its containers do.

    Args:
        engine: Where it runs.
        folder: Of results and data.
        settings: What a user would have in the shell or in ``.env``.
    """

    engine: Engine
    folder: Path
    settings: Mapping[str, str] = field(default_factory=lambda: TOY)
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.data, self.results = self.folder / "data", self.folder / "results"
        self.data.mkdir()
        (self.data / "space.py").write_text(SPACE)

    @property
    def name(self) -> str:
        """Of the project."""
        return f"test-{self.port}"

    def compose(self, *words: object, timeout: float = 2 * PATIENCE) -> "Done":
        """Runs ``docker compose``."""
        environment = {
            **self.engine.environment,
            **{"DATA_DIR": str(self.data), "RESULTS_DIR": str(self.results)},
            **{"DASHBOARD_PORT": str(self.port), **self.settings},
        }
        done = subprocess.run(
            ["docker", "compose", "-f", COMPOSE_FILE, "-p", self.name, *map(str, words)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        return Done(done.returncode, done.stdout)

    def succeed(self, *words: object, timeout: float = 2 * PATIENCE) -> str:
        """Runs ``docker compose``, wants status 0, returns what it said."""
        done = self.compose(*words, timeout=timeout)
        assert done.status == 0, f"{words}: {done.said}\n{self.logs}"
        return done.said

    def close(self) -> None:
        """Removes containers, networks and volumes."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", 1)

    # --- containers ----------------------------------------------------------------------------

    def containers(self, service: str) -> Sequence[str]:
        """Ids of a service's containers, also of those that ended."""
        return self.succeed("ps", "--all", "--quiet", service).split()

    def state(self, container: str) -> Any:
        """What the engine knows of a container."""
        return json.loads(self.engine.docker("inspect", container))[0]

    def statuses(self) -> Mapping[str, int]:
        """Exit statuses by container; wants all to have ended."""
        found = [self.state(container) for container in self.succeed("ps", "-aq").split()]
        assert not [each["Name"] for each in found if each["State"]["Running"]], self.logs
        return {each["Name"]: each["State"]["ExitCode"] for each in found}

    def wait_for_end(self) -> Mapping[str, int]:
        """Waits until nothing runs any more; returns :meth:`statuses`."""
        self.until(lambda: not self.succeed("ps", "--quiet").split(), "all containers have ended")
        return self.statuses()

    @property
    def logs(self) -> str:
        """What all containers have said last."""
        return self.compose("logs", "--no-color", "--tail", 25).said

    # --- the run -------------------------------------------------------------------------------

    @property
    def run_dir(self) -> Path:
        """Of a run of ``up``."""
        return self.results / "search"

    def events(self, kind: type[Found]) -> Sequence[Found]:
        """Those of one kind that the journal has so far."""
        file = self.run_dir / journal.FILE_NAME
        entries = journal.read(file) if file.exists() else []
        return [entry.event for entry in entries if isinstance(entry.event, kind)]

    def at_work(self, container: str) -> Evaluate:
        """What a worker's container is training; waits until it has left a checkpoint of it."""

        def order() -> Evaluate | None:
            settled = {event.evaluation for event in self.events(Settled)}
            orders = [o for o in self.events(Evaluate) if is_on(o.worker, container[:12])]
            latest = orders[-1] if orders else None
            running = latest and latest.evaluation not in settled
            return latest if running and self._has_checkpoint(latest) else None

        return self.until(order, f"{container[:12]} is at work")

    def again(self, order: Evaluate) -> Evaluate:
        """The next attempt at the same evaluation; waits for it."""

        def found() -> Evaluate | None:
            same = (o for o in self.events(Evaluate) if o.evaluation == order.evaluation)
            return next((o for o in same if o.attempt > order.attempt), None)

        return self.until(found, f"{order.evaluation} is ordered again")

    def finished(self) -> Mapping[EvaluationId, int]:
        """How often each evaluation that was ordered came to a result that counts."""
        settled = Counter(event.evaluation for event in self.events(Settled))
        return {order.evaluation: settled[order.evaluation] for order in self.events(Evaluate)}

    def results_of(self, evaluation: EvaluationId) -> Sequence[Evaluated]:
        """What workers brought for it; a worker that died at it brought nothing."""
        news = [news for news in self.events(Evaluated) if news.evaluation == evaluation]
        return [each for each in news if each.loss is not None]

    def until(self, condition: Callable[[], Found | None], what: str) -> Found:
        """Polls until ``condition()`` holds; tells the logs if it never does."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain until {what}\n{self.logs}"
            time.sleep(0.1)
        return found

    def _has_checkpoint(self, order: Evaluate) -> bool:
        trial = "-".join(map(str, order.evaluation.trial))
        return any((self.run_dir / "checkpoints" / trial).glob("[!.]*"))


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    status: int
    said: str
