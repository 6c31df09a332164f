"""Questions to people, as REST shows them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, or_, select

from gnomon.store import tables as t
from gnomon.store.human_input import Question, question_of
from gnomon.store.human_input_tables import human_input
from gnomon.store.reads import task_instances, versions
from gnomon.store.reads.listing import Filter, Listing, Page, Query, equals, fetch, one_of, patterns, ranges

asked, ti, run = human_input.c, t.task_instance.c, t.dag_run.c
_PREFIX = "asked_"


def _search(param: str, column: ColumnElement[Any]) -> Filter:
    return Filter(param, lambda text: or_(*(column.ilike(f"%{term.strip()}%") for term in str(text).split("|"))))


def _received(value: Any) -> ColumnElement[bool]:
    return asked.responded_at.is_not(None) if value else asked.responded_at.is_(None)


QUESTIONS = Listing(
    name="hitl_details",
    select=task_instances.TASK_INSTANCES.select.add_columns(
        *(column.label(_PREFIX + column.name) for column in human_input.columns)
    ).join(human_input, and_(asked.ti_id == ti.id, asked.try_number == ti.try_number)),
    key=asked.ti_id,
    filters=(
        *patterns("dag_id", run.dag_id),
        equals("task_id", ti.task_id),
        *patterns("task_id", ti.task_id),
        equals("map_index", ti.map_index, "int"),
        one_of("state", ti.state),
        Filter("response_received", _received, "bool"),
        one_of("responded_by_user_id", asked.responded_by_id),
        one_of("responded_by_user_name", asked.responded_by_name),
        _search("subject_search", asked.subject),
        _search("body_search", asked.body),
        *ranges("created_at", asked.created_at),
    ),
    orders={
        "ti_id": asked.ti_id,
        "subject": asked.subject,
        "responded_at": asked.responded_at,
        "created_at": asked.created_at,
        "responded_by_user_id": asked.responded_by_id,
        "responded_by_user_name": asked.responded_by_name,
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "task_display_name": ti.task_id,
        "run_after": run.run_after,
        "rendered_map_index": ti.rendered_map_index,
        "task_instance_operator": ti.operator,
        "task_instance_state": ti.state,
    },
    default_order=("ti_id",),
)


def page(connection: Connection, cache: versions.VersionCache, query: Query, *where: ColumnElement[bool]) -> Page:
    """Return a page of questions; each row is a task instance, its question under `question`."""
    found = fetch(connection, QUESTIONS, query, *where)
    task_instances.complete(connection, cache, found.rows)
    for row in found.rows:
        row["question"] = question_of(_Row({c.name: row.pop(_PREFIX + c.name) for c in human_input.columns}))
    return found


def of_try(connection: Connection, ti_id: int, try_number: int) -> Question | None:
    """Return the question of one try."""
    query = select(human_input).where(asked.ti_id == ti_id, asked.try_number == try_number)
    row = connection.execute(query).first()
    return None if row is None else question_of(row)


class _Row:
    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)
