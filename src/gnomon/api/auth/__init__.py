"""Who may do what: users, roles, tokens. Behaves as Airflow's SimpleAuthManager does."""
