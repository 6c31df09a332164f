"""What goes wrong at the command line, in one sentence each."""

from __future__ import annotations

from collections.abc import Iterable


class CommandError(Exception):
    """The command cannot do what was asked; the message is one sentence that names the option, or file and line."""

    def __init__(self, message: str, *, exit_code: int = 1, hint: str | None = None) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        #: what to do about it, shown on a line of its own
        self.hint = hint


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
