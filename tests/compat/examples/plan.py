"""Which example DAGs are run, how, and which are not, each with the reason."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compat.environments import wheel
from tests.compat.examples.driving import Answer, AssetEvent, Pause, Scenario, Touch, Trigger, Unpause

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Collection:
    """Example DAGs of some wheels, and the Airflow that says how they end.

    Attributes:
        name: In the names of files.
        airflow: The version that the recording is of.
        profile: Gnomon's `[core] compat` for them.
        folders: Wheel and folder in it, for each folder of DAG files; none for those of this repository.
        library: Wheel whose `airflow/example_dags` the files may import from, if they do.
        bundled: Airflow finds these DAGs and their plugins by itself.
        left_out: DAG → why it is not run.
        together: Scenarios of several DAGs, or that need more than one run without configuration.
        loose: `DAG` or `DAG run` → why only the counts of states are compared, if there is such a run at all.
        clocked: `DAG` or `DAG task` → why it ends otherwise at another time: what its tasks become is not compared.
        volatile: XComs, as `DAG.task`, `DAG.task.key` or `key`, → why their values are not compared.
        beyond: Name of a collection whose DAGs are not run once more.
        known: How a place of a difference begins, as `DAG`, `DAG made: task` …, → why it is one.
    """

    name: str
    airflow: str
    profile: int
    folders: tuple[tuple[str, str, str], ...] = ()
    library: tuple[str, str] | None = None
    bundled: bool = False
    left_out: dict[str, str] = field(default_factory=dict)
    together: tuple[Scenario, ...] = ()
    loose: dict[str, str] = field(default_factory=dict)
    clocked: dict[str, str] = field(default_factory=dict)
    volatile: dict[str, str] = field(default_factory=dict)
    beyond: str | None = None
    known: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What it is called in the document."""
        if not self.folders:
            return f"DAGs of this repository beside Airflow {self.airflow}"
        return f"{' and '.join(f'{project} {version}' for project, version, _ in self.folders)} beside Airflow {self.airflow}"

    @property
    def recording(self) -> Path:
        """The file of what real Airflow did."""
        return _HERE / f"recorded-{self.name}.json"

    def recorded(self) -> dict[str, Any]:
        """Return what real Airflow did."""
        recorded: dict[str, Any] = json.loads(self.recording.read_text(encoding="utf-8"))
        return recorded

    def scenarios(self, known: set[str]) -> list[Scenario]:
        """Return what to run: the scenarios of several DAGs, and one run of each other DAG."""
        if self.beyond is not None:
            known = known - COLLECTIONS[self.beyond].recorded()["dags"].keys()
        planned = [scenario for scenario in self.together if set(scenario.dags) <= known]
        taken = {dag_id for scenario in planned for dag_id in scenario.dags} | set(self.left_out)
        return planned + [_alone(name) for name in sorted(known - taken)]

    def sources(self) -> dict[str, Path]:
        """Return the folders of DAG files, by the name they get below the DAG folder."""
        if not self.folders:
            return {"own": _HERE / "dags"}
        return {project: wheel(project, version) / folder for project, version, folder in self.folders}

    def files(self) -> dict[str, Path]:
        """Return path below the DAG folder → DAG file, of files that are to be parsed."""
        return {
            f"{name}/{path.name}": path
            for name, source in self.sources().items()
            for path in sorted(source.glob("*.py"))
            if path.name != "__init__.py"
        }

    def fill(self, home: Path) -> None:
        """Give a home the DAG folder and the plugins, unless Airflow has them itself."""
        (home / "dags").mkdir()
        if self.bundled:
            return
        self.copy_dags(home / "dags")
        self.write_plugins(home / "plugins")

    def copy_dags(self, folder: Path) -> None:
        """Copy the DAG files and what lies beside them."""
        ignored = shutil.ignore_patterns("__pycache__", "plugins", "libs", "__init__.py")
        for name, source in self.sources().items():
            shutil.copytree(source, folder / name, ignore=ignored)

    def write_plugins(self, folder: Path) -> None:
        """Register the plugins that belong to the examples."""
        if self.library is None:
            return
        folder.mkdir(exist_ok=True)
        source = wheel(*self.library) / "airflow/example_dags/plugins"
        for path in source.glob("*.py"):
            text = path.read_text(encoding="utf-8")
            names = [
                line.split("(")[0].removeprefix("class ") for line in text.splitlines() if "(AirflowPlugin)" in line
            ]
            if names:
                module = f"airflow.example_dags.plugins.{path.stem}"
                (folder / f"of_{path.stem}.py").write_text(f"from {module} import {', '.join(names)}\n")


def _alone(dag_id: str, **conf: Any) -> Scenario:
    return Scenario(dag_id, (Unpause((dag_id,)), Trigger(dag_id, conf)))


def _consumers(name: str, producers: tuple[str, ...], consumers: tuple[str, ...]) -> Scenario:
    """Unpause consumers of assets, then the producers, then run each of these."""
    return Scenario(name, (Unpause(consumers), Unpause(producers), *map(Trigger, producers)))


_CORE = ("apache-airflow-core", "3.3.2", "airflow/example_dags")
_STANDARD = ("apache-airflow-providers-standard", "latest", "airflow/providers/standard/example_dags")
_TWO = ("apache-airflow", "2.11.2", "airflow/example_dags")

_OUTSIDE = "asks a service on the Internet"
_SHARED = {
    "tutorial_objectstorage": f"{_OUTSIDE}, and S3",
    "example_kubernetes_executor": "needs a Kubernetes cluster",
    "example_local_kubernetes_executor": "needs a Kubernetes cluster",
}

_CONDITIONAL = (
    "asset_consumes_1",
    "asset_consumes_1_and_2",
    "asset_consumes_1_never_scheduled",
    "asset_consumes_unknown_never_scheduled",
    "conditional_asset_and_time_based_timetable",
    "consume_1_and_2_with_asset_expressions",
    "consume_1_or_2_with_asset_expressions",
    "consume_1_or_both_2_and_3_with_asset_expressions",
)
_TEAMS = ("team_a_player_stats", "team_b_player_stats", "team_c_player_stats")
_INGEST = ("ingest_team_a_player_stats", "team_b_player_stats", "team_c_player_stats")
_OF_TEAMS = (
    "clean_and_combine_player_stats",
    "compute_player_odds",
    "player_odds_quality_check_wont_ever_to_trigger",
    "daily_team_a_rollup",
    "monthly_team_a_rollup",
)
_WEEKLY = ("daily_inference", "trailing_week_inference")
_ASSETS = (
    Scenario(
        "conditional assets",
        # The first producer is scheduled, so that unpausing it makes its one run.
        (
            Unpause(_CONDITIONAL),
            Unpause(("asset_produces_1",)),
            Unpause(("asset_produces_2",)),
            Trigger("asset_produces_2"),
        ),
    ),
    # Both producers with an alias update one asset, so they are run together.
    _consumers(
        "asset aliases",
        (
            "asset_s3_bucket_producer",
            "asset_alias_example_alias_producer",
            "asset_s3_bucket_producer_with_no_taskflow",
            "asset_alias_example_alias_producer_with_no_taskflow",
        ),
        (
            "asset_s3_bucket_consumer",
            "asset_alias_example_alias_consumer",
            "asset_s3_bucket_consumer_with_no_taskflow",
            "asset_alias_example_alias_consumer_with_no_taskflow",
        ),
    ),
    Scenario("teams", (Unpause(("team_ml_consumer",)), Unpause(("team_analytics_producer",)))),
    _consumers("asset functions", ("asset1_producer", "asset2_producer"), ("consumes_asset_decorator",)),
    _consumers("asset state store", ("example_asset_state_store_producer",), ("example_asset_state_store_consumer",)),
    Scenario(
        "events with extra",
        (
            Unpause(("asset_with_extra_by_yield",)),
            Unpause(("asset_with_extra_by_context",)),
            Unpause(("asset_with_extra_from_classic_operator",)),
            Unpause(("read_asset_event", "read_asset_event_from_classic")),
        ),
    ),
    Scenario(
        "watchers",
        (
            Unpause(("example_asset_with_watchers",)),
            Touch("/tmp/test"),
            Touch("/tmp/region-flags/us.flag"),
            Touch("/tmp/region-flags/eu.flag"),
        ),
    ),
)
_PARTITIONS = (
    _consumers("partitions made by a run", ("ingest_regional_sales",), ("aggregate_regional_sales",)),
    _consumers(
        "several partitions",
        ("multi_region_player_stats",),
        ("segment_region_stats_rollup", "segment_region_stats_early_rollup"),
    ),
    Scenario(
        "a partition of a run",
        (
            Unpause(("regional_stats_breakdown", "ingest_region_stats")),
            Trigger("ingest_region_stats", partition_key="us"),
        ),
    ),
    _consumers(
        "partitions that scatter",
        ("live_region_player_stats",),
        ("summarize_live_region_stats", "scatter_live_region_to_segments"),
    ),
    Scenario(
        "partitions of hours",
        (
            Unpause(_OF_TEAMS),
            *(AssetEvent(name, "2026-03-03T06:00:00") for name in _TEAMS),
            *(AssetEvent(_TEAMS[0], f"2026-03-04T{hour:02}:00:00") for hour in range(24)),
            Pause(_OF_TEAMS),
            Unpause(_INGEST),
            *(Trigger(dag_id, partition_key="2026-03-05T06:00:00") for dag_id in _INGEST),
        ),
    ),
    Scenario(
        "partitions of weeks",
        (
            Unpause(_WEEKLY),
            AssetEvent("weekly_model_artifact", "2026-03-02T00:00:00"),
            Pause(_WEEKLY),
            Unpause(("train_weekly_model",)),
            Trigger("train_weekly_model", partition_key="2026-03-09T00:00:00"),
        ),
    ),
)
_OTHERS = (
    Scenario(
        "example_branch_dop_operator_v3",
        (Unpause(("example_branch_dop_operator_v3",)), Trigger("example_branch_dop_operator_v3")),
        apart=True,  # depends on the past
    ),
    _alone("example_params_ui_tutorial", required_field="a text of some length"),
    Scenario(
        "a run that makes a run",
        (Unpause(("example_trigger_target_dag",)), Unpause(("example_trigger_controller_dag",))),
    ),
    Scenario("a sensor of another DAG", (Unpause(("child_dag",)), Unpause(("example_external_task",)))),
    Scenario(
        "example_hitl_operator",
        (Unpause(("example_hitl_operator",)), Trigger("example_hitl_operator")),
        (
            Answer("wait_for_input", ("OK",), {"information": "of a human"}),
            Answer("wait_for_option", ("option 1",)),
            Answer("wait_for_multiple_options", ("option 4", "option 5")),
            Answer("valid_input_and_options", ("Approve",)),
            Answer("choose_a_branch_to_run", ("task_2",)),
        ),
    ),
)
_SHARED_2 = {**_SHARED, "example_external_task_marker_child": "waits ten minutes for a task group that is not there"}
_DATASETS = (
    Scenario(
        "conditional datasets",
        (
            Unpause(tuple(name.replace("asset", "dataset") for name in _CONDITIONAL)),
            Unpause(("dataset_produces_1",)),
            Unpause(("dataset_produces_2",)),
            Trigger("dataset_produces_2"),
        ),
    ),
    _consumers(
        "dataset aliases",
        (
            "dataset_s3_bucket_producer",
            "dataset_alias_example_alias_producer",
            "dataset_s3_bucket_producer_with_no_taskflow",
            "dataset_alias_example_alias_producer_with_no_taskflow",
        ),
        (
            "dataset_s3_bucket_consumer",
            "dataset_alias_example_alias_consumer",
            "dataset_s3_bucket_consumer_with_no_taskflow",
            "dataset_alias_example_alias_consumer_with_no_taskflow",
        ),
    ),
    Scenario(
        "dataset events with extra",
        (
            Unpause(("dataset_with_extra_by_yield",)),
            Unpause(("dataset_with_extra_by_context",)),
            Unpause(("dataset_with_extra_from_classic_operator",)),
            Unpause(("read_dataset_event", "read_dataset_event_from_classic")),
        ),
    ),
    *_OTHERS[:3],
)
_MINUTE = "depends on the time of day"
_PLACE = "names a folder or a file of the machine"
_TIME = "tells the time"
_VOLATILE = {
    "example_bash_decorator.describe_dag_folder": _PLACE,
    "example_bash_decorator.get_file_stats": _PLACE,
    "example_bash_decorator.show_dag_folder_stats": _PLACE,
    "example_bash_operator.describe_dag_folder": _PLACE,
    "example_bash_operator.show_dag_folder_stats": _PLACE,
    "example_asset_state_store_producer.load": "a random number",
    "example_task_state_store.run_job": "a random number",
    "example_task_state_store_mapped.process_table": "a random number",
    "example_hitl_operator.wait_for_input": _TIME,
    "example_hitl_operator.wait_for_option": _TIME,
    "example_hitl_operator.wait_for_multiple_options": _TIME,
    "example_hitl_operator.wait_for_default_option": _TIME,
    "example_hitl_operator.valid_input_and_options": _TIME,
    "example_hitl_operator.choose_a_branch_to_run": _TIME,
    "tutorial.print_date": _TIME,
    "example_sensors.print_date_in_bash": _TIME,
    "trigger_run_id": _TIME,
    "trigger_execution_date_iso": _TIME,
    "_link_TriggerDagRunLink": _TIME,
}
_DRAWS_LOTS = "chooses at random"
_BY_HOUR = {"example_branch_datetime_operator_2": "chooses by the time of day"}
_BY_DAY = {
    "example_sensors week_day_sensor_failing_on_timeout": "waits for a Monday",
    "example_weekday_branch_operator": "chooses by the day of the week",
}

THREE = Collection(
    name="3",
    airflow="3.3.2",
    profile=3,
    folders=(_CORE, _STANDARD),
    library=_CORE[:2],
    bundled=True,
    left_out={
        **_SHARED,
        "example_retry_policy": f"{_OUTSIDE}, and waits five minutes before each retry",
        "example_external_task_marker_child": "waits ten minutes for a task group that is not there, then fails",
    },
    together=(*_ASSETS, *_PARTITIONS, *_OTHERS),
    clocked=_BY_HOUR | _BY_DAY,
    volatile=_VOLATILE,
    known={
        **dict.fromkeys(
            ("example_sensors made: fire_immediately_async", "example_sensors made: print_date_in_bash"),
            "its trigger fires at once, and Airflow fails a task whose process was not reported as ended by then",
        ),
        **dict.fromkeys(
            (
                "asset_with_extra_by_yield",
                "asset_with_extra_by_context",
                "asset_with_extra_from_classic_operator",
                "read_asset_event",
                "read_asset_event_from_classic",
            ),
            "two examples call one URI by different names: the one that is parsed first is active, here and there",
        ),
        "example_task_state_store_async": "the example calls `aget` and `aset`, which Airflow 3.3.2 does not have yet",
    },
    loose={
        "example_branch_operator": _DRAWS_LOTS,
        "example_branch_python_operator_decorator": _DRAWS_LOTS,
        "example_branch_dop_operator_v3 scheduled 1": _MINUTE,
        **{f"{dag_id} scheduled 1": _MINUTE for dag_id in (*_INGEST, "train_weekly_model")},
    },
)
TWO_ON_THREE = Collection(
    name="2-on-3",
    airflow="3.3.2",
    profile=3,
    folders=(_TWO,),
    library=_CORE[:2],
    bundled=False,
    left_out=_SHARED_2,
    together=_DATASETS,
    clocked=_BY_HOUR,
    volatile=_VOLATILE,
    loose={
        "example_branch_dop_operator_v3 scheduled 1": _MINUTE,
    },
)
TWO = Collection(
    name="2",
    airflow="2.11.2",
    profile=2,
    folders=(_TWO,),
    library=_TWO[:2],
    bundled=False,
    left_out=_SHARED_2,
    together=_DATASETS,
    beyond="2-on-3",
    clocked=_BY_DAY,
    known={
        "dataset_alias_example_alias_consumer asset_triggered 2": (
            "after its file was parsed again, Airflow also counts events of the dataset that the alias stood for before;"
            " here only events through the alias count"
        ),
        "example_subdag_operator": "the tasks of a SubDagOperator are a task group here, and a DAG of their own there",
        **dict.fromkeys(
            (
                "example_weekday_branch_operator made: make_choice: XCom return_value",
                "example_weekday_branch_operator made: make_weekend_choice: XCom return_value",
            ),
            "Airflow 2 keeps the choice of this branch as the task's result, Airflow 3 does not",
        ),
    },
    volatile=_VOLATILE,
    loose={
        "example_branch_operator": _DRAWS_LOTS,
        "example_branch_python_operator_decorator": _DRAWS_LOTS,
    },
)

OWN = Collection(
    name="own",
    airflow="3.3.2",
    profile=3,
    volatile=_VOLATILE,
    together=(
        Scenario(
            "a run that waits for a run",
            (Unpause(("compat_called",)), Unpause(("compat_caller",)), Trigger("compat_caller")),
        ),
    ),
)

COLLECTIONS = {collection.name: collection for collection in (THREE, TWO_ON_THREE, TWO, OWN)}
