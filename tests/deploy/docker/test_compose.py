"""What ``docker compose`` does with compose.yaml: whole runs, and faults in their midst."""

import os
import signal
import ssl
import urllib.error
import urllib.request
from datetime import datetime

import pytest
import yaml
from deploy.docker.engine import COMPOSE_FILE
from deploy.docker.stack import TOY, Stack

from bohb_seg.search.events import Evaluate, Finish, WorkersChanged
from bohb_seg.settings import SearchSettings, public

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(1200)]  # the first builds the image

SEGMENTATION = {
    **{"BOHB_N_ITERATIONS": "1", "BOHB_MIN_BUDGET": "1", "BOHB_MAX_BUDGET": "1"},
    **{"BOHB_FINAL_EPOCHS": "1", "BOHB_FINAL_SEEDS": "1", "BOHB_FINAL_CANDIDATES": "1"},
    **{"BOHB_PATCH_SIZE": "32", "BOHB_THREADS": "1"},
}
"""The embedded scenes, trained as little as can be."""
NOT_HANDED_ON = {
    *("run_dir", "cache_dir"),  # volumes
    *("host", "port", "nameserver", "tls", "insecure"),  # the network between the containers
    *("dashboard", "restartable", "resume", "repair", "take_over"),  # how it is started
}


def test_every_setting_of_a_search_can_be_given_from_the_shell_or_the_env_file():
    master = yaml.safe_load(COMPOSE_FILE.read_text())["x-master"]
    handed_on = {name for name, value in master["environment"].items() if value is None}

    assert handed_on - {"BOHB_DASHBOARD_TOKEN"} == {
        f"BOHB_{public(field).upper()}"
        for field in SearchSettings.model_fields.keys() - NOT_HANDED_ON
    }


def test_two_workers_finish_a_run_and_all_containers_end_in_peace(stack):
    said = stack.succeed("up", "--scale", "worker=2")

    assert set(stack.statuses().values()) == {0}, said
    assert len(stack.containers("worker")) == 2
    assert len({order.worker for order in stack.events(Evaluate)}) == 2
    assert set(stack.finished().values()) == {1}
    assert (stack.run_dir / "report" / "report.html").is_file()
    assert stack.state(stack.containers("master")[0])["RestartCount"] == 0


def test_containers_are_nobody_on_a_root_that_cannot_be_written(stack, capsys):
    stack.succeed("up", "--detach", "--scale", "worker=2")
    master, *workers = [*stack.containers("master"), *stack.containers("worker")]

    assert len(workers) == 2
    for container in (master, *workers):
        host = stack.state(container)["HostConfig"]
        assert (host["ReadonlyRootfs"], host["CapDrop"]) == (True, ["ALL"])
        status = stack.engine.docker("exec", container, "cat", "/proc/1/status")
        ids = next(line for line in status.splitlines() if line.startswith("Uid:"))
        assert set(ids.split()[1:]) == {"10001"}
        write = ("python", "-c", "open('/opt/x', 'w')")
        refused = stack.engine.run("exec", "--user", "0", container, *write)
        assert "Read-only file system" in refused.stderr
    with capsys.disabled():
        print(f"\nmaster: healthy after {healthy_after(stack.state(master)):.1f} s")


def test_the_dashboard_is_published_on_this_machine_only(stack):
    token = "a-secret-of-this-test"
    stack.settings = {**TOY, "BOHB_DASHBOARD_TOKEN": token}
    stack.succeed("up", "--detach", "--wait", "master")
    (master,) = stack.containers("master")

    published = stack.state(master)["NetworkSettings"]["Ports"]["8000/tcp"]
    assert published == [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]
    ours = ssl._create_unverified_context()
    link = f"https://127.0.0.1:{stack.port}/"
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(link, context=ours, timeout=60)
    with urllib.request.urlopen(f"{link}?token={token}", context=ours, timeout=60) as page:
        assert "search" in page.read().decode()


def test_a_killed_worker_returns_and_its_evaluation_is_handed_on(stack):
    stack.succeed("up", "--detach", "--scale", "worker=2")
    victim, _ = stack.containers("worker")
    order = stack.at_work(victim)

    os.kill(stack.state(victim)["State"]["Pid"], signal.SIGKILL)

    assert stack.again(order).attempt == order.attempt + 1
    statuses = stack.wait_for_end()
    assert set(statuses.values()) == {0}, statuses
    assert stack.state(victim)["RestartCount"] == 1
    assert set(stack.finished().values()) == {1}
    assert stack.results_of(order.evaluation)[0].info["continued_from"] >= 1


def test_a_stopped_worker_hands_its_trial_back(stack):
    # Its lease would outlast this test's patience: it is the worker itself that says goodbye.
    stack.settings = {**TOY, "BOHB_HEARTBEAT": "100"}
    stack.succeed("up", "--detach", "--scale", "worker=1")
    (worker,) = stack.containers("worker")
    order = stack.at_work(worker)

    stack.succeed("stop", "worker")

    assert stack.state(worker)["State"]["ExitCode"] == 0
    stack.until(
        lambda: any(order.worker in news.left for news in stack.events(WorkersChanged)),
        "the journal says that the worker left",
    )
    stack.succeed("start", "worker")
    assert stack.again(order).worker != order.worker
    assert set(stack.wait_for_end().values()) == {0}
    assert set(stack.finished().values()) == {1}
    assert stack.results_of(order.evaluation)[0].info["continued_from"] >= 1


def test_a_restarted_master_goes_on_and_nothing_is_evaluated_twice(stack):
    stack.succeed("up", "--detach", "--scale", "worker=2")
    for worker in stack.containers("worker"):
        stack.at_work(worker)

    stack.succeed("restart", "master")

    assert set(stack.wait_for_end().values()) == {0}
    assert set(stack.finished().values()) == {1}
    orders = [order.evaluation for order in stack.events(Evaluate)]
    assert len(orders) == len(set(orders))
    assert all(len(stack.results_of(evaluation)) == 1 for evaluation in orders)
    assert len({order.worker for order in stack.events(Evaluate)}) == 2


def test_two_workers_finish_a_run_that_trains(docker_engine, tmp_path):
    stack = Stack(docker_engine, tmp_path, SEGMENTATION)
    try:
        stack.succeed("up", "--scale", "worker=2", timeout=480)

        assert set(stack.statuses().values()) == {0}
        assert set(stack.finished().values()) == {1}
        assert stack.events(Finish)
        assert (stack.run_dir / "model.keras").is_file()
    finally:
        stack.close()


def test_one_command_does_the_whole_job_with_a_folder_of_data(docker_engine, tmp_path):
    settings = {name: SEGMENTATION[name] for name in ("BOHB_PATCH_SIZE", "BOHB_FINAL_SEEDS")}
    stack = Stack(docker_engine, tmp_path, settings)
    try:
        stack.data.chmod(0o777)
        docker_engine.docker(
            *("run", "--rm", "--network=none", f"--volume={stack.data}:/data", "bohb-seg:cpu"),
            *("bohb-data", "make", "/data/scenes"),
        )

        said = stack.succeed(
            *("run", "--rm", "master", "--n-iterations", 1, "--data", "/data/scenes"),
            *("--max-budget", 1, "--min-budget", 1, "--final-epochs", 1, "--final-candidates", 1),
            timeout=480,
        )

        assert "done; the report is results/" in said
        assert [report.is_file() for report in stack.results.glob("*/report/report.html")] == [True]
    finally:
        stack.close()


def test_bad_input_is_not_tried_for_ever(stack):
    stack.settings = {**TOY, "BOHB_N_ITERATIONS": "0"}

    ended = stack.compose("up", "--scale", "worker=1")

    (master,) = stack.containers("master")
    stack.until(lambda: stack.state(master)["State"]["Status"] == "exited", "the engine gives up")
    state = stack.state(master)
    assert ended.status != 0
    assert (state["State"]["ExitCode"], state["RestartCount"]) == (2, 5)
    assert stack.state(stack.containers("worker")[0])["State"]["Status"] == "created"
    assert "--n-iterations 0 (from environment)" in stack.logs


def healthy_after(state):
    """Seconds from a container's start until the end of its first good healthcheck."""

    def time(text):
        return datetime.fromisoformat(text[:26].rstrip("Z") + "+00:00")

    first = next(look for look in state["State"]["Health"]["Log"] if look["ExitCode"] == 0)
    return (time(first["End"]) - time(state["State"]["StartedAt"])).total_seconds()
