"""Bodies of requests and responses, with the field names and types of Airflow's REST API v2."""
