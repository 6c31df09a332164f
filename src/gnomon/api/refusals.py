"""What the API refuses to do."""

from __future__ import annotations


class TriggerRefused(Exception):
    """The run cannot be created; the text says why."""


class AnswerPending(Exception):
    """User code has not yet said what has to be known before the run can be created; ask again."""
