"""What a project's Dockerfile says that matters without Docker: the base image and the ENV lines."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from gnomon.cli.errors import CommandError


@dataclass(frozen=True)
class Dockerfile:
    """The parts of a Dockerfile that count."""

    image: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    #: RUN, USER and so on: true in an image, without effect on a machine
    ignored: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read(path: Path) -> Dockerfile:
    """Read a Dockerfile; a missing one is empty.

    Raises:
        CommandError: an ENV line cannot be understood.
    """
    if not path.is_file():
        return Dockerfile()
    image: str | None = None
    env: dict[str, str] = {}
    ignored: list[str] = []
    warnings: list[str] = []
    for number, line in _instructions(path.read_text(encoding="utf-8")):
        word, _, rest = line.partition(" ")
        rest = rest.strip()
        if word.upper() == "FROM":
            image = next((part for part in rest.split() if not part.startswith("--")), None)
            env, ignored = {}, []  # the last stage is the one that runs
        elif word.upper() == "ENV":
            env.update(_assignments(rest, f"{path.name}:{number}", warnings))
        elif word.upper() in ("RUN", "COPY", "ADD"):
            ignored.append(f"{path.name}:{number}: {word.upper()} takes effect in an image only")
    return Dockerfile(image, env, ignored, warnings)


def _instructions(text: str) -> list[tuple[int, str]]:
    """Return the instructions with the number of the line that each starts on."""
    found: list[tuple[int, str]] = []
    start, parts = 0, list[str]()
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if line.startswith("#") or not (line or parts):
            continue
        start = start or number
        if line.endswith("\\"):
            parts.append(line[:-1].strip())
            continue
        found.append((start, " ".join([*parts, line]).strip()))
        start, parts = 0, []
    if parts:
        found.append((start, " ".join(parts)))
    return [(number, " ".join(line.split(None, 1))) for number, line in found if line]


def _assignments(text: str, where: str, warnings: list[str]) -> dict[str, str]:
    name, _, value = text.partition(" ")
    if "=" not in name:
        value = value.strip()
        if not name or not value:
            raise CommandError(f"{where}: ENV needs a name and a value")
        if value.startswith("="):
            # People write ENV A = b, and mean b; Docker would set the value "= b".
            warnings.append(f"{where}: ENV {name} = … is read as ENV {name}=…; Docker itself would keep the '='")
            value = value[1:].strip()
        return {name: _unquoted(value)}
    try:
        pairs = [part.partition("=") for part in shlex.split(text)]
    except ValueError as error:
        raise CommandError(f"{where}: ENV cannot be read: {str(error).lower()}") from None
    if wrong := [name for name, equals, _ in pairs if not equals]:
        raise CommandError(f"{where}: ENV needs NAME=VALUE, got {wrong[0]!r}")
    return {name: value for name, _, value in pairs}


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def profile(image: str | None) -> int | None:
    """Return the Airflow generation, 2 or 3, that the tag of a base image stands for; None when it does not say."""
    if image is None or ":" not in image.rpartition("/")[2]:
        return None
    name, _, tag = image.rpartition("/")[2].partition(":")
    version = re.match(r"(\d+)(?:\.(\d+))?", tag)
    if version is None:
        return None
    major = int(version[1])
    if name == "astro-runtime":
        return 2  # since Airflow 3 the image is called runtime, and its tag begins with Airflow's version
    if name in ("runtime", "airflow", "ap-airflow"):
        return 2 if major < 3 else 3
    return None
