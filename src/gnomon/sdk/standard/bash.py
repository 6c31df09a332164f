"""BashOperator: run a command or script in bash."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Container, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from gnomon.sdk.exceptions import AirflowException, AirflowSkipException
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.types import SET_DURING_EXECUTION

if TYPE_CHECKING:
    from gnomon.sdk.standard.subprocesses import SubprocessResult

#: In characters, of which UTF-8 takes up to 4 bytes: a longer command is put into a file, for Linux takes no argument
#: longer than 128 KiB.
_LONGEST_ARGUMENT = 32_000


class BashOperator(BaseOperator):
    """Run a command in bash; its last line of output is the result.

    Args:
        bash_command: a command, or the name of a script that ends in .sh or .bash (templated).
        env: its environment (templated); the task's own unless given.
        append_env: add `env` to the task's own environment instead.
        output_encoding: how to read what it prints.
        skip_on_exit_code: exit codes that skip the task rather than fail it.
        cwd: where to run (templated); a temporary folder unless given.
        output_processor: called with the last line to make the result of it.
    """

    __module__ = "airflow.providers.standard.operators.bash"

    template_fields: Collection[str] = ("bash_command", "env", "cwd")
    template_fields_renderers: ClassVar[dict[str, str]] = {"bash_command": "bash", "env": "json"}
    template_ext: Sequence[str] = (".sh", ".bash")
    ui_color = "#f0ede4"

    env: dict[str, str] | None = None
    append_env = False
    output_encoding = "utf-8"
    skip_on_exit_code: Container[int] = (99,)
    cwd: str | None = None
    _output_processor: Callable[[str], Any] | None = None

    def __init__(
        self,
        *,
        bash_command: Any,
        env: dict[str, str] | None = None,
        append_env: bool = False,
        output_encoding: str = "utf-8",
        skip_on_exit_code: int | Container[int] | None = 99,
        cwd: str | None = None,
        output_processor: Callable[[str], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.bash_command = bash_command
        if env is not None:
            self.env = env
        if append_env:
            self.append_env = append_env
        if output_encoding != "utf-8":
            self.output_encoding = output_encoding
        if skip_on_exit_code != 99:
            codes = skip_on_exit_code
            self.skip_on_exit_code = codes if isinstance(codes, Container) else () if codes is None else (codes,)
        if cwd is not None:
            self.cwd = cwd
        if output_processor is not None:
            self._output_processor = output_processor

    @property
    def output_processor(self) -> Callable[[str], Any]:
        """What makes the result of the last line."""
        return self._output_processor or (lambda line: line)

    @cached_property
    def subprocess_hook(self) -> Any:
        """What runs the command."""
        from gnomon.sdk.standard.subprocesses import SubprocessHook

        return SubprocessHook()

    def get_env(self, context: Any) -> dict[str, str]:
        """Return the environment of the command, with the names of DAG, task and run added."""
        from gnomon.sdk.runtime.context import context_to_airflow_vars

        if self.env is None:
            env = dict(os.environ)
        else:
            env = {**os.environ, **self.env} if self.append_env else dict(self.env)
        env.update(context_to_airflow_vars(context, in_env_var_format=True))
        return env

    def execute(self, context: Any) -> Any:
        """Run the command.

        Raises:
            AirflowSkipException: it exited with a code of skip_on_exit_code.
            AirflowException: it exited with another code than 0, or cwd does not exist.
        """
        from shutil import which

        bash = which("bash") or "bash"
        if self.cwd is not None:
            if not os.path.exists(self.cwd):
                raise AirflowException(f"Can not find the cwd: {self.cwd}")
            if not os.path.isdir(self.cwd):
                raise AirflowException(f"The cwd {self.cwd} must be a directory")
        result = self._run(bash, self._command(), self.get_env(context))
        if result.exit_code in self.skip_on_exit_code:
            raise AirflowSkipException(f"Bash command returned exit code {result.exit_code}. Skipping.")
        if result.exit_code != 0:
            raise AirflowException(
                f"Bash command failed. The command returned a non-zero exit code {result.exit_code}."
            )
        return self.output_processor(result.output)

    def _command(self) -> str:
        if self.bash_command is SET_DURING_EXECUTION or not isinstance(self.bash_command, str):
            raise AirflowException(f"bash_command has to be a string, not {type(self.bash_command).__name__}")
        return self.bash_command

    def _run(self, bash: str, command: str, env: dict[str, str]) -> SubprocessResult:
        options: dict[str, Any] = {"env": env, "output_encoding": self.output_encoding}
        is_script = command.endswith(tuple(self.template_ext))
        if not is_script and len(command) < _LONGEST_ARGUMENT:
            return self.subprocess_hook.run_command(command=[bash, "-c", command], cwd=self.cwd, **options)
        from tempfile import NamedTemporaryFile

        from gnomon.sdk.standard.subprocesses import working_directory

        with working_directory(self.cwd) as folder, NamedTemporaryFile("w", dir=folder, suffix=".sh") as script:
            script.write(command)
            script.flush()
            name = os.path.basename(script.name)
            return self.subprocess_hook.run_command(command=[bash, name], cwd=folder, **options)

    def on_kill(self) -> None:
        """End the command and everything it started."""
        self.subprocess_hook.send_sigterm()
