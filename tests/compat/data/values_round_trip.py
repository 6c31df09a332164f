"""Values of pandas, numpy and pyarrow as XComs and back; run in an environment that has them. Prints how many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.sdk.runtime import values

_checked = 0


def again(value: Any) -> Any:
    """Return a value that has been an XCom."""
    global _checked
    _checked += 1
    return values.decode(values.encode({"in": [value]}))["in"][0]


def tables() -> None:
    """Frames, series and indexes keep their types, names and order."""
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [1.5, float("nan")]}, index=["p", "q"])
    pd.testing.assert_frame_equal(again(frame), frame)
    pd.testing.assert_frame_equal(again(pd.DataFrame()), pd.DataFrame())
    series = pd.Series([1.5, 2], name="n", index=pd.date_range("2026", periods=2, tz="UTC"))
    pd.testing.assert_series_equal(again(series), series, check_freq=False)
    for index in (
        pd.Index([1, 2], name="i"),
        pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["x", "y"]),
    ):
        pd.testing.assert_index_equal(again(index), index)
    moment = pd.Timestamp("2026-01-01T01:02:03.123456789", tz="Europe/Berlin")
    assert (again(moment), str(again(moment).tz)) == (moment, "Europe/Berlin")
    table = pa.table({"x": [1, 2], "y": [["a"], []]})
    assert again(table) == table


def arrays() -> None:
    """Arrays and scalars keep their dtype; what extends a type of Python's own is that type."""
    for array in (
        np.arange(6).reshape(2, 3),
        np.array(["a", "bb"]),
        np.array(5.0),
        np.array(["2026-01-01"], dtype="datetime64[D]"),
        np.zeros((0, 2), dtype="int8"),
    ):
        found = again(array)
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        assert (found == array).all()
    for scalar in (
        *(np.int64(3), np.uint8(4), np.float32(1.5), np.bool_(True), np.complex128(1 + 2j)),
        *(np.datetime64("2026-01-01T00:00:01"), np.timedelta64(5, "s")),
    ):
        assert again(scalar) == scalar
        assert type(again(scalar)) is type(scalar)
    assert type(again(np.float64(2.5))) is float
    assert type(again(np.str_("x"))) is str


def refusals() -> None:
    """What has no form is said to have none, with the place where it is."""
    for value in (np.array([object()]), pd.DataFrame({"o": [object()]})):
        try:
            again(value)
        except values.NotSerializableError as error:
            said = str(error)
        else:
            said = "it was written"
        assert said.startswith("['in'][0]: "), said


tables()
arrays()
refusals()
print(_checked)
