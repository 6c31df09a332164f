from __future__ import annotations

from gnomon.cli.restarts import DELAYS, STABLE_SECONDS, Restarts


def test_the_first_death_is_made_good_at_once_and_later_ones_wait_longer():
    restarts = Restarts()

    delays = [restarts.died(1.0) for _ in range(len(DELAYS) + 2)]

    assert delays == [*DELAYS, DELAYS[-1], DELAYS[-1]]
    assert delays[0] == 0.0
    assert restarts.total == len(delays)


def test_a_life_that_was_long_enough_starts_the_count_anew():
    restarts = Restarts()
    for _ in range(3):
        restarts.died(0.1)
    assert restarts.looping

    assert restarts.died(STABLE_SECONDS) == 0.0
    assert not restarts.looping
    assert restarts.total == 4
