"""Gnomon: an orchestrator that runs Airflow projects unchanged."""

__version__ = "0.1.0"

#: The Airflow release whose behaviour this is; what /api/v2/version answers.
AIRFLOW_VERSION = "3.3.2"
