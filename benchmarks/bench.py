"""What a workload is given: a database to make installations on, and the floors of this machine."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import floors
from benchmarks.product import Product, installation
from gnomon.service import clock


class Bench:
    """One database kind; `new_url` makes an empty database of it, or gives None for a SQLite file in the project."""

    def __init__(self, kind: str, new_url: Callable[[], str | None], *, scale: float = 1.0) -> None:
        self.kind = kind
        self.scale = scale
        self._new_url = new_url
        self._numbers = itertools.count(1)

    @contextlib.contextmanager
    def product(self, *, init: bool = True) -> Iterator[Product]:
        """Yield a project on an empty database; without `init` it is an empty folder yet."""
        with installation(self._new_url()) as product:
            if init:
                product.init()
            yield product

    def forks(self, dag_file: Path) -> floors.Forks:
        """Measure forks of a process as large as the template of this file."""
        return floors.forks(dag_file)

    def commit_ms(self, product: Product) -> float:
        """Measure one durable commit on the product's database."""
        return floors.commit_ms(product.url, product.root)

    def count(self, full: int, least: int = 10) -> int:
        """Return the size of a workload: less than `full` in a quick run."""
        return max(least, int(full * self.scale))

    def seconds_of_run(self, product: Product, dag_id: str, *, tasks: int) -> float:
        """Trigger one run of a listed DAG and return the time from the request to the end of the run."""
        run_id = f"bench-{next(self._numbers)}-"
        begin = clock.now_us()
        product.trigger(dag_id, run_id)
        return (product.wait_finished(dag_id, run_id, 1, seconds=60 + tasks * 0.2) - begin) / 1e6
