"""What the Redis provider does, on the connection `cache`."""

from __future__ import annotations

import pendulum

from airflow.providers.redis.hooks.redis import RedisHook
from airflow.providers.redis.operators.redis_publish import RedisPublishOperator
from airflow.providers.redis.sensors.redis_key import RedisKeySensor
from airflow.providers.redis.sensors.redis_pub_sub import RedisPubSubSensor
from airflow.providers.redis.triggers.redis_await_message import AwaitMessageTrigger
from airflow.sdk import DAG, BaseOperator, task

CONNECTION = {"redis_conn_id": "cache"}


class Message(BaseOperator):
    """Waits for a message in the triggerer."""

    def execute(self, context):
        self.defer(
            trigger=AwaitMessageTrigger(channels=["news"], redis_conn_id="cache", poll_interval=0.05),
            method_name="resume",
        )

    def resume(self, context, event):
        return [event["channel"], event["data"]]


with DAG("redis_messages", schedule=None, start_date=pendulum.datetime(2024, 1, 1, tz="UTC"), max_active_tasks=8):

    @task
    def count():
        client = RedisHook(redis_conn_id="cache").get_conn()
        client.delete("stations", "visits")
        client.hset("stations", mapping={"1": "Altona"})
        client.incr("visits", 2)
        return [client.hget("stations", "1").decode(), int(client.get("visits"))]

    @task
    def until_all_listen():
        """Publishing has no memory, so it waits for both subscribers."""
        import time

        client = RedisHook(redis_conn_id="cache").get_conn()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            listening = dict(client.pubsub_numsub("news"))[b"news"]
            if listening >= 2:
                return int(listening)
            time.sleep(0.02)
        raise TimeoutError("nobody listens to the channel")

    key = RedisKeySensor(task_id="key", key="visits", poke_interval=0.1, timeout=20, **CONNECTION)
    gone = RedisKeySensor(task_id="gone", key="no such key", poke_interval=0.1, timeout=0.5, **CONNECTION)
    # The sensor subscribes when the worker first looks at it.
    listen = RedisPubSubSensor(task_id="listen", channels="news", poke_interval=0.1, timeout=30, **CONNECTION)
    deferred = Message(task_id="deferred")
    publish = RedisPublishOperator(task_id="publish", channel="news", message="{{ run_id }} arrived", **CONNECTION)

    count() >> [key, gone]
    until_all_listen() >> publish
