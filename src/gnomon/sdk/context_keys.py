"""The names that a task's context can have."""

from __future__ import annotations

#: What functions may ask for by naming an argument so; such arguments need not be given.
KNOWN_CONTEXT_KEYS: frozenset[str] = frozenset(
    {
        "conn", "dag", "dag_run", "data_interval_end", "data_interval_start", "ds", "ds_nodash", "expanded_ti_count",
        "exception", "inlet_events", "inlets", "logical_date", "macros", "map_index_template", "outlet_events",
        "outlets", "params", "partition_date", "partition_key", "prev_data_interval_end_success",
        "prev_data_interval_start_success", "prev_end_date_success", "prev_start_date_success", "reason", "run_id",
        "start_date", "task", "task_instance", "task_instance_key_str", "task_reschedule_count", "task_state_store",
        "asset_state_store", "templates_dict", "test_mode", "ti", "triggering_asset_events", "try_number", "ts",
        "ts_nodash", "ts_nodash_with_tz", "var",
        # Airflow 2
        "conf", "execution_date", "next_ds", "next_ds_nodash", "next_execution_date", "prev_ds", "prev_ds_nodash",
        "prev_execution_date", "prev_execution_date_success", "tomorrow_ds", "tomorrow_ds_nodash",
        "triggering_dataset_events", "yesterday_ds", "yesterday_ds_nodash",
    }
)  # fmt: skip
