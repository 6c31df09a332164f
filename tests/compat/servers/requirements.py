"""What is installed for these tests."""

from __future__ import annotations

#: mysqlclient has to be compiled; the MySQL provider works with mysql-connector-python too. pyspark is all of Spark, and
#: pyspark-client, which the provider asks for, a part of the same folder.
OVERRIDES = "mysqlclient ; python_version < '0'\npyspark-client ; python_version < '0'\n"

#: The release whose events real Airflow recorded.
OPENLINEAGE = "apache-airflow-providers-openlineage==2.20.3"

PROVIDERS = [
    "apache-airflow-providers-amazon[aiobotocore,s3fs]",
    "apache-airflow-providers-apache-spark",
    "apache-airflow-providers-cncf-kubernetes",
    "apache-airflow-providers-common-io",
    "apache-airflow-providers-common-messaging",
    "apache-airflow-providers-common-sql[pandas]",
    "apache-airflow-providers-databricks",
    "apache-airflow-providers-docker",
    "apache-airflow-providers-hashicorp",
    "apache-airflow-providers-http",
    "apache-airflow-providers-mysql",
    OPENLINEAGE,
    "apache-airflow-providers-postgres",
    "apache-airflow-providers-redis",
    "apache-airflow-providers-sftp",
    "apache-airflow-providers-smtp",
    "apache-airflow-providers-snowflake",
    "apache-airflow-providers-sqlite",
    "apache-airflow-providers-ssh",
    "astronomer-cosmos",
    "mysql-connector-python",
    "pyspark",
    # Makes environments for tasks; pip would trust the tests' certificate only.
    "uv",
]

STAND_INS = ["moto[server]", "fakesnow[server]", "snowflake-connector-python<5", "aiosmtpd"]

DBT = ["dbt-core<1.12", "dbt-duckdb"]
