"""What goes wrong at the command line, in one sentence each."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any


class CommandError(Exception):
    """The command cannot do what was asked; the message is one sentence that names the option, or file and line."""

    def __init__(self, message: str, *, exit_code: int = 1, hint: str | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        #: what to do about it, shown on a line of its own
        self.hint = hint


def explain(error: Exception) -> int:
    """Print one sentence about an error, and return the exit code."""
    if os.environ.get("GNOMON_TRACEBACK"):
        raise error
    said = known_error(error)
    if said is None:
        kind = type(error).__name__
        said = CommandError(
            f"unexpected {kind}: {error}", exit_code=70, hint="GNOMON_TRACEBACK=1 shows where; please report it"
        )
    print(f"Error: {said}", file=sys.stderr)
    if said.hint:
        print(f"       {said.hint}", file=sys.stderr)
    return said.exit_code


def known_error(error: BaseException) -> CommandError | None:
    """Return the error as a CommandError, if its message is already one for people."""
    if isinstance(error, CommandError):
        return error
    if hasattr(error, "format_message"):
        return _usage_error(error)
    # Errors of our own packages say in one sentence what is wrong; by name, because importing them costs time.
    if type(error).__module__.startswith("gnomon."):
        return CommandError(str(error))
    if isinstance(error, OSError) and error.strerror:
        return CommandError(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    return None


def _usage_error(error: Any) -> CommandError:
    """Return what the parser of options has to say, as one of our own sentences."""
    context = error.ctx
    path = context.command_path if context else ""
    hint = f"{path} --help shows its options" if path else None
    if (option := getattr(error, "option_name", None)) and hasattr(error, "possibilities"):
        known = [name for param in context.command.get_params(context) for name in param.opts] if context else ()
        said = f"{path} has no option {option!r}{did_you_mean(option, known)}"
    elif (param := getattr(error, "param", None)) is not None:
        from gnomon.cli.help_page import argument_name

        name = "/".join(param.opts) if param.param_type_name == "option" else argument_name(param)
        missing = type(error).__name__ == "MissingParameter"
        why = error.message.removeprefix("Value error, ").rstrip(".")
        said = f"{path} needs {name}" if missing else f"{name}: {why[:1].lower()}{why[1:]}"
    else:
        said = error.format_message().rstrip(".")
        said = f"{path}: {said[:1].lower()}{said[1:]}" if path else said
    return CommandError(said, exit_code=error.exit_code, hint=hint)


def closest(wanted: str, known: Iterable[str]) -> list[str]:
    """Return up to three of `known` that look like `wanted`, best first."""
    from difflib import get_close_matches

    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(wanted.casefold(), by_folded, n=3, cutoff=0.55)
    held = [folded for folded in by_folded if wanted.casefold() in folded and folded not in found]
    return [by_folded[folded] for folded in [*found, *sorted(held)][:3]]


def did_you_mean(wanted: str, known: Iterable[str]) -> str:
    """Return "; did you mean A or B?", or nothing when nothing is close."""
    names = closest(wanted, known)
    return f"; did you mean {' or '.join(names)}?" if names else ""
