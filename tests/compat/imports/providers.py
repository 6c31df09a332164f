"""Which provider packages are imported, and what is known of modules that cannot be."""

from __future__ import annotations

from gnomon.cli.airflow_records import TAKEN_FOR_GRANTED

PREFIX = "apache-airflow-providers-"

#: Those that most installations have.
FIRST = (
    "amazon", "apache-spark", "cncf-kubernetes", "common-compat", "common-io", "common-sql", "databricks", "dbt-cloud",
    "docker", "elasticsearch", "ftp", "google", "http", "microsoft-azure", "mongo", "mysql", "openlineage", "postgres",
    "redis", "sftp", "slack", "smtp", "snowflake", "sqlite", "ssh", "standard",
)  # fmt: skip

#: Thirty more.
SECOND = (
    "airbyte", "apache-hive", "apache-kafka", "apache-livy", "atlassian-jira", "celery", "cohere", "common-messaging",
    "datadog", "discord", "git", "github", "grpc", "hashicorp", "imap", "influxdb", "jdbc", "jenkins", "neo4j",
    "openai", "opensearch", "opsgenie", "oracle", "pagerduty", "pgvector", "presto", "salesforce", "trino", "vertica",
    "weaviate",
)  # fmt: skip

#: What they need beside themselves: what Apache Airflow would have brought, and what makes their own code importable.
WITH_THEM = ("gnomon[io]", *TAKEN_FOR_GRANTED)
#: mysqlclient is built on the spot and needs MySQL's C library, which not every machine has.
WITHOUT = ("mysqlclient",)
#: Releases of third-party packages that a provider of today cannot be used with, with Apache Airflow neither.
BOUNDS = ("celery<5.7",)

#: Top-level module → distribution, where the names differ.
DISTRIBUTIONS = {
    "MySQLdb": "mysqlclient",
    "apache_beam": "apache-beam",
    "cassandra": "cassandra-driver",
    "flask": "apache-airflow-providers-fab",
    "onelogin": "python3-saml",
    "wtforms": "apache-airflow-providers-fab",
}

#: Package → the provider package that brings it, if only that one is named by an extra.
BROUGHT_BY = {
    "duckdb": "apache-airflow-providers-duckdb",
    "apache-beam": "apache-airflow-providers-apache-beam",
    "cassandra-driver": "apache-airflow-providers-apache-cassandra",
    "oracledb": "apache-airflow-providers-oracle",
    "pymssql": "apache-airflow-providers-microsoft-mssql",
}

#: Modules that need a package which no extra of their provider names: why that is so.
UNDECLARED = {
    "apache-airflow-providers-fab": (
        "written for Airflow 2's web interface; imports Flask's form library, which came with it"
    ),
}
