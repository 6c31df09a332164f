"""`gnomon dev start`, `stop`, `restart` and `kill`."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from gnomon.cli import environments, preflight, starter, statefile
from gnomon.cli import project as projects
from gnomon.cli.errors import CommandError
from gnomon.cli.lazy import single
from gnomon.cli.project import Project

_SETTINGS = "airflow_settings.yaml"
_PORT = 8080
#: With fewer bytes than this left on the disk, processes end without a word.
_ROOM_FOR_LOGS = 1 << 20


start_app, stop_app, restart_app, kill_app = single(), single(), single(), single()

_EnvFile = Annotated[str | None, typer.Argument(metavar="[ENVFILE]", help="Env file, as with --env.")]
_Env = Annotated[str | None, typer.Option("-e", "--env", help="Env file.", show_default=".env")]
_Settings = Annotated[
    str | None, typer.Option("-s", "--settings-file", help="Pools, variables, connections.", show_default=_SETTINGS)
]
_Wait = Annotated[str, typer.Option("--wait", help="How long to wait until everything runs: 90s, 5m.")]
_Port = Annotated[int | None, typer.Option("-p", "--port", help="Port of the API server.", show_default=str(_PORT))]
_NoBrowser = Annotated[bool, typer.Option("-n", "--no-browser", help="Do not open a browser.")]
_Foreground = Annotated[bool, typer.Option("-f", "--foreground", help="Show everything live; Ctrl-C ends it.")]


def _refuse_docker(asked: bool) -> None:
    if asked:
        raise CommandError("--docker: projects run as processes of this machine; images are not there yet", exit_code=2)


_Docker = Annotated[bool, typer.Option("--docker", hidden=True, callback=_refuse_docker)]
#: What people type for `astro`, and what needs no doing here: there is no image, no cache and no proxy.
_Unused = Annotated[bool, typer.Option("--standalone", "--no-cache", "--no-proxy", hidden=True)]
_UnusedOnRestart = Annotated[
    bool, typer.Option("--standalone", "--no-cache", "--no-proxy", "-n", "--no-browser", hidden=True)
]


@start_app.command()
def start(
    env_file: _EnvFile = None,
    env: _Env = None,
    settings_file: _Settings = None,
    wait: _Wait = "1m",
    port: _Port = None,
    no_browser: _NoBrowser = False,
    foreground: _Foreground = False,
    docker: _Docker = False,
    _unused: _Unused = False,
) -> None:
    """Start scheduler, worker, DAG processor, triggerer and API server, as processes of this machine."""
    project = projects.require()
    seconds = parse_wait(wait)
    begin(project, env or env_file, settings_file, seconds, port, browser=not no_browser, foreground=foreground)


@stop_app.command()
def stop() -> None:
    """Stop the project's processes. Running tasks are ended; runs and settings are kept."""
    _enter(projects.require())
    print("Stopped." if starter.stop() else "Nothing is running here.")


@restart_app.command()
def restart(
    env_file: _EnvFile = None,
    env: _Env = None,
    settings_file: _Settings = None,
    wait: _Wait = "1m",
    port: _Port = None,
    kill: Annotated[bool, typer.Option("-k", "--kill", help="Delete the database and the logs first.")] = False,
    foreground: _Foreground = False,
    docker: _Docker = False,
    _unused: _UnusedOnRestart = False,
) -> None:
    """Stop, then start with what Dockerfile, env file and settings file say now."""
    project = projects.require()
    seconds = parse_wait(wait)
    _enter(project)
    before = statefile.running()
    used = env or env_file or (before.env_file if before else projects.last_env_file(project)) or None
    if kill:
        _kill(project)
    else:
        starter.stop()
    begin(project, used, settings_file, seconds, port or (before.port if before else None), foreground=foreground)


@kill_app.command()
def kill() -> None:
    """Stop the project's processes at once, and delete its database and logs."""
    project = projects.require()
    _enter(project)
    _kill(project)
    print(f"Stopped, and deleted {projects.HOME}.")


def _enter(project: Project) -> None:
    os.environ["AIRFLOW_HOME"] = str(project.home)


def _kill(project: Project) -> None:
    starter.stop(grace=2.0)
    shutil.rmtree(project.home, ignore_errors=True)
    if project.home.exists():
        shutil.rmtree(project.home)  # which says why it cannot be deleted


def parse_wait(text: str) -> float:
    """Return the seconds of 90, 90s, 5m or 1m30s.

    Raises:
        CommandError: it is no duration.
    """
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip())
    if not text.strip() or found is None:
        raise CommandError(f"--wait: {text!r} is not a duration such as 90s or 5m", exit_code=2)
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def begin(
    project: Project,
    env_file: str | None,
    settings_file: str | None,
    wait: float,
    port: int | None,
    *,
    browser: bool = False,
    foreground: bool = False,
) -> None:
    """Start a project's processes, and either show them live or return when they run."""
    began = time.monotonic()
    environments.refresh(project.root, project.home, lambda line: print(line, file=sys.stderr))
    environ = project.environment(os.environ, env_file)
    settings = _settings(project, settings_file)
    os.environ.update(environ)
    if statefile.running():
        raise starter.already_running()
    preflight.check_settings()
    preflight.check_log_folder()
    projects.link_folders(project.root, project.home)
    (project.home / "env-file").write_text(env_file or "", encoding="utf-8")
    chosen = _choose_port(project, port)
    for line in (*project.warnings, *preflight.doubts()):
        print(f"Warning: {line}", file=sys.stderr)
    started = starter.launch(
        environ,
        logs=project.home / "logs" / "processes",
        port=chosen,
        project=str(project.root),
        env_file=env_file or "",
        settings=settings,
        bound=foreground,
    )
    if foreground:
        from gnomon.cli.foreground import show

        raise typer.Exit(show(started, title=project.name, port=chosen))
    _wait_until_ready(started, wait)
    url = f"http://localhost:{chosen}"
    print(f"Running at {url}, after {time.monotonic() - began:.1f} s.")
    print("gnomon dev logs -f shows what the processes say, gnomon dev stop ends them.")
    if browser:
        _open_browser(url)


def _settings(project: Project, named: str | None) -> Path | None:
    from gnomon.cli import settings_file

    path = project.root / (named or _SETTINGS)
    if named and not path.is_file():
        raise CommandError(f"-s/--settings-file: {path} does not exist", exit_code=2)
    if not path.is_file():
        return None
    settings_file.read(path)  # what is wrong with it is said now, not in a log
    return path


def _choose_port(project: Project, asked: int | None) -> int:
    from gnomon.service.config import conf

    configured = next(
        (value for name in ("api-server", "webserver") if (value := project.setting(name, "port")) is not None), None
    )
    wanted = asked if asked is not None else int(configured or conf.getint("api", "port", fallback=_PORT))
    chosen = starter.free_port(wanted, host="127.0.0.1", must=asked is not None)
    if chosen != wanted:
        print(f"Port {wanted} is in use, so the address is http://localhost:{chosen}")
    return chosen


def _wait_until_ready(started: starter.Started, wait: float) -> None:
    try:
        _follow(started, wait)
    except KeyboardInterrupt:
        print("\nStopping what was started …", file=sys.stderr)
        started.stop()
        raise


def _follow(started: starter.Started, wait: float) -> None:
    from gnomon.cli.events import Progress

    with Progress() as progress:
        for event in started.follow(wait):
            progress.show(event)
            if event["event"] == "ready":
                return
            if event["event"] == "failed" or event.get("looping"):
                started.stop()
                raise _no_start(event, started.logs)
    if started.process.poll() is not None:
        raise starter.ended_early(started)
    raise CommandError(
        f"--wait: not everything runs after {wait:g} seconds; it goes on starting",
        hint="gnomon dev ps and gnomon dev logs show how far it is",
    )


def _no_start(event: dict[str, Any], logs: Path) -> CommandError:
    from gnomon.cli.events import reasons

    part = event["part"]
    why = reasons(event["why"])
    if not why and shutil.disk_usage(logs).free < _ROOM_FOR_LOGS:
        why = [f"the disk of {logs} is full"]
    said = (": " + why[0] if len(why) == 1 else ":\n" + "\n".join(why)) if why else ""
    if part == "prepare":
        return CommandError(f"the database cannot be prepared{said}")
    return CommandError(f"{part} does not start{said}", hint="gnomon dev logs shows the rest")


def _open_browser(url: str) -> None:
    if not sys.stdout.isatty() or os.environ.get("SSH_CONNECTION"):
        return
    import urllib.request
    import webbrowser

    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own address
            if "text/html" in answer.headers.get("Content-Type", ""):
                webbrowser.open(url)
    except OSError:
        return  # no page to show
