"""Arguments of DAGs that are acted on by the REST API."""

from __future__ import annotations

import pytest

from gnomon.service.config import conf
from gnomon.store.engine import Store
from tests.fixtures.api_client import Client
from tests.fixtures.api_data import add_dag, add_run, add_ti, tea


@pytest.mark.parametrize(
    ("said", "setting", "asked", "is_newest"),
    [
        (True, None, None, True),
        (False, "True", None, False),
        (None, "True", None, True),
        (None, None, None, False),
        (True, None, False, False),
        (None, None, True, True),
    ],
)
def test_rerun_with_latest_version_is_asked_of_the_request_then_of_the_dag_then_of_the_settings(
    api: Client,
    kettle: Store,
    monkeypatch: pytest.MonkeyPatch,
    said: bool | None,
    setting: str | None,
    asked: bool | None,
    is_newest: bool,
) -> None:
    if setting is not None:
        monkeypatch.setenv("AIRFLOW__CORE__RERUN_WITH_LATEST_VERSION", setting)
        conf.reload()
    add_dag(kettle, tea("pot", rerun_with_latest_version=said))
    run = add_run(kettle, "pot")
    before = kettle.dags.get("pot").version_id  # type: ignore[union-attr]
    add_dag(kettle, tea("pot", rerun_with_latest_version=said, description="new"))
    newest = kettle.dags.get("pot").version_id  # type: ignore[union-attr]
    assert before != newest
    add_ti(kettle, run, "boil", state="success")

    body = {"dry_run": False} | ({} if asked is None else {"run_on_latest_version": asked})
    api.ok("POST", "/dags/pot/dagRuns/r1/clear", json=body)

    cleared = kettle.runs.get(run)
    assert cleared is not None
    assert cleared.version_id == (newest if is_newest else before)


def test_owner_links_are_told(api: Client, kettle: Store) -> None:
    add_dag(kettle, tea("pot", owner_links={"ann": "https://example.com/ann", "bob": "mailto:bob@example.com"}))
    links = api.get("/dags/pot/details")["owner_links"]
    assert links == {"ann": "https://example.com/ann", "bob": "mailto:bob@example.com"}


@pytest.mark.parametrize("chosen", [True, False])
def test_is_paused_upon_creation_goes_before_the_setting_and_only_at_first(
    api: Client, kettle: Store, chosen: bool
) -> None:
    add_dag(kettle, tea("pot", is_paused_upon_creation=chosen))
    assert api.get("/dags/pot")["is_paused"] is chosen
    api.ok("PATCH", "/dags/pot", json={"is_paused": not chosen})
    add_dag(kettle, tea("pot", is_paused_upon_creation=chosen, description="new"))
    assert api.get("/dags/pot")["is_paused"] is not chosen
