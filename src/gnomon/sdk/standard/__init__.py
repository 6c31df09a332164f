"""The operators, sensors, triggers and hooks of Airflow's standard provider."""
