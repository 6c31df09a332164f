"""Files of variables and connections to import: JSON, YAML or `.env`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gnomon.cli import envfile
from gnomon.cli.errors import CommandError


def load_mapping(path: Path) -> dict[str, Any]:
    """Return what a file maps names to.

    Raises:
        CommandError: it is missing, of another kind, or cannot be read; the message names the line.
    """
    if not path.is_file():
        raise CommandError(f"{path} does not exist")
    kind = path.suffix.lower() or (".env" if path.name == ".env" else "")
    match kind:
        case ".json":
            found = _json(path)
        case ".yaml" | ".yml":
            found = _yaml(path)
        case ".env":
            found = envfile.read(path, os.environ)
        case _:
            raise CommandError(f"{path}: the file must end in .json, .yaml, .yml or .env")
    if not isinstance(found, dict):
        raise CommandError(f"{path}: expected names and values, got a {type(found).__name__}")
    return {str(name): value for name, value in found.items()}


def _json(path: Path) -> Any:
    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise CommandError(f"{path}: {twice!r} is there twice")
        return dict(found)

    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        raise CommandError(f"{path}:{error.lineno}: is not JSON: {error.msg}") from None


def _yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CommandError(f"{path}:{line}: is not YAML: {error.problem}") from None
