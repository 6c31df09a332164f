"""Task instances that a policy and a weight strategy decide on, beside `airflow_local_settings.py` in the config folder."""

from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.task.priority_strategy import PriorityWeightStrategy


class ByIndex(PriorityWeightStrategy):
    def get_weight(self, ti):
        return 10 * (ti.map_index + 1) + len(ti.run_id)


with DAG("asked", schedule=None):

    @task(retries=1, retry_delay=timedelta(0))
    def flaky(ti=None):
        if ti.try_number == 1:
            raise ValueError("once more")
        return [1, 2]

    @task(weight_rule=ByIndex())
    def each(x, ti=None):
        return [ti.pool, ti.priority_weight]

    each.expand(x=flaky())
