"""The row in `job` by which health checks see that a process lives, for a service that keeps none itself."""

from __future__ import annotations

import contextlib
import os
import socket

from gnomon.service import clock
from gnomon.service.service import Service
from gnomon.store.engine import Store
from gnomon.store.errors import StoreError

_BEAT_SECONDS = 5.0


class SignOfLife(Service):
    """Notes now and then that this process lives."""

    def __init__(self, store: Store, job_type: str) -> None:
        super().__init__(f"sign of life of {job_type}")
        self._store = store
        self._job_type = job_type

    async def run(self) -> None:
        """Beat until stopped; a database that is away is no reason to end."""
        job: int | None = None
        self.ready()
        while True:
            with contextlib.suppress(StoreError):
                if job is None or not self._store.jobs.heartbeat(job, clock.now()):
                    job = self._store.jobs.start(
                        self._job_type, hostname=socket.gethostname(), pid=os.getpid(), now=clock.now()
                    )
            if await self.stopped_within(_BEAT_SECONDS):
                break
        if job is not None:
            with contextlib.suppress(StoreError):
                self._store.jobs.end(job, clock.now())
