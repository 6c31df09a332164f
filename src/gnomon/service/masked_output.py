"""Standard output and error of processes that run user code and keep what it prints: without the secrets they know."""

from __future__ import annotations

import io
import sys

from gnomon.service.masking import masker


def mask_output() -> None:
    """Hide secrets in what is printed and logged from now on; what subprocesses write passes by.

    A secret has to be printed in one call to be seen: two halves of it are two texts.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper) and not isinstance(stream, _Masked):
            stream.flush()
            setattr(
                sys, name, _Masked(stream.buffer, encoding=stream.encoding, errors=stream.errors, line_buffering=True)
            )


class _Masked(io.TextIOWrapper):
    def write(self, text: str) -> int:
        super().write(masker.redact(text) if isinstance(text, str) else text)
        return len(text)
