"""EmptyOperator: does nothing, stands for a point in a DAG."""

from __future__ import annotations

from typing import Any

from gnomon.sdk.operator import BaseOperator


class EmptyOperator(BaseOperator):
    """A task that does nothing; the scheduler ends it without starting a process."""

    __module__ = "airflow.providers.standard.operators.empty"

    ui_color = "#e8f7e4"
    inherits_from_empty_operator = True

    def execute(self, context: Any) -> None:
        """Do nothing."""
