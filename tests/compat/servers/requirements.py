"""What is installed for these tests."""

from __future__ import annotations

#: mysqlclient has to be compiled; the MySQL provider works with mysql-connector-python too.
OVERRIDES = "mysqlclient ; python_version < '0'\n"

PROVIDERS = [
    "apache-airflow-providers-amazon[aiobotocore]",
    "apache-airflow-providers-cncf-kubernetes",
    "apache-airflow-providers-common-io",
    "apache-airflow-providers-common-messaging",
    "apache-airflow-providers-common-sql[pandas]",
    "apache-airflow-providers-databricks",
    "apache-airflow-providers-docker",
    "apache-airflow-providers-http",
    "apache-airflow-providers-mysql",
    "apache-airflow-providers-postgres",
    "apache-airflow-providers-redis",
    "apache-airflow-providers-sftp",
    "apache-airflow-providers-smtp",
    "apache-airflow-providers-snowflake",
    "apache-airflow-providers-sqlite",
    "apache-airflow-providers-ssh",
    "astronomer-cosmos",
    "mysql-connector-python",
]

STAND_INS = ["moto[server]", "fakesnow[server]", "snowflake-connector-python<5", "aiosmtpd"]

DBT = ["dbt-core<1.12", "dbt-duckdb"]
