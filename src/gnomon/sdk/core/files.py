"""Questions about DAG files and the zip archives that they may be in."""

from __future__ import annotations

import ast
import hashlib
import io
import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_IN_ARCHIVE = re.compile(rf"(?P<archive>.*\.zip){re.escape(os.sep)}(?P<inside>.*)")


def correct_maybe_zipped(fileloc: str | Path | None) -> str | Path | None:
    """Return the archive that a path points into, or the path itself."""
    found = _IN_ARCHIVE.match(str(fileloc)) if fileloc else None
    if found is not None and zipfile.is_zipfile(found["archive"]):
        return found["archive"]
    return fileloc


def open_maybe_zipped(fileloc: str, mode: str = "r") -> IO[Any]:
    """Open a file, which may be inside an archive."""
    found = _IN_ARCHIVE.match(fileloc)
    if found is not None and zipfile.is_zipfile(found["archive"]):
        with zipfile.ZipFile(found["archive"]) as archive:
            return io.TextIOWrapper(io.BytesIO(archive.read(found["inside"])))
    return open(fileloc, mode=mode)


def might_contain_dag(file_path: str, safe_mode: bool, zip_file: zipfile.ZipFile | None = None) -> bool:
    """Tell whether a file may define DAGs; in safe mode by a look at its text, or by the function of the settings."""
    if not safe_mode:
        return True
    from gnomon.sdk.configuration import conf

    decide = (
        conf.getimport("core", "might_contain_dag_callable", fallback=None) or might_contain_dag_via_default_heuristic
    )
    return bool(decide(file_path=file_path, zip_file=zip_file))


def might_contain_dag_via_default_heuristic(file_path: str, zip_file: zipfile.ZipFile | None = None) -> bool:
    """Tell whether the text speaks of airflow, and of a DAG or an asset."""
    if zip_file is not None:
        text = zip_file.read(file_path)
    elif zipfile.is_zipfile(file_path):
        return True
    else:
        text = Path(file_path).read_bytes()
    text = text.lower()
    return b"airflow" in text and (b"dag" in text or b"asset" in text)


def list_py_file_paths(directory: str | os.PathLike[str] | None, safe_mode: bool | None = None) -> list[str]:
    """Return the files in a folder that may define DAGs; a file itself is returned as it is."""
    if directory is None or not os.path.exists(directory):
        return []
    if os.path.isfile(directory):
        return [str(directory)]
    from gnomon.sdk.configuration import conf

    if safe_mode is None:
        safe_mode = conf.getboolean("core", "dag_discovery_safe_mode", fallback=True)
    return find_dag_file_paths(directory, safe_mode)


def find_dag_file_paths(directory: str | os.PathLike[str], safe_mode: bool) -> list[str]:
    """Return the Python files and archives in a folder that may define DAGs and that .airflowignore does not name."""
    import pathspec

    root = Path(directory)
    ignored = root / ".airflowignore"
    lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.exists() else []
    spec = pathspec.PathSpec.from_lines("gitwildmatch", lines)
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return [
        str(path)
        for path in files
        if (path.suffix == ".py" or zipfile.is_zipfile(path))
        and not spec.match_file(str(path.relative_to(root)))
        and might_contain_dag(str(path), safe_mode)
    ]


def iter_airflow_imports(file_path: str) -> Iterator[str]:
    """Yield the modules below `airflow` that a file imports at its top; nothing for a file that is not Python."""
    try:
        body = ast.parse(Path(file_path).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return
    for statement in body:
        if isinstance(statement, ast.Import):
            names = [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module is not None:
            names = [statement.module]
        else:
            continue
        yield from (name for name in names if name.startswith("airflow."))


def get_unique_dag_module_name(file_path: str) -> str:
    """Return the name that the module of a DAG file has while it is loaded."""
    if not isinstance(file_path, str):
        raise ValueError(f"the path of a DAG file is text, not {type(file_path).__name__}")
    digest = hashlib.sha1(file_path.encode(), usedforsecurity=False).hexdigest()
    return f"unusual_prefix_{digest}_{re.sub(r'[.-]', '_', Path(file_path).stem)}"
