"""A stand-in for Databricks: as much of its REST API as the provider asks for; each run is over when it was looked at three times."""

from __future__ import annotations

from typing import Any

from tests.compat.servers.web import Api


class Lakehouse(Api):
    """Jobs `nightly` (7) and what is created; runs whose notebook is `/fails` fail."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[int, dict[str, Any]] = {7: {"name": "nightly"}}
        self.runs: dict[int, dict[str, Any]] = {}

    def answer(self, method: str, path: str, query: dict[str, str], content: Any) -> tuple[int, Any]:
        if self.headers.get("authorization") != "Bearer dapi-token":
            return 401, {"error_code": "PERMISSION_DENIED", "message": "the token is wrong"}
        given = content or query
        match path.removeprefix("/api/").partition("/")[2]:
            case "jobs/list":
                wanted = query.get("name")
                jobs = [{"job_id": n, "settings": job} for n, job in self.jobs.items() if wanted in (None, job["name"])]
                return 200, {"jobs": jobs, "has_more": False}
            case "jobs/create":
                self.jobs[len(self.jobs) + 100] = given
                return 200, {"job_id": len(self.jobs) + 99}
            case "jobs/reset":
                self.jobs[given["job_id"]] = given["new_settings"]
                return 200, {}
            case "jobs/run-now":
                return 200, {"run_id": self._begin(self.jobs[int(given["job_id"])], int(given["job_id"]))}
            case "jobs/runs/submit":
                return 200, {"run_id": self._begin(given, 0)}
            case "jobs/runs/get":
                return 200, self._look(int(given["run_id"]))
            case "jobs/runs/get-output":
                return 200, {"error": "the notebook failed", "metadata": self._look(int(given["run_id"]))}
            case "clusters/spark-versions":
                return 200, {"versions": []}
        return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": f"no {method} {path}"}

    def _begin(self, job: dict[str, Any], job_id: int) -> int:
        number = 1000 + 10 * len(self.runs)
        tasks = job.get("tasks") or [job | {"task_key": "task"}]
        self.runs[number] = {"job_id": job_id, "looks": 0, "tasks": tasks}
        return number

    def _look(self, number: int) -> dict[str, Any]:
        # A task's run has the number of its job's run plus its place.
        run = self.runs[number - number % 10]
        run["looks"] += 1
        over = run["looks"] >= 3
        tasks = [
            {"task_key": task["task_key"], "run_id": number - number % 10 + place, "start_time": place}
            | {"state": _state(over, [task])}
            for place, task in enumerate(run["tasks"], start=1)
        ]
        state = _state(over, run["tasks"]) if number % 10 == 0 else tasks[number % 10 - 1]["state"]
        return {
            "run_id": number,
            "job_id": run["job_id"],
            "state": state,
            "tasks": tasks,
            "run_page_url": f"https://bricks.example.com/#job/{run['job_id']}/run/{number}",
        }


def _state(over: bool, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    if not over:
        return {"life_cycle_state": "RUNNING", "state_message": ""}
    failed = any(task.get("notebook_task", {}).get("notebook_path") == "/fails" for task in tasks)
    result = "FAILED" if failed else "SUCCESS"
    return {"life_cycle_state": "TERMINATED", "result_state": result, "state_message": "it is over"}
