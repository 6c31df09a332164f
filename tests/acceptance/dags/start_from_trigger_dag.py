"""Tasks whose trigger starts without a process of theirs; each process says in a file that it ran."""

import os
from datetime import timedelta
from pathlib import Path

from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.providers.standard.sensors.filesystem import FileSensor
from airflow.sdk import DAG, BaseOperator, Param
from airflow.triggers.base import BaseTrigger, StartTriggerArgs, TriggerEvent

JOURNAL = Path(os.environ["FAULT_JOURNAL"])
FOLDER = JOURNAL.parent


def journal(*words):
    with JOURNAL.open("a") as file:
        print(*words, file=file)


class Says(BaseTrigger):
    """Fires what it was made with."""

    def __init__(self, text="", many=None, fails=False):
        super().__init__()
        self.text, self.many, self.fails = text, many, fails

    def serialize(self):
        return f"{type(self).__module__}.Says", {"text": self.text, "many": self.many, "fails": self.fails}

    async def run(self):
        if self.fails:
            raise RuntimeError("this trigger fails")
        yield TriggerEvent({"text": self.text, "many": self.many, "try": self.task_instance.try_number})


class Starts(BaseOperator):
    """Starts in the trigger; its one process is that which resumes it."""

    template_fields = ("text", "many", "other")
    start_from_trigger = True

    def __init__(self, *, text="", many=None, start_from_trigger=True, succeeds_in=1, **kwargs):
        super().__init__(**kwargs)
        self.text, self.many, self.other, self.succeeds_in = text, many, "", succeeds_in
        self.start_from_trigger = start_from_trigger
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="start_from_trigger_dag.Says",
            trigger_kwargs={"text": text, "many": many, "fails": text == "fail"},
            next_method="resume",
            next_kwargs={"extra": [1, {"a": None}]},
        )

    def execute(self, context):
        journal("process", context["ti"].task_id, context["ti"].map_index)
        return "process"

    def resume(self, context, event, extra):
        assert extra == [1, {"a": None}]
        ti = context["ti"]
        journal("resumed", ti.task_id, ti.map_index, ti.try_number, event["try"])
        if ti.try_number < self.succeeds_in:
            raise ValueError("once more")
        return {"text": event["text"], "many": event["many"]}


with DAG("starts", schedule=None, params={"size": Param(3, type="integer")}):
    Starts(
        task_id="templated",
        text="{{ dag_run.run_id }} {{ params.size }} {{ ti.try_number }} {{ task.task_id }}",
        many=["{{ var.value.get('nothing', 'none') }}", {"key": "{{ dag_run.conf['size'] }}"}],
    )
    Starts(task_id="again", text="plain", retries=2, retry_delay=timedelta(0), succeeds_in=2)
    Starts(task_id="fails", text="fail")
    Starts(task_id="in_a_process", start_from_trigger=False)
    Starts.partial(task_id="mapped").expand(text=["a", "{{ ti.map_index }}"])
    Starts.partial(task_id="some", text="s").expand_kwargs([{}, {"start_from_trigger": False}])
    FileSensor(
        task_id="file",
        filepath=f"{FOLDER}/{{{{ run_id }}}}",
        deferrable=True,
        start_from_trigger=True,
        poke_interval=0.1,
    )
    FileSensor(
        task_id="too_late",
        filepath=f"{FOLDER}/never",
        deferrable=True,
        start_from_trigger=True,
        execution_timeout=timedelta(seconds=1),
    )
    DateTimeSensorAsync(task_id="date", target_time="2020-01-01T00:00:00+00:00", start_from_trigger=True)
