from __future__ import annotations

import pytest

from gnomon.store.errors import UnsupportedDatabase
from gnomon.store.url import normalize, shown


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_means_psycopg_3(scheme: str) -> None:
    url = normalize(f"{scheme}://me:s3cret@db:5433/airflow?sslmode=require")

    assert url.drivername == "postgresql+psycopg"
    assert (url.username, url.host, url.port, url.database) == ("me", "db", 5433, "airflow")
    assert url.query == {"sslmode": "require"}
    assert "s3cret" not in shown(url)


def test_sqlite_needs_an_absolute_path() -> None:
    assert normalize("sqlite:////home/me/airflow.db").database == "/home/me/airflow.db"
    for bad in ("sqlite:///airflow.db", "sqlite://", "sqlite:///:memory:"):
        with pytest.raises(UnsupportedDatabase):
            normalize(bad)


@pytest.mark.parametrize(
    ("url", "message"), [("mysql://u:s3cret@h/d", "'mysql' databases"), ("s3cret", "not a database URL")]
)
def test_others_are_refused_without_showing_the_password(url: str, message: str) -> None:
    with pytest.raises(UnsupportedDatabase, match=message) as error:
        normalize(url)
    assert "s3cret" not in str(error.value)
