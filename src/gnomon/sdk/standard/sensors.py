"""Sensors over a Python function, a command or a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any

from gnomon.sdk.calls import determine_kwargs
from gnomon.sdk.exceptions import AirflowException, AirflowFailException
from gnomon.sdk.sensor import BaseSensorOperator, PokeReturnValue
from gnomon.sdk.standard.timing import default_deferrable
from gnomon.sdk.standard.triggers.file import FileTrigger, changed_at, find_files
from gnomon.sdk.trigger import StartTriggerArgs


class PythonSensor(BaseSensorOperator):
    """Waits until a function returns something true, or a PokeReturnValue that is done.

    Args:
        python_callable: the function.
        op_args: its positional arguments (templated).
        op_kwargs: its keyword arguments (templated).
        templates_dict: further templates; the function gets them as `templates_dict`.
    """

    __module__ = "airflow.providers.standard.sensors.python"

    template_fields: Collection[str] = ("templates_dict", "op_args", "op_kwargs")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: list[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.python_callable = python_callable
        self.op_args: Any = op_args or []
        self.op_kwargs = op_kwargs or {}
        self.templates_dict = templates_dict

    def poke(self, context: Any) -> bool | PokeReturnValue:
        """Call the function."""
        from gnomon.sdk.runtime.context import context_merge

        context_merge(context, self.op_kwargs, templates_dict=self.templates_dict)
        kwargs = determine_kwargs(self.python_callable, self.op_args, context)
        self.log.info("Poking callable: %s", self.python_callable)
        returned = self.python_callable(*self.op_args, **kwargs)
        return returned if isinstance(returned, PokeReturnValue) else PokeReturnValue(bool(returned))


class BashSensor(BaseSensorOperator):
    """Waits until a command exits with 0.

    Args:
        bash_command: the command or script (templated).
        env: its environment (templated).
        output_encoding: how to read what it prints.
        retry_exit_code: the exit code that means "not yet"; any other than 0 fails then.
    """

    __module__ = "airflow.providers.standard.sensors.bash"

    # No template_ext, other than BashOperator: "/opt/check.sh" is the command itself.
    template_fields: Collection[str] = ("bash_command", "env")

    def __init__(
        self,
        *,
        bash_command: str,
        env: dict[str, str] | None = None,
        output_encoding: str = "utf-8",
        retry_exit_code: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bash_command = bash_command
        self.env = env
        self.output_encoding = output_encoding
        self.retry_exit_code = retry_exit_code

    def poke(self, context: Any) -> bool:
        """Run the command.

        Raises:
            AirflowFailException: it exited with another code than 0 and retry_exit_code.
        """
        from gnomon.sdk.standard.subprocesses import SubprocessHook

        result = SubprocessHook().run_command(
            command=["bash", "-c", self.bash_command], env=self.env, output_encoding=self.output_encoding
        )
        if result.exit_code == 0:
            return True
        if self.retry_exit_code is not None and result.exit_code != self.retry_exit_code:
            raise AirflowFailException(f"Command exited with return code {result.exit_code}")
        self.log.info("Non-zero return code %s; will retry", result.exit_code)
        return False


class FileSensor(BaseSensorOperator):
    """Waits for a file, or for a folder that is not empty.

    Args:
        filepath: a path or pattern (templated), relative to the connection's path.
        fs_conn_id: the connection.
        recursive: `**` matches folders of any depth.
        deferrable: wait without holding a slot.
        start_from_trigger: wait without ever starting a process.
        trigger_kwargs: arguments of the trigger.
    """

    __module__ = "airflow.providers.standard.sensors.filesystem"

    template_fields: Collection[str] = ("filepath", "fs_conn_id")
    ui_color = "#91818a"

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        fs_conn_id: str = "fs_default",
        recursive: bool = False,
        deferrable: bool | None = None,
        start_from_trigger: bool = False,
        trigger_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filepath = filepath
        self.fs_conn_id = fs_conn_id
        self.recursive = recursive
        self.deferrable = default_deferrable(deferrable)
        self.start_from_trigger = start_from_trigger
        if self.deferrable and start_from_trigger:
            self.start_trigger_args = StartTriggerArgs(
                trigger_cls="airflow.providers.standard.triggers.file.FileTrigger",
                trigger_kwargs=trigger_kwargs
                or {"filepath": self.path, "recursive": recursive, "poke_interval": self.poke_interval},
                next_method="execute_complete",
                timeout=timedelta(seconds=self.timeout),
            )

    @property
    def path(self) -> str:
        """The whole path."""
        from gnomon.sdk.standard.hooks import FSHook

        path = os.fspath(self.filepath)
        return path if os.path.isabs(path) else os.path.join(FSHook(self.fs_conn_id).get_path(), path)

    def poke(self, context: Any) -> bool:
        """Return whether it is there."""
        self.log.info("Poking for file %s", self.path)
        found = find_files(self.path, recursive=self.recursive)
        if found is None:
            return False
        self.log.info("Found File %s last modified: %s", found, changed_at(found))
        return True

    def execute(self, context: Any) -> Any:
        """Wait, or defer."""
        if not self.deferrable:
            return super().execute(context)
        if not self.poke(context):
            self.defer(
                timeout=timedelta(seconds=self.timeout),
                trigger=FileTrigger(self.path, recursive=self.recursive, poke_interval=self.poke_interval),
                method_name="execute_complete",
            )
        return None

    def execute_complete(self, context: Any, event: bool | None = None) -> None:
        """Succeed.

        Raises:
            AirflowException: the trigger gave no event.
        """
        if not event:
            raise AirflowException(f"{self.task_id} task failed as {self.filepath} not found.")
        self.log.info("%s completed successfully as %s found.", self.task_id, self.filepath)
