"""A run directory whose journal the test writes, and the real process that shows it."""

import http.client
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from helpers.journals import news, order
from helpers.recorded_run import Recorder, started

from bohb_seg.dashboard.launcher import Dashboard
from bohb_seg.search.events import WorkersChanged
from bohb_seg.settings import SearchSettings

WORKER = "hpbandster.run_demo.worker.alpha.101"
SECRET = "correct-horse-battery"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass
class Shown:
    """A dashboard and the journal it shows."""

    run_dir: Path
    record: Recorder
    dashboard: Dashboard
    link: str
    tls: ssl.SSLContext | None = None

    @property
    def process(self):
        return self.dashboard._process

    @property
    def place(self) -> tuple[str, int]:
        address = urlsplit(self.link)
        return address.hostname, address.port

    @property
    def token(self) -> str:
        return self.link.partition("token=")[2]

    def get(self, path="/", method="GET", **headers) -> Answer:
        """Asks as a browser does; ``Host`` and others by keyword, with _ for -."""
        kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
        options = {"context": self.tls} if self.tls else {}
        connection = kind(*self.place, timeout=60, **options)
        try:
            its = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, headers=its)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())
        finally:
            connection.close()

    def train(self, *numbers: int) -> None:
        """Trials that are evaluated, one after the other."""
        for number in numbers:
            trial = (0, 0, number)
            at = 10.0 * (number + 1)
            self.record(order(trial, 3, WORKER), at=at)
            self.record(news(trial, 3, 1 / (number + 2), WORKER), at=at + 5)


def recorded(folder: Path) -> Recorder:
    """A run that has begun and has a worker."""
    record = Recorder(folder / "run" / "events.jsonl")
    record(started(), at=0)
    record(WorkersChanged(joined=(WORKER,)), at=1)
    return record


@contextmanager
def shown(folder: Path, address="127.0.0.1:0", environment=(), trust=None, **flags):
    """A dashboard of a run of two evaluations."""
    record = recorded(folder)
    run_dir = record.path.parent
    settings = SearchSettings(run_id="demo", run_dir=run_dir, dashboard=address, **flags)
    with Dashboard(settings, dict(environment)) as dashboard:
        its = Shown(run_dir, record, dashboard, dashboard._link(), trust)
        dashboard.start()
        its.train(0, 1)
        yield its
