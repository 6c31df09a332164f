"""The releases that Gnomon stands for; provider packages decide by them what they import and how they behave."""

from __future__ import annotations

#: apache-airflow-task-sdk of the Airflow that `airflow.__version__` names
TASK_SDK = "1.3.2"
