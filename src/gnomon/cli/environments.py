"""The environment of a project: what its requirements.txt names, over the packages of Gnomon.

User code runs in it, and the control side in Gnomon's own. It is made by uv, or by pip where there is no uv, and made
anew when requirements.txt has changed. A mark that is written last says that it is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from gnomon import __version__
from gnomon.cli.errors import CommandError
from gnomon.cli.events import ChangingLine

#: Below the home of a project.
FOLDER = "venv"
_MARK = "gnomon-requirements"
#: Extras of apache-airflow that are no provider packages.
_NO_PROVIDERS = frozenset(
    [
        "all",
        "async",
        "cloudpickle",
        "deprecated-api",
        "google-auth",
        "graphviz",
        "gunicorn",
        "kerberos",
        "ldap",
        "leveldb",
        "memray",
        "otel",
        "pandas",
        "password",
        "polars",
        "rabbitmq",
        "s3fs",
        "saml",
        "sentry",
        "statsd",
        "uv",
        "virtualenv",
    ]
)
_LAST_LINES = 15


def python_of(home: Path) -> Path | None:
    """Return the interpreter of a project's environment; None if it has none that is complete."""
    return home / FOLDER / "bin" / "python" if (home / FOLDER / _MARK).is_file() else None


def is_stale(root: Path, home: Path) -> bool:
    """Return whether the environment is not what requirements.txt says."""
    return python_of(home) is not None and _read_mark(home) != _digest_of(root)


def requirements(root: Path) -> list[str]:
    """Return the lines of requirements.txt that name something; Apache Airflow itself becomes its extras.

    Raises:
        CommandError: the file cannot be read.
    """
    path = root / "requirements.txt"
    if not path.is_file():
        return []
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path}: {error}") from None
    found: list[str] = []
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        airflow = re.match(
            r"apache[-_.]airflow(?:[-_.](?:core|task[-_.]sdk))?\s*(?:\[(?P<extras>[^\]]*)\])?\s*(?:[=<>!~;@ ].*)?$",
            line,
            re.IGNORECASE,
        )
        if airflow is None:
            found += [_absolute(line, root)] if line else []
            continue
        names = [re.sub(r"[-_.\s]+", "-", name.strip().lower()) for name in (airflow["extras"] or "").split(",")]
        found += [f"apache-airflow-providers-{name}" for name in names if name and name not in _NO_PROVIDERS]
    return found


def _absolute(line: str, root: Path) -> str:
    """Return a line with the file or folder that it names made absolute, for it is read from a copy elsewhere."""
    named = re.match(
        r"(?P<option>(?:-[rce]|--requirement|--constraint|--editable)(?:\s*=\s*|\s*))?(?P<path>\S+)$", line
    )
    if named is None or "://" in line or not (named["option"] or line.startswith(("./", "../"))):
        return line
    return f"{named['option'] or ''}{root / named['path']}"


def refresh(root: Path, home: Path, say: Callable[[str], None]) -> Path | None:
    """Bring the environment of a project to its requirements, and return its interpreter; None if it needs none.

    Args:
        root: the project.
        home: its AIRFLOW_HOME.
        say: shows the user a line.

    Raises:
        CommandError: something cannot be installed; the message is the installer's.
    """
    wanted = requirements(root)
    digest = _digest_of(root)
    if wanted and _read_mark(home) == digest:
        return python_of(home)
    place = home / FOLDER
    if not wanted:
        if place.exists():
            shutil.rmtree(place)
        return None
    records = home / "airflow-records"
    from gnomon.cli import airflow_records  # importlib.metadata takes longer than every command may

    airflow_records.write(records)
    listed = records / "requirements.txt"
    listed.write_text("\n".join([*wanted, ""]), encoding="utf-8")
    if _is_satisfied(listed, records, root):
        if place.exists():
            shutil.rmtree(place)
        return None
    say("Installing what requirements.txt names …")
    with _replacing(place):
        install(place, ["-r", str(listed)], records, cwd=root)
        (place / _MARK).write_text(digest, encoding="utf-8")
    return python_of(home)


@contextlib.contextmanager
def _replacing(place: Path) -> Iterator[None]:
    """Have an environment made in place of one, which comes back if that does not succeed."""
    old = place.with_name(f"{place.name}.old")
    if (place / _MARK).is_file():
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
    try:
        yield
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        if old.is_dir():
            old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def install(place: Path, arguments: Iterable[str], records: Path, *, cwd: Path) -> None:
    """Make an environment over that of Gnomon, and install packages in it.

    Args:
        place: the folder of the environment; what is there goes.
        arguments: packages, or `-r` and a file, as for pip.
        records: where `airflow_records.write` wrote.
        cwd: what relative paths in the arguments' files begin from.

    Raises:
        CommandError: it failed.
    """
    if place.exists():
        shutil.rmtree(place)
    uv = find_uv()
    made = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
    _run([*made, str(place)], cwd)
    python = place / "bin" / "python"
    _run([*installing(str(python), records), *arguments], cwd)
    _put_over_gnomon(place)


def installing(python: str, records: Path) -> list[str]:
    """Return the command that installs packages for an interpreter, with records in place of Apache Airflow."""
    from gnomon.cli import airflow_records

    wheels = [str(records / record.file_name) for record in airflow_records.records()]
    constrained = ["--constraint", str(records / "constraints.txt")]
    if uv := find_uv():
        overridden = ["--override", str(records / "overrides.txt")]
        return [uv, "pip", "install", "--quiet", "--python", python, *overridden, *constrained, *wheels]
    return [python, "-m", "pip", "install", "--quiet", *constrained, *wheels]


def find_uv() -> str | None:
    """Return where uv is, if it is."""
    return shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))


def _put_over_gnomon(place: Path) -> None:
    """Let the environment see what Gnomon's has, behind what it has itself."""
    own = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = place / "lib" / version / "site-packages"
    # As a site folder and not just as a path: an editable installation is a .pth file in there.
    lines = [f"import site; site.addsitedir({path!r})" for path in own]
    (packages / "zz_gnomon.pth").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _is_satisfied(listed: Path, records: Path, cwd: Path) -> bool:
    """Return whether Gnomon's own environment has it all; a fast answer, for that is the common case in development."""
    uv = find_uv()
    if uv is None:
        return False
    command = [uv, "pip", "install", "--dry-run", "--offline", "--python", sys.executable]
    command += ["--override", str(records / "overrides.txt"), "-r", str(listed)]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    return done.returncode == 0 and "Would make no changes" in done.stderr


def _run(command: list[str], cwd: Path) -> None:
    # Neither PYTHONPATH nor an active environment of the shell has a say in what is installed where.
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    with (
        ChangingLine() as progress,
        subprocess.Popen(
            command, cwd=cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        seconds = 0
        said: str | None = None
        while said is None:
            try:
                said, _ = process.communicate(timeout=1)
            except subprocess.TimeoutExpired:
                seconds += 1
                progress.draw(f"{seconds} s")
    if process.returncode:
        # The file that is read is a copy of what the user wrote.
        words = re.sub(r"`[^`]*airflow-records/requirements\.txt`", "`requirements.txt`", said)
        last = "\n".join(words.strip().splitlines()[-_LAST_LINES:])
        raise CommandError(f"requirements.txt cannot be installed:\n{last}")


def _read_mark(home: Path) -> str | None:
    try:
        return (home / FOLDER / _MARK).read_text(encoding="utf-8")
    except OSError:
        return None


def _digest_of(root: Path) -> str:
    """Return a hash of all that decides what the environment looks like."""
    digest = hashlib.sha256(f"{__version__} {sys.version} {sys.prefix}\n".encode())
    seen: set[Path] = set()
    waiting = [root / "requirements.txt"]
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        text = path.read_text(encoding="utf-8", errors="replace")
        digest.update(text.encode())
        named = re.findall(r"^\s*(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", text, re.MULTILINE)
        waiting += [path.parent / name for name in named]
    return digest.hexdigest()
