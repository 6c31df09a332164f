"""Commands of Airflow that something else has taken the place of, or that are not there: each says so in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import application, single
from gnomon.cli.output import Format, Output, Verbose, note

#: Whatever follows the name of such a command is of no interest.
ANYTHING: dict[str, Any] = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
    "help_option_names": [],
}

TEAMS = "teams are not there: [core] multi_team has no effect, and everybody works on the same DAGs"
_FAB = "users and roles of the Flask application builder are not there"


def instead(sentence: str, hint: str | None = None) -> Callable[[typer.Context], None]:
    """Return a command that only says something."""

    def command(context: typer.Context) -> None:
        raise CommandError(sentence, hint=hint)

    command.__doc__ = f"{sentence[:1].upper()}{sentence[1:]}."
    return command


def _single(sentence: str, hint: str | None = None) -> typer.Typer:
    app = single()
    app.command(context_settings=ANYTHING)(instead(sentence, hint))
    return app


webserver = _single("the web server of Airflow 2 is gone", "airflow api-server is what has taken its place")
kerberos = _single("there is no renewer of Kerberos tickets", "k5start or kinit -R keep a ticket fresh for the workers")
db_manager = _single("tables of providers are not managed: an auth manager that has some cannot be used")
users = _single(_FAB, "[core] simple_auth_manager_users names who may log in, as admin:admin,ann:viewer")
roles = _single(_FAB, "the roles are viewer, user, op and admin; [core] simple_auth_manager_users says who has which")
sync_perm = _single("there are no permissions to write down: the roles viewer, user, op and admin are fixed")

teams = application("Teams, which are not there.")


@teams.command("list")
def list_teams(output_format: Output = Format.TABLE, verbose: Verbose = False) -> None:
    """List the teams: there are none."""
    from gnomon.cli import output

    if output_format not in (Format.JSON, Format.YAML):
        note(f"{TEAMS[:1].upper()}{TEAMS[1:]}.")
    output.rows([], output_format, empty="No teams found.")


for _name in ("create", "delete", "sync"):
    teams.command(_name, context_settings=ANYTHING)(instead(TEAMS))
