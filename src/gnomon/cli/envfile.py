"""Reading `.env` files, as docker compose reads them, with the place of whatever is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gnomon.cli.errors import CommandError

_REFERENCE = re.compile(r"\$\{(\w+)(?::?-([^}]*))?\}")


def read(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a `.env` file.

    Spaces around `=`, quotes, comments, `export` and `${NAME:-default}` are understood; a bare NAME passes on what
    `environ` has.

    Raises:
        CommandError: the file is missing, or a line is not NAME=VALUE.
    """
    from dotenv.parser import parse_stream

    found: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8") as stream:
            for binding in parse_stream(stream):
                line = binding.original.line
                if binding.error:
                    text = binding.original.string.strip().splitlines()[0]
                    raise CommandError(f"{path}:{line}: expected NAME=VALUE, got {text!r}")
                if binding.key is None:
                    continue
                if binding.value is None:
                    if binding.key in environ:
                        found[binding.key] = environ[binding.key]
                    continue
                literal = "='" in binding.original.string.replace(" ", "")
                found[binding.key] = binding.value if literal else _resolve(binding.value, {**environ, **found})
    except OSError as error:
        raise CommandError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{path}: is not UTF-8 text") from None
    return found


def _resolve(value: str, known: Mapping[str, str]) -> str:
    return _REFERENCE.sub(lambda match: known.get(match[1]) or match[2] or "", value)


def misspelt(names: Mapping[str, object]) -> dict[str, str]:
    """Return the names that look like a misspelt AIRFLOW__SECTION__OPTION, with what was probably meant."""
    from difflib import SequenceMatcher

    wrong: dict[str, str] = {}
    for name in names:
        head, _, rest = name.partition("__")
        if rest and head != "AIRFLOW" and SequenceMatcher(None, head, "AIRFLOW").ratio() > 0.8:
            wrong[name] = f"AIRFLOW__{rest}"
    return wrong
