import pytest
from helpers.recorded_run import write_run

from bohb_seg.report import write_report


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory):
    """A finished simulated run with its report."""
    directory = write_run(tmp_path_factory.mktemp("runs") / "demo")
    write_report(directory)
    return directory
