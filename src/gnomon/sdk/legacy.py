"""Small functions of Airflow's `utils` that DAG files and providers import."""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any, Self, TypeVar

from gnomon.sdk.exceptions import AirflowException, RemovedInAirflow3Warning
from gnomon.sdk.runtime.values import import_string, qualname

T = TypeVar("T")

__all__ = [
    "apply_defaults",
    "as_flattened_list",
    "build_airflow_dagrun_url",
    "chunks",
    "convert_camel_to_snake",
    "days_ago",
    "exactly_one",
    "get_random_string",
    "import_string",
    "is_container",
    "is_valid_dotpath",
    "iter_namespace",
    "md5",
    "merge_dicts",
    "partition",
    "patch_environ",
    "prune_dict",
    "qualname",
    "to_boolean",
    "validate_key",
]


def days_ago(n: int, hour: int = 0, minute: int = 0, second: int = 0, microsecond: int = 0) -> datetime:
    """Return the moment `n` days ago, at midnight UTC unless a time is given."""
    from gnomon.sdk.timezone import utcnow

    warnings.warn(
        "Function `days_ago` is deprecated and will be removed in Airflow 3.0. You can achieve equivalent behavior with"
        " `pendulum.today('UTC').add(days=-N, ...)`",
        RemovedInAirflow3Warning,
        stacklevel=2,
    )
    today = utcnow().replace(hour=hour, minute=minute, second=second, microsecond=microsecond)
    return today - timedelta(days=n)


def apply_defaults(function: T) -> T:
    """Return the function: default_args are applied to every operator without it."""
    warnings.warn(
        "apply_defaults is not needed any more; default_args are applied to every operator.",
        RemovedInAirflow3Warning,
        stacklevel=2,
    )
    return function


def prune_dict(val: Any, mode: str = "strict") -> Any:
    """Return a dict or list without what is None, or with mode="truthy" without what is false."""
    if mode not in ("strict", "truthy"):
        raise ValueError("allowable values for `mode` include 'truthy' and 'strict'")

    def is_empty(value: Any) -> bool:
        return value is None if mode == "strict" else not value

    def prune(value: Any) -> Any:
        return prune_dict(value, mode) if isinstance(value, (dict, list)) else value

    if isinstance(val, dict):
        pruned = {key: prune(value) for key, value in val.items() if not is_empty(value)}
        return {key: value for key, value in pruned.items() if not is_empty(value)}
    if isinstance(val, list):
        return [item for item in (prune(value) for value in val if not is_empty(value)) if not is_empty(item)]
    return val


def merge_dicts(dict1: dict[Any, Any], dict2: dict[Any, Any]) -> dict[Any, Any]:
    """Return both dicts merged, also inside; the second wins."""
    merged = dict(dict1)
    for key, value in dict2.items():
        if isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge_dicts(merged[key], value)
        else:
            merged[key] = value
    return merged


def exactly_one(*args: Any) -> bool:
    """Tell whether exactly one argument is true."""
    if len(args) == 1 and isinstance(args[0], (list, tuple, set)):
        raise ValueError("Not supported for iterable args. Use `*` to unpack your iterable in the function call.")
    return sum(map(bool, args)) == 1


def at_most_one(*args: Any) -> bool:
    """Tell whether at most one argument is true."""
    return sum(map(bool, args)) <= 1


def chunks(items: list[T], chunk_size: int) -> Iterator[list[T]]:
    """Yield pieces of at most so many items."""
    if chunk_size <= 0:
        raise ValueError("Chunk size must be a positive integer")
    for start in range(0, len(items), chunk_size):
        yield items[start : start + chunk_size]


def is_container(obj: Any) -> bool:
    """Tell whether something can be iterated over and is no string."""
    return hasattr(obj, "__iter__") and not isinstance(obj, str)


def as_flattened_list(iterable: Iterable[Any]) -> list[Any]:
    """Return a list of lists as one list."""
    return [item for one in iterable for item in (as_flattened_list(one) if is_container(one) else [one])]


def convert_camel_to_snake(camel_str: str) -> str:
    """Return CamelCase as snake_case."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", camel_str).lower()


def partition(pred: Callable[[T], bool], iterable: Iterable[T]) -> tuple[Iterable[T], Iterable[T]]:
    """Return (those for which `pred` is false, the others)."""
    items = list(iterable)
    return [item for item in items if not pred(item)], [item for item in items if pred(item)]


def build_airflow_dagrun_url(dag_id: str, run_id: str) -> str:
    """Return the URL of a run in the UI."""
    from urllib.parse import quote, urljoin

    from gnomon.sdk.configuration import conf

    base = conf.get("api", "base_url", fallback="") or "/"
    return urljoin(base if base.endswith("/") else f"{base}/", f"dags/{dag_id}/runs/{quote(run_id)}")


def build_airflow_url_with_query(query: dict[str, Any]) -> str:
    """Return the URL of a view of the UI, whose name is `view` among the query's parts."""
    from urllib.parse import urlencode

    from gnomon.sdk.configuration import conf

    view = conf.get("webserver", "dag_default_view", fallback=None) or "grid"
    base = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base}/dags/{query.get('dag_id', '')}/{view.lower()}?{urlencode(query)}"


def ask_yesno(question: str, default: bool | None = None, output_fn: Callable[[str], Any] = print) -> bool:
    """Ask on the terminal until the answer is yes or no."""
    answers = {"": default, "y": True, "yes": True, "n": False, "no": False}
    output_fn(question)
    while True:
        answer = answers.get(input().strip().lower())
        if answer is not None:
            return answer
        output_fn("Please respond with y/yes or n/no.")


def render_template(template: Any, context: Any, *, native: bool) -> Any:
    """Return what a Jinja template gives; a Python object if its environment is native."""
    from gnomon.sdk.templating import render

    return render(template, context)


def validate_key(k: str, max_length: int = 250) -> None:
    """Check an id.

    Raises:
        AirflowException: it is too long or has characters that ids cannot have.
    """
    from gnomon.sdk.node import validate_key as check

    try:
        check(k, max_length)
    except ValueError as error:
        raise AirflowException(str(error)) from None


def is_valid_dotpath(path: str) -> bool:
    """Tell whether text is a dotted path of at least two names."""
    if not isinstance(path, str):
        return False
    return bool(re.fullmatch(r"[a-zA-Z_]\w*(\.[a-zA-Z_]\w*)+", path))


def iter_namespace(module: Any) -> Any:
    """Yield the modules of a namespace package."""
    import pkgutil

    return pkgutil.iter_modules(module.__path__, module.__name__ + ".")


def md5(data: bytes = b"", **kwargs: Any) -> Any:
    """Return the MD5 of bytes, for anything but security."""
    import hashlib

    kwargs.setdefault("usedforsecurity", False)
    return hashlib.md5(data, **kwargs)  # noqa: S324 - not for security


def to_boolean(astring: str | None) -> bool:
    """Tell whether text says yes."""
    return astring is not None and astring.strip().lower() in ("true", "t", "y", "1", "yes", "on")


def get_random_string(
    length: int = 8, choices: str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
) -> str:
    """Return random letters and digits."""
    import random

    return "".join(random.choices(choices, k=length))  # noqa: S311 - not for security


@contextlib.contextmanager
def patch_environ(new_env_variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the duration of a block."""
    before = {name: os.environ.get(name) for name in new_env_variables}
    os.environ.update(new_env_variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def getuser() -> str:
    """Return the user that the process runs as."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise AirflowException(
            f"The user that Airflow is running as has no username; its user id is {os.getuid()}"
        ) from None


def add_deprecated_classes(
    module_imports: dict[str, dict[str, str]],
    package: str,
    override_deprecated_classes: Any = None,
    extra_message: str | None = None,
    message: str | None = None,
) -> None:
    """Give modules of `package` names that moved; reading one warns."""
    import sys
    from types import ModuleType

    from gnomon.sdk.exceptions import DeprecatedImportWarning

    for module_name, imports in module_imports.items():
        full = package if module_name == package else f"{package}.{module_name}"

        def get(name: str, imports: dict[str, str] = imports, full: str = full) -> Any:
            target = imports.get(name) or (f"{imports['*']}.{name}" if "*" in imports and name[:2] != "__" else None)
            if target is None:
                raise AttributeError(f"The module `{full!r}` has no attribute `{name!r}`")
            said = message or "{module}.{name} is an old name; use {target}"
            said = said.format(module=full, name=name, target=target)
            warnings.warn(f"{said} {extra_message}." if extra_message else said, DeprecatedImportWarning, stacklevel=2)
            home, _, attribute = target.rpartition(".")
            return getattr(import_module(home), attribute)

        module = sys.modules.get(full)
        if module is None:
            module = ModuleType(full)
            sys.modules[full] = module
            if package in sys.modules:
                setattr(sys.modules[package], module_name, module)
        module.__getattr__ = get  # type: ignore[method-assign]


class timeout:
    """Raise AirflowTaskTimeout in the main thread when a block takes longer than `seconds`."""

    def __init__(self, seconds: float = 1, error_message: str = "Timeout") -> None:
        self.seconds = seconds
        self.error_message = f"{error_message}, PID: {os.getpid()}"

    def _handle(self, *_: Any) -> None:
        from gnomon.sdk.exceptions import AirflowTaskTimeout

        raise AirflowTaskTimeout(self.error_message)

    def __enter__(self) -> Self:
        import signal

        self._before = signal.signal(signal.SIGALRM, self._handle)
        signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def __exit__(self, *exc: object) -> None:
        import signal

        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._before)
