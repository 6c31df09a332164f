"""Secrets backends beside those of AWS: HashiCorp Vault on a stand-in, for there is no package of it; files."""

from __future__ import annotations

import json

import pytest

from tests.compat.servers import secrets_of
from tests.compat.servers.web import Api, running

_TOKEN = "s.token"


class Vault(Api):
    """Key-value secrets of both versions of the engine, for who has the token."""

    def __init__(self) -> None:
        super().__init__()
        self.secrets = {"connections/vault": {"conn_uri": secrets_of.CONNECTION}}
        self.secrets |= {f"variables/{name}": {"value": value} for name, value in secrets_of.VARIABLES.items()}

    def answer(self, method, path, query, content):
        if self.headers.get("x-vault-token") != _TOKEN:
            return 403, {"errors": ["permission denied"]}
        if path == "/v1/auth/token/lookup-self":
            return 200, {"data": {"id": _TOKEN}}
        engine, _, name = path.removeprefix("/v1/").partition("/")
        found = self.secrets.get(name.removeprefix("data/"))
        if found is None:
            return 404, {"errors": []}
        return 200, {"data": {"data": found, "metadata": {"version": 1}} if engine == "two" else found}


@pytest.mark.parametrize(("mount", "version"), [("one", 1), ("two", 2)])
def test_hashicorp_vault(providers, airflow_home, mount, version):
    with running(Vault()) as vault:
        arguments = {"url": f"http://127.0.0.1:{vault.port}", "token": _TOKEN, "auth_type": "token"}
        arguments |= {"mount_point": mount, "kv_engine_version": version}
        secrets_of.a_run(providers, airflow_home, "airflow.providers.hashicorp.secrets.vault.VaultBackend", arguments)
        assert any(path.endswith("connections/vault") for _, path, _ in vault.requests)


@pytest.mark.parametrize("form", ["json", "yaml", "env"])
def test_local_files(providers, airflow_home, form):
    connections, variables = airflow_home / f"connections.{form}", airflow_home / f"variables.{form}"
    if form == "env":
        connections.write_text(f"vault={secrets_of.CONNECTION}\n")
        variables.write_text("".join(f"{name}={value}\n" for name, value in secrets_of.VARIABLES.items()))
    else:
        # JSON is YAML too.
        connections.write_text(json.dumps({"vault": secrets_of.CONNECTION}))
        variables.write_text(json.dumps(secrets_of.VARIABLES))
    arguments = {"connections_file_path": str(connections), "variables_file_path": str(variables)}
    secrets_of.a_run(providers, airflow_home, "airflow.secrets.local_filesystem.LocalFilesystemBackend", arguments)
