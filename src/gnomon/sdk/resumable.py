"""ResumableJobMixin: a retry goes on with the job that an earlier try started elsewhere."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from gnomon.sdk.operator_meta import with_default_args


class ResumableJobMixin:
    """For operators that start one job in another system and wait for it.

    The job's id is kept in the task state store before waiting, so that the next try finds the job running or done
    and does not start another. Operators call `execute_resumable` from `execute`.

    Args:
        durable: keep the id.
    """

    external_id_key: str = "remote_job_id"
    durable: bool = True

    def __init__(self, *, durable: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.durable = durable

    def execute_resumable(self, context: Any) -> Any:
        """Start the job, or go on with the one an earlier try has started, and return its result."""
        store = context.get("task_state_store") if self.durable else None
        known = store.get(self.external_id_key) if store is not None else None
        if known:
            status = self.get_job_status(known, context)
            if self.is_job_active(status):
                self.log.info("Reconnecting to job %s (%s)", known, status)  # type: ignore[attr-defined]
                self.poll_until_complete(known, context)
                return self.get_job_result(known, context)
            if self.is_job_succeeded(status):
                self.log.info("Job %s has succeeded already", known)  # type: ignore[attr-defined]
                return self.get_job_result(known, context)
            self.log.warning("Job %s ended as %s; submitting a new one", known, status)  # type: ignore[attr-defined]
        external_id = self.submit_job(context)
        if store is not None and external_id is not None:
            store.set(self.external_id_key, external_id)
        self.poll_until_complete(external_id, context)
        return self.get_job_result(external_id, context)

    @abstractmethod
    def submit_job(self, context: Any) -> Any:
        """Start the job and return its id."""

    @abstractmethod
    def get_job_status(self, external_id: Any, context: Any) -> str:
        """Return the job's status, as the other system calls it."""

    @abstractmethod
    def is_job_active(self, status: str) -> bool:
        """Tell whether a status means that the job runs."""

    @abstractmethod
    def is_job_succeeded(self, status: str) -> bool:
        """Tell whether a status means that the job has succeeded."""

    @abstractmethod
    def poll_until_complete(self, external_id: Any, context: Any) -> None:
        """Wait for the job; raise if it fails."""

    @abstractmethod
    def get_job_result(self, external_id: Any, context: Any) -> Any:
        """Return the job's result."""


# `durable` can come from default_args as well, although the mixin is no operator itself.
ResumableJobMixin.__init__ = with_default_args(ResumableJobMixin.__init__)  # type: ignore[method-assign]
