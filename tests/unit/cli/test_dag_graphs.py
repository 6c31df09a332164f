from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gnomon.cli.dot import dependencies_as_dot
from gnomon.store import engine
from gnomon.store.parses import Parse
from gnomon.wire.dag import SerializedDag, SerializedTask, TimetableSpec
from gnomon.wire.execution import FileRef

LEAF = {"asset": {"name": "leaf", "uri": "s3://leaf"}}
NEVER = TimetableSpec(kind="null")
PICK = SerializedDag(
    dag_id="pick",
    timetable=NEVER,
    tasks=[
        SerializedTask(task_id="send", extra={"dag_dependency": ["trigger", "wash"]}, outlets=[LEAF]),
        SerializedTask(task_id="wait", extra={"dag_dependency": ["sensor", 'the "sun"']}),
    ],
)
WASH = SerializedDag(
    dag_id="wash",
    timetable=TimetableSpec(kind="assets", assets={"any": [LEAF, {"all": [{"alias": "scent"}]}]}),
    tasks=[SerializedTask(task_id="t")],
)


def edges(text):
    return {line.strip() for line in text.splitlines() if "->" in line}


def test_dags_point_at_what_they_start_wait_for_and_share():
    text = dependencies_as_dot([PICK, WASH])
    assert edges(text) == {
        '"dag:pick" -> "trigger:pick.send"',
        '"trigger:pick.send" -> "dag:wash"',
        '"dag:pick" -> "asset:leaf"',
        '"dag:the \\"sun\\"" -> "sensor:pick.wait"',
        '"sensor:pick.wait" -> "dag:pick"',
        '"asset:leaf" -> "dag:wash"',
        '"asset-alias:scent" -> "dag:wash"',
    }
    assert '\t"trigger:pick.send" [shape=ellipse label="pick.send"]' in text.splitlines()
    assert dependencies_as_dot([]) == "digraph {\n\tgraph [rankdir=LR]\n}"


@pytest.fixture
def two_dags(airflow_home):
    engine.migrate()
    with engine.open_store() as store:
        for dag in (PICK, WASH):
            name = f"{dag.dag_id}.py"
            file = FileRef(bundle="b", path=f"/dags/{name}", relative_path=name, source_hash="h", bundle_root="/dags")
            store.dags.record_parse(Parse(file=file, dags=[dag]), datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.usefixtures("two_dags")
def test_pictures_are_printed_and_saved(airflow, tmp_path, monkeypatch):
    code, said, _ = airflow("dags", "show-dependencies")
    assert (code, len(edges(said))) == (0, 7)
    file = tmp_path / "wash.dot"
    assert airflow("dags", "show", "wash", "-s", str(file))[:2] == (0, f"File {file} saved\n")
    assert file.read_text().startswith('digraph "wash" {')
    monkeypatch.setenv("PATH", str(tmp_path))
    for options, said in (
        (("-s", "x.png"), "Error: -s/--save needs the program dot, of Graphviz, which is not installed\n"),
        (("-s", "x.png", "--imgcat"), "Error: -s/--save and --imgcat cannot be combined\n"),
        (("-s", "x"), "Error: -s/--save: x needs an ending such as .dot or .png\n"),
    ):
        assert airflow("dags", "show-dependencies", *options) == (2, "", said)
    (tmp_path / "dot").write_text('#!/bin/sh\necho "as $1"; exec /bin/cat >/dev/null\n')
    (tmp_path / "dot").chmod(0o755)
    picture = tmp_path / "all.svg"
    assert airflow("dags", "show-dependencies", "--save", str(picture))[0] == 0
    assert picture.read_text() == "as -Tsvg\n"
