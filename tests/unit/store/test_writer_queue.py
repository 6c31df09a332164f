from __future__ import annotations

import threading
from pathlib import Path

import pytest

from gnomon.store.errors import Unavailable
from gnomon.store.writer_queue import WriterQueue


def test_the_next_one_is_let_in_when_the_first_leaves(tmp_path: Path) -> None:
    first, second = (WriterQueue(f"{tmp_path}/x.db", 10) for _ in range(2))
    order: list[str] = []
    waiting = threading.Event()

    def write() -> None:
        waiting.set()
        with second:
            order.append("second")

    with first:
        thread = threading.Thread(target=write)
        thread.start()
        waiting.wait()
        order.append("first")
    thread.join()
    with first, pytest.raises(Unavailable), WriterQueue(f"{tmp_path}/x.db", 0.01):
        pass
    first.close()
    second.close()
    assert order == ["first", "second"]


def test_who_gave_up_gets_in_later_and_keeps_others_out_then(tmp_path: Path) -> None:
    path = f"{tmp_path}/x.db"
    holder, impatient = WriterQueue(path, 10), WriterQueue(path, 0.01)
    with holder:
        for _ in range(3):
            with pytest.raises(Unavailable, match=r"locked by other writers for more than 0\.01 seconds"), impatient:
                pass

    impatient._seconds = 10
    for _ in range(20):
        with impatient, pytest.raises(Unavailable), WriterQueue(path, 0.001):
            pass
    impatient.close()
    holder.close()


def test_a_lock_file_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(Unavailable, match=r"x\.db-writer cannot be made: No such file"),
        WriterQueue(f"{tmp_path}/gone/x.db", 1),
    ):
        pass
