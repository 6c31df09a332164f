"""The operators, sensors, triggers and hooks of Airflow's standard provider."""

__version__ = "1.21.0"
