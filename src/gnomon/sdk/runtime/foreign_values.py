"""JSON forms of what pandas, numpy, pyarrow, Delta Lake, Iceberg and Kubernetes hand around.

The packages are the user's; they are imported only when a value of theirs comes by. Tables travel as Parquet, arrays in
numpy's own format without pickle.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

#: Parts of names of settings that hold credentials.
_SECRETS = ("access", "credential", "key", "passphrase", "password", "secret", "signature", "token")
_SCALARS = frozenset(
    {
        *("bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
        *("float16", "float32", "float64", "longdouble", "complex64", "complex128", "datetime64", "timedelta64"),
    }
)


class NoFormError(ValueError):
    """A value of one of these packages cannot be written as JSON; the text says why."""


def data_of(value: Any) -> tuple[str, Any] | None:
    """Return (class name, content in terms of what JSON knows) of a value; None if there is no form for its class.

    Raises:
        NoFormError: there is one, but not for this value.
    """
    for kind in type(value).__mro__:
        if (writer := _WRITERS.get(f"{kind.__module__}.{kind.__qualname__}")) is not None:
            return writer(value)
    if type(value).__module__ == "numpy" and type(value).__name__ in _SCALARS:
        return _of_scalar(value)
    if type(value).__module__.startswith("kubernetes.client.models."):
        return _of_kubernetes(value)
    return None


def reader(name: str) -> Callable[[Any], Any] | None:
    """Return what makes a value of this class from its content; None if there is no form for it."""
    package, _, kind = name.partition(".")
    if package == "numpy" and kind in _SCALARS:
        return lambda data: _to_scalar(kind, data)
    return _READERS.get(name)


# ------------------------------------------------------------------------------------------------ numpy


def _of_scalar(value: Any) -> tuple[str, Any]:
    kind = type(value).__name__
    if kind.startswith("complex"):
        return f"numpy.{kind}", [float(value.real), float(value.imag)]
    if kind == "datetime64":
        return "numpy.datetime64", str(value)
    if kind == "timedelta64":
        return "numpy.timedelta64", [int(value.astype("int64")), str(value.dtype)]
    return f"numpy.{kind}", value.item() if kind != "longdouble" else float(value)


def _to_scalar(kind: str, data: Any) -> Any:
    import numpy

    if kind.startswith("complex"):
        return getattr(numpy, kind)(complex(*data) if isinstance(data, list) else data)
    if kind == "timedelta64":
        number, dtype = data
        return numpy.int64(number).astype(dtype)
    return getattr(numpy, kind)(data)


def _of_array(value: Any) -> tuple[str, Any]:
    import numpy

    buffer = io.BytesIO()
    try:
        numpy.save(buffer, value, allow_pickle=False)
    except ValueError:
        raise NoFormError("an array of Python objects has no JSON form; use tolist()") from None
    return "numpy.ndarray", base64.b64encode(buffer.getvalue()).decode()


def _to_array(data: str) -> Any:
    import numpy

    return numpy.load(io.BytesIO(base64.b64decode(data)), allow_pickle=False)


# -------------------------------------------------------------------------------------- pandas and pyarrow


def _parquet(table: Any) -> str:
    from pyarrow import parquet

    buffer = io.BytesIO()
    parquet.write_table(table, buffer, compression="snappy")
    return buffer.getvalue().hex()


def _table_of(data: str) -> Any:
    from pyarrow import parquet

    return parquet.read_table(io.BytesIO(bytes.fromhex(data)))


def _of_frame(value: Any) -> tuple[str, Any]:
    try:
        import pyarrow
    except ImportError:
        raise NoFormError(
            "pandas data travels as Parquet, which needs the package pyarrow: pip install pyarrow"
        ) from None
    try:
        return "pandas.core.frame.DataFrame", _parquet(pyarrow.Table.from_pandas(value))
    except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError, pyarrow.ArrowNotImplementedError, ValueError) as error:
        raise NoFormError(f"it cannot be written as Parquet: {error}") from None


def _of_series(value: Any) -> tuple[str, Any]:
    name = value.name
    if name is not None and not isinstance(name, str | int | float | bool):
        raise NoFormError(f"a Series of the name {name!r} has no JSON form")
    _, data = _of_frame(value.to_frame(name="values"))
    return "pandas.core.series.Series", {"name": name, "data": data}


def _to_series(data: Mapping[str, Any]) -> Any:
    return _table_of(data["data"]).to_pandas()["values"].rename(data["name"])


def _of_index(value: Any) -> tuple[str, Any]:
    _, data = _of_frame(value.to_frame(index=False))
    return "pandas.core.indexes.base.Index", {"names": list(value.names), "data": data}


def _to_index(data: Mapping[str, Any]) -> Any:
    import pandas

    frame = _table_of(data["data"]).to_pandas()
    if len(frame.columns) > 1:
        return pandas.MultiIndex.from_frame(frame, names=data["names"])
    return pandas.Index(frame.iloc[:, 0], name=data["names"][0])


def _of_timestamp(value: Any) -> tuple[str, Any]:
    return "pandas.Timestamp", [value.isoformat(), None if value.tz is None else str(value.tz)]


def _to_timestamp(data: list[Any]) -> Any:
    import pandas

    text, zone = data
    moment = pandas.Timestamp(text)
    return moment if zone is None else moment.tz_convert(zone)


# ----------------------------------------------------------------------------------------- tables elsewhere


def _harmless(options: Mapping[str, Any] | None, what: str) -> dict[str, str]:
    """Return settings as they are.

    Raises:
        NoFormError: there are credentials among them.
    """
    for name in options or {}:
        if any(part in name.lower() for part in _SECRETS):
            raise NoFormError(
                f"its {what} hold credentials ({name}), which have no place in an XCom: push the table's address and"
                " open it anew with a connection"
            )
    return {str(name): str(value) for name, value in (options or {}).items()}


def _of_delta(value: Any) -> tuple[str, Any]:
    return "deltalake.table.DeltaTable", {
        "table_uri": value.table_uri,
        "version": value.version(),
        "storage_options": _harmless(value._storage_options, "storage options"),
    }


def _to_delta(data: Mapping[str, Any]) -> Any:
    from deltalake.table import DeltaTable

    return DeltaTable(data["table_uri"], version=data["version"], storage_options=data["storage_options"] or None)


def _of_iceberg(value: Any) -> tuple[str, Any]:
    return "pyiceberg.table.Table", {
        "identifier": [value.catalog.name, *value.name()],
        "catalog_properties": _harmless(value.catalog.properties, "catalog's properties"),
    }


def _to_iceberg(data: Mapping[str, Any]) -> Any:
    from pyiceberg.catalog import load_catalog

    catalog, *table = data["identifier"]
    return load_catalog(catalog, **data["catalog_properties"]).load_table(tuple(table))


def _of_kubernetes(value: Any) -> tuple[str, Any]:
    from kubernetes.client import ApiClient

    kind = type(value)
    return f"{kind.__module__}.{kind.__qualname__}", ApiClient().sanitize_for_serialization(value)


_WRITERS: dict[str, Callable[[Any], tuple[str, Any]]] = {
    "numpy.ndarray": _of_array,
    "pandas.DataFrame": _of_frame,  # as pandas 3 names it
    "pandas.core.frame.DataFrame": _of_frame,
    "pandas.Series": _of_series,
    "pandas.core.series.Series": _of_series,
    "pandas.Index": _of_index,
    "pandas.core.indexes.base.Index": _of_index,
    "pandas._libs.tslibs.timestamps.Timestamp": _of_timestamp,
    "pandas.Timestamp": _of_timestamp,
    "pyarrow.lib.Table": lambda table: ("pyarrow.lib.Table", _parquet(table)),
    "deltalake.table.DeltaTable": _of_delta,
    "pyiceberg.table.Table": _of_iceberg,
}

_READERS: dict[str, Callable[[Any], Any]] = {
    "numpy.ndarray": _to_array,
    "pandas.DataFrame": lambda data: _table_of(data).to_pandas(),
    "pandas.core.frame.DataFrame": lambda data: _table_of(data).to_pandas(),
    "pandas.core.series.Series": _to_series,
    "pandas.core.indexes.base.Index": _to_index,
    "pandas.Timestamp": _to_timestamp,
    "pyarrow.lib.Table": _table_of,
    "deltalake.table.DeltaTable": _to_delta,
    "pyiceberg.table.Table": _to_iceberg,
}
