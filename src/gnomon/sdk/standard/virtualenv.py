"""Operators that call a function in another Python environment; uv makes environments."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from abc import abstractmethod
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from inspect import CO_GENERATOR
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FunctionType
from typing import Any

from gnomon.sdk.branch import BranchMixIn
from gnomon.sdk.exceptions import AirflowException, AirflowSkipException, DeserializingResultError
from gnomon.sdk.source import function_source
from gnomon.sdk.standard import sent_context, venv
from gnomon.sdk.standard.python import PythonOperator
from gnomon.sdk.standard.sent_script import SERIALIZERS, script_of

#: A variable of this name that is changed makes all cached environments be made anew.
_CACHE_KEY_VARIABLE = "python_virtualenv_operator_cache_key"


class _BasePythonVirtualenvOperator(PythonOperator):
    """Calls a function in another interpreter.

    The function's source is sent, so it must import what it needs and must not use names from around it. Arguments and
    result go through `serializer`, between two processes of the same task.

    Args:
        python_callable: a function defined with `def`.
        serializer: pickle, cloudpickle or dill.
        op_args: its positional arguments (templated).
        op_kwargs: its keyword arguments (templated).
        string_args: strings that the function finds as `virtualenv_string_args`.
        templates_dict: further templates; the function gets them as `templates_dict`.
        templates_exts: endings of template files.
        expect_airflow: `macros` are there, and those of plugins, if Gnomon can be imported there; a warning says if not.
        skip_on_exit_code: exit codes that skip the task rather than fail it.
        env_vars: its environment.
        inherit_env: add the task's own environment.

    Raises:
        ValueError: python_callable is no function, a lambda, or yields.
        AirflowException: the serializer is none of those.
    """

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        serializer: str | None = None,
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        string_args: Iterable[str] | None = None,
        templates_dict: dict[str, Any] | None = None,
        templates_exts: list[str] | None = None,
        expect_airflow: bool = True,
        skip_on_exit_code: int | Container[int] | None = None,
        env_vars: dict[str, str] | None = None,
        inherit_env: bool = True,
        use_dill: bool = False,
        use_airflow_context: bool = False,
        **kwargs: Any,
    ) -> None:
        if not isinstance(python_callable, FunctionType) or python_callable.__name__ == "<lambda>":
            raise ValueError(f"{type(self).__name__} only supports functions for python_callable arg")
        if python_callable.__code__.co_flags & CO_GENERATOR:
            raise ValueError(f"{type(self).__name__} does not support using 'yield' in python_callable")
        serializer = "dill" if use_dill else serializer or "pickle"
        if serializer not in SERIALIZERS:
            expected = ", ".join(map(repr, SERIALIZERS))
            raise AirflowException(f"Unsupported serializer {serializer!r}. Expected one of {expected}")
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            templates_dict=templates_dict,
            templates_exts=templates_exts,
            **kwargs,
        )
        self.serializer = serializer
        self.string_args = list(string_args or ())
        self.expect_airflow = expect_airflow
        codes = skip_on_exit_code
        self.skip_on_exit_code = codes if isinstance(codes, Container) else () if codes is None else (codes,)
        self.env_vars = env_vars
        self.inherit_env = inherit_env
        self._bundle: str | None = None
        #: what the function wants of the context and can have only where the SDK is
        self._of_sdk: dict[str, Any] = {}

    @abstractmethod
    def _interpreter(self, folder: Path) -> Path:
        """Return the interpreter to run in, made in `folder` if need be."""

    def get_python_source(self) -> str:
        """Return the source of the function, without its decorators."""
        return function_source(self.python_callable)

    def determine_kwargs(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the part of the context that the function wants and that can be sent."""
        import inspect

        wanted = inspect.signature(self.python_callable).parameters
        every = any(parameter.kind is parameter.VAR_KEYWORD for parameter in wanted.values())
        names = sent_context.SENDABLE | set(self.op_kwargs)
        chosen = [name for name in (names if every else names & wanted.keys()) if name in context]
        found = {name: sent_context.plain(name, context[name]) for name in sorted(chosen)}
        self._of_sdk = {name: context[name] for name in sent_context.OF_SDK & wanted.keys() if name in context}
        workload = getattr(context.get("ti"), "_workload", None)
        self._bundle = workload.file.bundle_root if workload is not None else None
        return {name: value for name, value in found.items() if value is not None or name in self.op_kwargs}

    def execute_callable(self) -> Any:
        """Call the function there."""
        with TemporaryDirectory(prefix="venv") as name:
            folder = Path(name)
            return self._call(self._interpreter(folder), folder)

    def _call(self, python: Path, folder: Path) -> Any:
        serializer = SERIALIZERS[self.serializer]
        arguments, result, script = folder / "arguments", folder / "result", folder / "script.py"
        with arguments.open("wb") as file:
            file.write(self._sent(serializer, python))
        source, name = self.get_python_source(), self.python_callable.__name__
        script.write_text(
            script_of(
                *(source, name, self.serializer),
                has_arguments=True,
                strings=self.string_args,
                with_macros=self.expect_airflow and "macros" in source,
            )
        )
        self._run([str(python), str(script), str(arguments), str(result)])
        if not result.exists() or not result.stat().st_size:
            return None
        try:
            with result.open("rb") as file:
                return serializer.load(file)
        except ValueError as error:
            raise DeserializingResultError from error

    def _sent(self, serializer: Any, python: Path) -> bytes:
        kwargs = {**self._known_there(python), **self.op_kwargs}
        try:
            data: bytes = serializer.dumps({"args": tuple(self.op_args), "kwargs": kwargs})
        except Exception as error:
            bad = [name for name, value in kwargs.items() if not _can_be_sent(serializer, value)]
            if not bad:
                raise
            raise AirflowException(
                f"the arguments {', '.join(bad)} cannot be written with {self.serializer} ({error}); with"
                " render_template_as_native_obj a template like {{ ti }} gives the object itself: pass the text or"
                " number of it that the function needs"
            ) from None
        return data

    def _known_there(self, python: Path) -> dict[str, Any]:
        """Return what the function gets only where the SDK can be imported."""
        if not self._of_sdk or not self.expect_airflow:
            return {}
        names = ", ".join(sorted(self._of_sdk))
        looks = "import importlib.util, sys; sys.exit(importlib.util.find_spec('gnomon') is None)"
        if subprocess.run([str(python), "-c", looks], check=False, env=self._environment()).returncode == 0:
            return self._of_sdk
        self.log.warning("Gnomon cannot be imported by %s, so the function does not get: %s", python, names)
        return {}

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ) if self.inherit_env else {}
        environment.update(self.env_vars or {})
        if self._bundle:
            paths = [environment.get("PYTHONPATH"), self._bundle]
            environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        return environment

    def _run(self, command: list[str]) -> None:
        code, last = self._logged(command, self._environment())
        if code in self.skip_on_exit_code:
            raise AirflowSkipException(f"Process exited with code {code}. Skipping.")
        if code:
            raise AirflowException(f"Process returned non-zero exit status {code}.{f' {last}' if last else ''}")

    def _logged(self, command: list[str], environment: dict[str, str]) -> tuple[int, str]:
        """Run a command, log what it prints, and return its exit code and its last line."""
        last = ""
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                text = line.decode(errors="backslashreplace").rstrip()
                last = text or last
                self.log.info("%s", text)
        return process.returncode, last


def _can_be_sent(serializer: Any, value: Any) -> bool:
    try:
        serializer.dumps(value)
    except Exception:
        return False
    return True


class PythonVirtualenvOperator(_BasePythonVirtualenvOperator):
    """Calls a function in an environment that is made for it.

    Args:
        requirements: the packages, or the name of a requirements file (templated).
        python_version: which Python; ours unless given.
        system_site_packages: packages of this environment can be imported there.
        pip_install_options: further options of the installer.
        index_urls: package indexes (templated).
        venv_cache_path: keep environments there and use them again (templated).
    """

    __module__ = "airflow.providers.standard.operators.python"

    template_fields: Collection[str] = (
        *_BasePythonVirtualenvOperator.template_fields,
        "requirements",
        "index_urls",
        "index_urls_from_connection_ids",
        "venv_cache_path",
    )
    template_ext = (".txt",)

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        requirements: Iterable[str] | str | None = None,
        python_version: str | None = None,
        system_site_packages: bool = True,
        pip_install_options: list[str] | None = None,
        index_urls: Collection[str] | str | None = None,
        index_urls_from_connection_ids: Collection[str] | str | None = None,
        venv_cache_path: os.PathLike[str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        if python_version is not None and not isinstance(python_version, str):
            raise AirflowException(f"python_version has to be a string, as in '3.12', not {python_version!r}")
        super().__init__(python_callable=python_callable, **kwargs)
        self.requirements: Any = [requirements] if isinstance(requirements, str) else list(requirements or ())
        self.python_version = python_version
        self.system_site_packages = system_site_packages
        self.pip_install_options = pip_install_options or []
        self.index_urls: Any = [index_urls] if isinstance(index_urls, str) else index_urls
        ids = index_urls_from_connection_ids
        self.index_urls_from_connection_ids: Any = [ids] if isinstance(ids, str) else ids
        self.venv_cache_path = venv_cache_path
        if not system_site_packages and self.serializer != "pickle" and self.serializer not in self.requirements:
            self.requirements.append(self.serializer)

    def _interpreter(self, folder: Path) -> Path:
        if self.venv_cache_path is None:
            return self._make(folder / "venv")
        import fcntl

        content = self._made_of()
        kept = Path(self.venv_cache_path).expanduser() / f"venv-{_digest(content)}"
        kept.parent.mkdir(parents=True, exist_ok=True)
        python, mark = kept / "bin" / "python", kept / "install_complete_marker.json"
        # Made in its place, for the programs in it name that place; of two tasks at once one waits. The kernel lets the
        # lock go of who is killed, and what has no mark then is made anew.
        with kept.with_name(f"{kept.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if mark.exists() and mark.read_text(encoding="utf-8") == content:
                self.log.info("Reusing cached Python virtual environment in %s", kept)
                return python
            shutil.rmtree(kept, ignore_errors=True)
            self._make(kept)
            mark.write_text(content, encoding="utf-8")
        self.log.info("New Python virtual environment created in %s", kept)
        return python

    def _made_of(self) -> str:
        """Return what decides whether a cached environment can be used, as text."""
        from gnomon.sdk.variable import Variable

        return json.dumps(
            {
                "requirements_list": sorted(self._requirement_lines()),
                "pip_install_options": self.pip_install_options,
                "index_urls": list(self.index_urls or ()),
                "cache_key": str(Variable.get(_CACHE_KEY_VARIABLE, "")),
                "python_version": self.python_version,
                "system_site_packages": self.system_site_packages,
            },
            sort_keys=True,
        )

    def _requirement_lines(self) -> list[str]:
        return [line for entry in self.requirements for line in str(entry).splitlines() if line.strip()]

    def _make(self, place: Path) -> Path:
        make, install = venv.commands(place, self.python_version or sys.executable, site=self.system_site_packages)
        indexes = self._indexes()
        self._install(make)
        if lines := self._requirement_lines():
            listed = place / "requirements.txt"
            listed.write_text("\n".join(lines))
            self._install([*install, *self.pip_install_options, "-r", str(listed)], indexes)
        return place / "bin" / "python"

    def _install(self, command: list[str], indexes: Sequence[str] = ()) -> None:
        code, last = self._logged(command, {**os.environ, **venv.index_variables(indexes)})
        if code:
            raise AirflowException(f"the environment could not be made (exit code {code}): {last}")

    def _indexes(self) -> list[str]:
        urls = list(self.index_urls or ())
        if self.index_urls_from_connection_ids:
            from gnomon.sdk.standard.hooks import PackageIndexHook

            urls += [PackageIndexHook(one).get_connection_url() for one in self.index_urls_from_connection_ids]
        return urls


class ExternalPythonOperator(_BasePythonVirtualenvOperator):
    """Calls a function in an environment that is there already.

    Args:
        python: the path of its interpreter (templated).
        expect_pendulum: taken for compatibility; dates are sent as plain ones.
    """

    __module__ = "airflow.providers.standard.operators.python"

    template_fields: Collection[str] = (*_BasePythonVirtualenvOperator.template_fields, "python")

    def __init__(
        self, *, python: str, python_callable: Callable[..., Any], expect_pendulum: bool = False, **kwargs: Any
    ) -> None:
        if not python:
            raise ValueError("Python Path must be defined in ExternalPythonOperator")
        super().__init__(python_callable=python_callable, **kwargs)
        self.python = python
        self.expect_pendulum = expect_pendulum

    def _interpreter(self, folder: Path) -> Path:
        path = Path(self.python)
        if not path.exists():
            raise ValueError(f"Python Path '{path}' must exists")
        if not path.is_file():
            raise ValueError(f"Python Path '{path}' must be a file")
        return path


class BranchPythonVirtualenvOperator(BranchMixIn, PythonVirtualenvOperator):
    """Calls a function in an environment made for it; it returns the id of the task to go on with."""

    __module__ = "airflow.providers.standard.operators.python"

    def choose_branch(self, context: Any) -> Any:
        """Return what the function returns."""
        return PythonVirtualenvOperator.execute(self, context)

    def execute(self, context: Any) -> Any:
        """Call the function, and skip what it did not choose."""
        return self.do_branch(context, self.choose_branch(context))


class BranchExternalPythonOperator(BranchMixIn, ExternalPythonOperator):
    """Calls a function in another environment; it returns the id of the task to go on with."""

    __module__ = "airflow.providers.standard.operators.python"

    def choose_branch(self, context: Any) -> Any:
        """Return what the function returns."""
        return ExternalPythonOperator.execute(self, context)

    def execute(self, context: Any) -> Any:
        """Call the function, and skip what it did not choose."""
        return self.do_branch(context, self.choose_branch(context))


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode()).hexdigest()[:8]


def is_venv_installed() -> bool:
    """Tell whether environments can be made."""
    return True


__all__: Sequence[str] = [
    "BranchExternalPythonOperator",
    "BranchPythonVirtualenvOperator",
    "ExternalPythonOperator",
    "PythonVirtualenvOperator",
    "is_venv_installed",
]
