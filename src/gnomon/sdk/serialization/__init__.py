"""From a DAG as authors made it to a wire.dag.SerializedDag, and values to JSON and back."""

from __future__ import annotations

from typing import Any


def serialize_dag(dag: Any) -> Any:
    """Return the wire.dag.SerializedDag of a DAG.

    Args:
        dag: the DAG; `dag.validate()` has been called.

    Raises:
        SerializationError: something in it cannot be written as JSON; the message names the task and the field.
        AirflowDagCycleException: its tasks depend on each other in a circle.
    """
    from gnomon.sdk.serialization.dag import serialize

    return serialize(dag)


__all__ = ["serialize_dag"]
