"""What the API refuses to do."""

from __future__ import annotations


class TriggerRefused(Exception):
    """The run cannot be created; the text says why."""
