"""Pools."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, func, select, text

from gnomon.model.states import TaskInstanceState as S
from gnomon.store import limits, tables
from gnomon.store.database import Database
from gnomon.store.errors import Invalid
from gnomon.store.notifier import notify_in
from gnomon.store.records import POOL, Pool, PoolUsage

#: The pool of tasks that name none; it cannot be deleted.
DEFAULT_POOL = "default_pool"

_t = tables.pool
_ti = tables.task_instance
# Written as in the partial index, without parameters: only then SQLite sees that the index will do.
_BUSY = text("state IN ('scheduled', 'queued', 'running', 'deferred', 'restarting')")


class Pools:
    """The pools of the installation. Whoever changes one rings `pool`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def ensure_default(self, slots: int) -> None:
        """Create the default pool if it is not there."""
        with self._db.write() as conn:
            conn.execute(
                self._db.insert(_t)
                .values(name=DEFAULT_POOL, slots=slots, description="Default pool", include_deferred=False)
                .on_conflict_do_nothing()
            )

    def get(self, name: str) -> Pool | None:
        """Return a pool; None if there is none of this name."""
        with self._db.read() as conn:
            row = conn.execute(select(*POOL).where(_t.c.name == name)).first()
        return None if row is None else Pool(*row)

    def all(self) -> list[Pool]:
        """Return all pools by name."""
        with self._db.read() as conn:
            return [Pool(*row) for row in conn.execute(select(*POOL).order_by(_t.c.name))]

    def set(self, name: str, slots: int, description: str | None = None, include_deferred: bool = False) -> bool:
        """Create or replace a pool; True if it is new.

        Raises:
            Invalid: the name is empty or too long, or there are fewer than -1 slots.
        """
        return self.import_many([Pool(name, slots, description, include_deferred)])[0]

    def import_many(self, pools: Iterable[Pool]) -> list[bool]:
        """Create or replace many pools at once, or none of them; say of each whether it is new."""
        new = []
        with self._db.write() as conn:
            present = set(conn.execute(select(_t.c.name)).scalars())
            for pool in pools:
                _check(pool)
                row = {"slots": pool.slots, "description": pool.description, "include_deferred": pool.include_deferred}
                statement = self._db.insert(_t).values(name=pool.name, **row)
                conn.execute(statement.on_conflict_do_update(index_elements=[_t.c.name], set_=row))
                notify_in(conn, "pool", pool.name)
                new.append(pool.name not in present)
                present.add(pool.name)
        return new

    def delete(self, name: str) -> bool:
        """Delete a pool; False if there was none.

        Raises:
            Invalid: it is the default pool.
        """
        if name == DEFAULT_POOL:
            raise Invalid(f"the pool {DEFAULT_POOL!r} cannot be deleted")
        with self._db.write() as conn:
            deleted = conn.execute(delete(_t).where(_t.c.name == name)).rowcount > 0
            if deleted:
                notify_in(conn, "pool", name)
        return deleted

    def usage(self) -> list[PoolUsage]:
        """Return all pools with the slots that task instances take in them, by name."""
        states = (S.RUNNING, S.QUEUED, S.SCHEDULED, S.DEFERRED)
        taken = (
            select(_ti.c.pool, _ti.c.state, func.sum(_ti.c.pool_slots)).where(_BUSY).group_by(_ti.c.pool, _ti.c.state)
        )
        counts: dict[str, dict[str, int]] = {}
        with self._db.snapshot() as conn:
            pools = [Pool(*row) for row in conn.execute(select(*POOL).order_by(_t.c.name))]
            for name, state, slots in conn.execute(taken):
                if state in states:
                    counts.setdefault(name, {})[str(state)] = int(slots)
        return [PoolUsage(pool=pool, **counts.get(pool.name, {})) for pool in pools]


def _check(pool: Pool) -> None:
    limits.check(_t, {"name": pool.name, "slots": pool.slots, "description": pool.description})
    if not pool.name:
        raise Invalid("a pool needs a name")
    if pool.slots < -1:
        raise Invalid(f"pool {pool.name!r}: slots must be -1 (no limit), 0 or more, not {pool.slots}")
