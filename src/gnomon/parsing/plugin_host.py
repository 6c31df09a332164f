"""Serves the web applications of plugins, in a process of their own; the api-server passes requests on to it.

    python -P -m gnomon.parsing.plugin_host <descriptor of a listening socket>

It ends when its standard input does, that is, with the api-server.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gnomon.parsing import project, surroundings
from gnomon.sdk import plugins
from gnomon.service.config import conf
from gnomon.service.masked_output import mask_output

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Mounted:
    """Hands a request to the application with the longest prefix of its path."""

    def __init__(self, apps: dict[str, Application]) -> None:
        self._apps = dict(sorted(apps.items(), key=lambda item: -len(item[0])))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        path = scope["path"]
        for prefix, app in self._apps.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                await app({**scope, "root_path": scope.get("root_path", "") + prefix}, receive, send)
                return
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"no plugin serves this path"})


def application() -> Application:
    """Return all applications of plugins as one, inside of their middlewares."""
    apps: dict[str, Application] = {}
    for entry in plugins.collected("fastapi_apps"):
        prefix = prefix_of(entry)
        if prefix is not None and "app" in entry:
            apps.setdefault(prefix, entry["app"])
    made: Application = Mounted(apps)
    for entry in reversed(plugins.collected("fastapi_root_middlewares")):
        try:
            made = entry["middleware"](made, *entry.get("args", ()), **entry.get("kwargs", {}))
        except Exception:
            log.exception("the middleware %s of a plugin cannot be used", entry.get("name"))
    return made


def prefix_of(entry: dict[str, Any]) -> str | None:
    """Return the prefix of an application; None if it has none, for the paths of the API are not for plugins."""
    prefix = "/" + str(entry.get("url_prefix") or "").strip("/")
    return None if prefix == "/" else prefix


def main() -> None:
    """Start as described above."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=_end_with_input, daemon=True).start()
    mask_output()
    logging.basicConfig(level=logging.WARNING, format="plugin host: %(levelname)s %(message)s")
    folder = os.path.expanduser(conf.get("core", "dags_folder", fallback="") or "")
    owned = project.roots(folder)
    project.prepare_sys_path(folder, owned)
    surroundings.prepare(owned)
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(application(), log_level="warning", access_log=False, lifespan="off"))
    server.run(sockets=[listener])


def _end_with_input() -> None:
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
