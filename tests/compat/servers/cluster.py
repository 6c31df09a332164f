"""A stand-in for Kubernetes: as much of its API as the provider asks for. The command of a pod's container is run here."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gnomon.service import clock
from tests.compat.servers.web import Api

_ROOT = "/api/v1/namespaces/trains"


class Pod:
    """A pod whose only container is a process of this machine; Pending when it is first looked at."""

    def __init__(self, manifest: dict[str, Any], folder: Path, path: str) -> None:
        self.manifest = manifest
        self.looks = 0
        self.since = clock.now()
        [container, *_] = manifest["spec"]["containers"]
        environ = {one["name"]: one["value"] for one in container.get("env") or () if "value" in one}
        self._output = folder / f"{manifest['metadata']['name']}.log"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [*(container.get("command") or ()), *(container.get("args") or ())],
                env=environ | {"PATH": path},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def end(self) -> None:
        """Kill what is left of it."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def log(self, since_seconds: float | None) -> bytes:
        """Return its output, each line behind the time of it."""
        from_ = datetime.min.replace(tzinfo=UTC)
        if since_seconds is not None:
            from_ = clock.now() - timedelta(seconds=since_seconds)
        lines = self._output.read_text().splitlines()
        times = [self.since + timedelta(microseconds=number) for number in range(len(lines))]
        stamped = [
            f"{at:%Y-%m-%dT%H:%M:%S.%f}000Z {line}\n" for at, line in zip(times, lines, strict=True) if at >= from_
        ]
        return "".join(stamped).encode()

    def show(self) -> dict[str, Any]:
        """Return it with its status."""
        self.looks += 1
        code = self._process.poll()
        at = self.since.strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.looks == 1:
            phase, state = "Pending", {"waiting": {"reason": "ContainerCreating"}}
        elif code is None:
            phase, state = "Running", {"running": {"startedAt": at}}
        else:
            phase = "Failed" if code else "Succeeded"
            state = {"terminated": {"exitCode": code, "startedAt": at, "finishedAt": at, "reason": phase}}
        container = self.manifest["spec"]["containers"][0]
        status = {
            "name": container["name"],
            "image": container["image"],
            "imageID": "",
            "restartCount": 0,
            "state": state,
        }
        made = {"apiVersion": "v1", "kind": "Pod", **self.manifest}
        return made | {
            "status": {"phase": phase, "startTime": at, "containerStatuses": [status | {"ready": code is None}]}
        }


class Cluster(Api):
    """The namespace `trains`, for who has the token.

    Args:
        path: PATH of the containers' processes.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.pods: dict[str, Pod] = {}
        self.deleted: list[str] = []
        self._path = path
        self._folder = tempfile.TemporaryDirectory(prefix="gnk8-")

    def configuration(self) -> dict[str, Any]:
        """Return a kubeconfig."""
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "ada", "user": {"token": "of-ada"}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "ada", "namespace": "trains"}}],
        }

    def answer(self, method: str, path: str, query: dict[str, str], content: Any) -> tuple[int, Any]:
        if self.headers.get("authorization") != "Bearer of-ada":
            return 401, _status(401, "Unauthorized")
        if path == f"{_ROOT}/events":
            return 200, {"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": []}
        if path == f"{_ROOT}/pods":
            return self._create(content) if method == "POST" else (200, self._list(query.get("labelSelector", "")))
        name, _, of = path.removeprefix(f"{_ROOT}/pods/").partition("/")
        pod = self.pods.get(name)
        if pod is None:
            return 404, _status(404, "NotFound")
        if of == "log":
            since = query.get("sinceSeconds")
            return 200, pod.log(None if since is None else float(since))
        if method == "DELETE":
            pod.end()
            self.deleted.append(name)
            del self.pods[name]
        elif method == "PATCH":
            pod.manifest["metadata"]["labels"].update(content["metadata"]["labels"])
        return 200, pod.show()

    def server_close(self) -> None:
        """End all pods too."""
        super().server_close()
        for pod in self.pods.values():
            pod.end()
        self._folder.cleanup()

    def _create(self, manifest: dict[str, Any]) -> tuple[int, Any]:
        name = manifest["metadata"]["name"]
        manifest["metadata"] |= {"uid": name, "namespace": "trains", "creationTimestamp": "2026-01-01T00:00:00Z"}
        self.pods[name] = pod = Pod(manifest, Path(self._folder.name), self._path)
        return 201, {**pod.manifest, "status": {"phase": "Pending"}}

    def _list(self, selector: str) -> dict[str, Any]:
        wanted = [one.partition("=") for one in selector.split(",") if "=" in one]
        found = [pod for pod in self.pods.values() if all(_matches(pod, *one) for one in wanted)]
        return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod.show() for pod in found]}


def _matches(pod: Pod, name: str, operator: str, value: str) -> bool:
    labels = pod.manifest["metadata"]["labels"]
    if name.endswith("!"):
        return labels.get(name[:-1]) != value
    return bool(labels.get(name) == value.removeprefix("="))


def _status(code: int, reason: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
