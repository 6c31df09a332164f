"""The base process of a worker: see `gnomon.worker.base`."""

from __future__ import annotations

from gnomon.worker import at_fork

at_fork.install()  # before anything imports threading

from gnomon.worker import base  # noqa: E402

base.main()
