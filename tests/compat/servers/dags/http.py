"""What the HTTP provider does, on the connection `web`."""

from __future__ import annotations

import json

import pendulum

from airflow.providers.http.hooks.http import HttpHook
from airflow.providers.http.operators.http import HttpOperator
from airflow.providers.http.sensors.http import HttpSensor
from airflow.sdk import DAG, task

START = pendulum.datetime(2024, 1, 1, tz="UTC")


def next_page(response):
    page = response.json()["next"]
    return {"data": {"page": page}} if page else None


def names(responses):
    return [name for response in responses for name in response.json()["names"]]


def is_for(response, task_instance, params):
    return task_instance.task_id == "checked" and response.json()["content"] == params["body"]


with DAG("http_requests", schedule=None, start_date=START, default_args={"http_conn_id": "web"}, max_active_tasks=4):
    get = HttpOperator(task_id="get", method="GET", endpoint="stations", log_response=True)
    pages = HttpOperator(
        task_id="pages", method="GET", endpoint="stations", pagination_function=next_page, response_filter=names
    )
    checked = HttpOperator(
        task_id="checked",
        endpoint="echo",
        data=json.dumps({"day": "2024-01-01"}),
        params={"body": {"day": "2024-01-01"}},
        headers={"Content-Type": "application/json"},
        response_check=is_for,
        response_filter=lambda response: response.json(),
    )
    refused = HttpOperator(task_id="refused", method="GET", endpoint="stations", response_check=lambda response: False)
    missing = HttpOperator(task_id="missing", method="GET", endpoint="nowhere")
    poke = HttpSensor(task_id="poke", endpoint="later/poke", poke_interval=0.1, timeout=20)
    again = HttpSensor(task_id="again", endpoint="later/again", poke_interval=0.1, timeout=20, mode="reschedule")
    body = HttpSensor(
        task_id="body",
        endpoint="stations",
        request_params={"page": "3"},
        response_check=lambda response, task_instance: response.json()["next"] is None,
        poke_interval=0.1,
        timeout=20,
    )

    @task
    def hook():
        response = HttpHook("PUT", http_conn_id="web").run("echo", json={"a": [1, None]})
        return response.json()

    @task
    def read(text, found):
        return [json.loads(text)["names"], found]

    hook()
    read(get.output, pages.output)


with DAG("http_deferrable", schedule=None, start_date=START, default_args={"http_conn_id": "web", "deferrable": True}):
    HttpOperator(task_id="get", method="GET", endpoint="echo", data={"q": "deferred"}, log_response=True)
    HttpOperator(
        task_id="checked",
        method="GET",
        endpoint="stations",
        data={"page": "3"},
        response_check=lambda response, task_instance: task_instance.task_id == "checked",
        response_filter=lambda response: response.json()["names"],
    )
    HttpOperator(
        task_id="pages", method="GET", endpoint="stations", pagination_function=next_page, response_filter=names
    )
    HttpOperator(
        task_id="last_page", method="GET", endpoint="stations", pagination_function=next_page, data={"page": "3"}
    )
    HttpSensor(task_id="sensor", endpoint="later/deferred", poke_interval=0.1, timeout=20)
    HttpSensor(task_id="never", endpoint="nowhere", poke_interval=0.1, timeout=1)
    HttpOperator(task_id="missing", method="GET", endpoint="nowhere")
