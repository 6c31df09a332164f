"""The Redis provider on a Redis."""

from __future__ import annotations


def test_hook_keys_and_messages_to_a_sensor_and_a_trigger(deployment, redis):
    deployment.connection("cache", "redis", host="127.0.0.1", port=redis, extra={"db": 0})
    deployment.add("redis_messages.py")
    run = deployment.run("redis_messages")
    # Airflow 3.3 cannot push the sensor's message either: it has bytes in it.
    assert {name for name, state in run.states.items() if state != "success"} == {"gone", "listen"}, run.why()
    assert "'type': 'message'" in run.log("listen")
    assert "a builtins.bytes has no JSON form" in run.log("listen")
    assert run.xcom("count") == ["Altona", 2]
    assert run.xcom("deferred")[0] == "news"
    assert run.xcom("deferred")[1].endswith("arrived")
