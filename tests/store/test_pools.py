from __future__ import annotations

from collections.abc import Callable

import pytest

from gnomon.store.engine import Store
from gnomon.store.errors import Invalid
from gnomon.store.records import Pool, PoolUsage, Run

from .conftest import add_task_instance


def test_a_fresh_database_has_the_default_pool(store: Store) -> None:
    assert store.pools.all() == [Pool("default_pool", 128, "Default pool", False)]


def test_ensuring_the_default_pool_keeps_what_a_user_made_of_it(store: Store) -> None:
    store.pools.set("default_pool", 5)
    store.pools.ensure_default(128)

    assert store.pools.get("default_pool") == Pool("default_pool", 5)


def test_set_creates_then_replaces(store: Store) -> None:
    assert store.pools.set("p", 3, "text", include_deferred=True) is True
    assert store.pools.get("p") == Pool("p", 3, "text", True)
    assert store.pools.set("p", -1) is False
    assert store.pools.get("p") == Pool("p", -1, None, False)


@pytest.mark.parametrize(("name", "slots"), [("", 1), ("p", -2), ("p" * 257, 1), ("p", 2**31)])
def test_bad_pools_are_refused(store: Store, name: str, slots: int) -> None:
    with pytest.raises(Invalid, match="pool"):
        store.pools.set(name, slots)


def test_the_default_pool_stays(store: Store) -> None:
    store.pools.set("p", 1)

    assert store.pools.delete("p") is True
    assert store.pools.delete("p") is False
    with pytest.raises(Invalid, match="default_pool"):
        store.pools.delete("default_pool")


def test_usage_counts_slots_by_state(store: Store, a_run: Callable[..., Run]) -> None:
    store.pools.set("p", 10, include_deferred=True)
    run = a_run()
    for number, (state, slots) in enumerate(
        [("running", 2), ("queued", 1), ("queued", 3), ("scheduled", 1), ("deferred", 2), ("success", 5), (None, 5)]
    ):
        add_task_instance(store, run, f"t{number}", state, pool="p", pool_slots=slots)

    usage = {use.pool.name: use for use in store.pools.usage()}

    pool = Pool("p", 10, None, True)
    assert usage["p"] == PoolUsage(pool=pool, running=2, queued=4, scheduled=1, deferred=2)
    assert (usage["p"].occupied, usage["p"].open) == (8, 2)
    assert usage["default_pool"].open == 128
