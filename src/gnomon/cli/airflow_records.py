"""Packages that say that Apache Airflow is installed, so that provider packages can be installed without it.

Each provider requires `apache-airflow`. These wheels have no code, only a record of that name: the names of Airflow are
answered by Gnomon. With them installed `importlib.metadata.version("apache-airflow")` and `pip check` are content.
"""

from __future__ import annotations

import base64
import hashlib
import zipfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

#: The release whose names Gnomon answers; `airflow.__version__` is the same.
AIRFLOW = "3.3.2"
#: What providers import without requiring it, because Apache Airflow always brings it.
TAKEN_FOR_GRANTED = (
    "asgiref",
    "attrs",
    "deprecated",
    "dill",
    "fsspec>=2023.10",
    "itsdangerous",
    "lazy-object-proxy",
    "lockfile",
    "methodtools",
    "more-itertools",
    "packaging",
    "psutil",
    "python-daemon",
    "python-slugify",
    "setproctitle",
    "sqlparse",
    "tabulate",
    "tenacity",
    "typing-extensions",
    "universal-pathlib>=0.3.8,<1",
    "uuid6",
)


class Record(NamedTuple):
    """A package that Gnomon stands for."""

    name: str
    version: str
    requires: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """The name of its wheel."""
        return f"{self.name.replace('-', '_')}-{self.version}-py3-none-any.whl"


def records() -> list[Record]:
    """Return the packages that Gnomon stands for, in the versions that it answers as."""
    from gnomon.sdk import __version__ as task_sdk
    from gnomon.sdk.standard import __version__ as standard

    return [
        Record("apache-airflow", AIRFLOW, (f"apache-airflow-core=={AIRFLOW}", f"apache-airflow-task-sdk=={task_sdk}")),
        Record("apache-airflow-core", AIRFLOW, TAKEN_FOR_GRANTED),
        Record("apache-airflow-task-sdk", task_sdk),
        Record("apache-airflow-providers-standard", standard),
    ]


def write(folder: Path) -> list[Path]:
    """Write the wheels into a folder, and beside them `overrides.txt` and `constraints.txt` for uv and pip.

    The overrides say that whatever requires Apache Airflow gets these, the constraints what Gnomon itself needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for record in records():
        path = folder / record.file_name
        _write_wheel(path, record)
        written.append(path)
    lines = [f"{record.name} @ {path.resolve().as_uri()}" for record, path in zip(records(), written, strict=True)]
    (folder / "overrides.txt").write_text("\n".join([*lines, ""]), encoding="utf-8")
    (folder / "constraints.txt").write_text("\n".join([*_own_requirements(), ""]), encoding="utf-8")
    return written


def _own_requirements() -> list[str]:
    return [line for line in metadata.requires("gnomon") or () if "extra ==" not in line]


def _write_wheel(path: Path, record: Record) -> None:
    folder = f"{record.name.replace('-', '_')}-{record.version}.dist-info"
    about = [
        "Metadata-Version: 2.1",
        f"Name: {record.name}",
        f"Version: {record.version}",
        "Summary: Stands for this package of Apache Airflow, whose names are answered by Gnomon; has no code",
        *(f"Requires-Dist: {name}" for name in record.requires),
    ]
    files = {
        f"{folder}/METADATA": "\n".join([*about, ""]),
        f"{folder}/WHEEL": "Wheel-Version: 1.0\nGenerator: gnomon\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    listed = [f"{name},sha256={_digest(text)},{len(text.encode())}" for name, text in files.items()]
    files[f"{folder}/RECORD"] = "\n".join([*listed, f"{folder}/RECORD,,", ""])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            # The same bytes each time, so that caches know the wheel again.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), text)


def _digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
