"""What every DAG of this project must keep to. `dev pytest` runs it; add your own tests beside it."""

from pathlib import Path

import pytest
from airflow.models import DagBag

DAGS = Path(__file__).parents[2] / "dags"
#: Empty: any tag will do.
ALLOWED_TAGS: set[str] = set()

dag_bag = DagBag(dag_folder=str(DAGS), include_examples=False)


def test_every_file_imports():
    assert dag_bag.import_errors == {}


@pytest.mark.parametrize("dag", dag_bag.dags.values(), ids=dag_bag.dags)
def test_every_dag_has_a_tag(dag):
    assert dag.tags, f"{dag.dag_id} in {dag.fileloc} has no tags"
    assert not ALLOWED_TAGS or set(dag.tags) <= ALLOWED_TAGS


@pytest.mark.parametrize("dag", dag_bag.dags.values(), ids=dag_bag.dags)
def test_every_dag_retries_twice_or_more(dag):
    assert dag.default_args.get("retries", 0) >= 2, f"{dag.dag_id} in {dag.fileloc} gives up too early"
