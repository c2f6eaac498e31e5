"""A study on a Ray cluster: the same bytes as with local workers, also where a node is lost with cells in flight."""

import threading
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from ruleshift.envs.files import write_atomically
from ruleshift.eval import study
from ruleshift.eval.jobs.cluster import compute_apart
from ruleshift.eval.jobs.folder import Folder
from ruleshift.eval.jobs.task import Job, OnProgress, Work


def begin(setting: Any) -> Work:
    """Work of which each task stores what it was given, and the one called `policy` a policy."""

    def work(task: str, folder: Folder, on_progress: OnProgress) -> None:
        if task == "policy":
            write_atomically(folder.partial(task) / "policy.json", "trained")
            folder.publish(task)
        else:
            text = (folder.trained("policy") / "policy.json").read_text()
            folder.write(task, {"result": [text, setting]}, ("policy",))

    return work


def test_compute_apart__gives_the_bytes_that_a_worker_leaves(tmp_path: Path) -> None:
    here, there = Folder(tmp_path / "here", "owner"), Folder(tmp_path / "there", "owner")
    job = Job(f"{__name__}:begin", 3)
    for task, needs in (("policy", ()), ("cell", ("policy",))):
        job.work()(task, here, lambda share: None)
        inputs = {name: there.files(name) for name in needs}
        there.receive(task, compute_apart({"begin": job.begin, "setting": 3}, "owner", task, inputs))
        assert here.files(task) == there.files(task)
    there.settle(["policy", "cell"], recompute=False)


def test_receive__leaves_nothing_of_a_training_that_was_begun_here(tmp_path: Path) -> None:
    here, there = Folder(tmp_path / "here", "owner"), Folder(tmp_path / "there", "owner")
    begin(0)("policy", here, lambda share: None)
    write_atomically(there.partial("policy") / "checkpoint.safetensors", "half")
    there.receive("policy", here.files("policy"))
    assert here.files("policy") == there.files("policy")


@pytest.mark.parametrize("name", ["cells/other.json", "policies/policy/../../x", "/etc/x", "policies/other/x.json"])
def test_receive__takes_the_files_of_the_result_and_no_others(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no file of the result of policy"):
        Folder(tmp_path, "owner").receive("policy", {name: b"1"})
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_study__an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ray is 3; it must be"):
        study("testing", tmp_path / "out", ray=3, quiet=True)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is installed")
def test_study__says_what_a_cluster_needs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--ray needs Ray: pip install 'ruleshift\[ray\]'"):
        study("testing", tmp_path / "out", ray="auto", quiet=True)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Three nodes of one core each, on this machine, and nothing on the node of the driver."""
    pytest.importorskip("ray", reason="Ray is an option that is installed apart")
    from ray.cluster_utils import Cluster

    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    for _ in range(3):
        nodes.add_node(num_cpus=1)
    yield nodes
    nodes.shutdown()


def test_study__on_three_nodes_of_which_one_is_lost(cluster: Any, tmp_path: Path) -> None:
    root = tmp_path / "cluster"

    def kill_one() -> None:
        while len(list(root.glob("cells/*"))) < 8:
            time.sleep(0.05)
        cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)

    killer = threading.Thread(target=kill_one)
    killer.start()
    study("testing", root, ray=cluster.address, quiet=True)
    killer.join()
    study("testing", tmp_path / "local", workers=2, quiet=True)
    for name in ("results.csv", "report.html"):
        assert (root / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
    cells = [sorted(path.name for path in each.glob("cells/*")) for each in (root, tmp_path / "local")]
    assert cells[0] == cells[1]
    assert list(root.glob("partial/*")) == []
