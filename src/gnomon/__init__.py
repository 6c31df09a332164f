"""Gnomon: an orchestrator that runs Airflow projects unchanged."""

__version__ = "0.1.0"
