"""The Kubernetes provider on a stand-in for the API server: no package has a real one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.compat.servers.cluster import Cluster
from tests.compat.servers.web import running


@pytest.fixture(scope="module")
def cluster(deployment, providers):
    with running(Cluster(f"{providers.path}/bin:/usr/bin:/bin")) as server:
        deployment.connection("cluster", "kubernetes", extra={"kube_config": json.dumps(server.configuration())})
        deployment.add("kubernetes_pods.py")
        yield server
    for name in ("py", "in", "out"):
        Path(f"/tmp/script.{name}").unlink(missing_ok=True)  # where @task.kubernetes writes in a container


def test_pods_and_decorated_functions(deployment, cluster):
    run = deployment.run("kubernetes_pods", seconds=180)
    others = {name: state for name, state in run.states.items() if state != "success"}
    assert others == {"fails": "failed", "deferred_fails": "failed", "skips": "skipped", "late": "failed"}, run.why()
    assert "hello from kubernetes_pods" in run.log("run")
    assert "and done" in run.log("deferred")
    assert "going" in run.log("fails")
    assert ["first" in run.log("mapped", map_index=0), "second" in run.log("mapped", map_index=1)] == [True, True]
    assert "Altona has 3" in run.log("decorated")
    assert "a command of Altona" in run.log("command")
    # All but one are deleted, whatever became of them; that of the task that took too long is not left running.
    [(kept, pod)] = cluster.pods.items()
    assert kept == run.xcom("deferred", key="pod_name")
    assert pod.manifest["metadata"]["labels"]["already_checked"] == "True"
    made = {
        body["metadata"]["labels"]["task_id"]: body for body in cluster.asked("/api/v1/namespaces/trains/pods") if body
    }
    assert made["run"]["metadata"]["name"].startswith("of-kubernetes-pods")
    assert made["run"]["metadata"]["labels"]["line"] == "S1"
    [container] = made["run"]["spec"]["containers"]
    assert container["resources"] == {"limits": {"memory": "64Mi"}}
    assert {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"key": "password", "name": "passwords"}}} in container[
        "env"
    ]
