"""REST API v2, with Airflow's paths, field names and conventions."""
