"""XComs as tasks read and write them, and the class that a custom backend extends."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gnomon.sdk.runtime import values
from gnomon.sdk.runtime.channel import ask_async, require_channel
from gnomon.wire import execution as wire

_log = logging.getLogger(__name__)

XCOM_RETURN_KEY = "return_value"
#: How many values of a mapped task are fetched at once.
_CHUNK = 100


class XComError(RuntimeError):
    """An XCom could not be read or written."""


class XComSizeError(XComError, ValueError):
    """A value is larger than `[core] max_xcom_size`."""


class StoredXCom(NamedTuple):
    """What `deserialize_value` of a backend gets."""

    value: Any
    key: str = XCOM_RETURN_KEY
    task_id: str = ""
    dag_id: str = ""
    run_id: str = ""
    map_index: int = -1


class BaseXCom:
    """Reads and writes XComs; set `[core] xcom_backend` to a subclass to keep values elsewhere."""

    XCOM_RETURN_KEY = XCOM_RETURN_KEY

    @staticmethod
    def serialize_value(
        value: Any,
        *,
        key: str | None = None,
        task_id: str | None = None,
        dag_id: str | None = None,
        run_id: str | None = None,
        map_index: int | None = None,
    ) -> Any:
        """Return `value` in terms of what JSON knows."""
        return values.to_plain(value)

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        """Return the value that `serialize_value` was given; `result.value` is what it returned."""
        return values.from_plain(result.value)

    @staticmethod
    def purge(xcom: Any, *args: Any) -> None:
        """Remove what a custom backend keeps for this XCom."""

    @classmethod
    def set(
        cls,
        key: str,
        value: Any,
        *,
        dag_id: str,
        task_id: str,
        run_id: str,
        map_index: int = -1,
        _mapped_length: int | None = None,
        **_: Any,
    ) -> None:
        """Write a value."""
        entry = entry_for(
            key,
            value,
            dag_id=dag_id,
            task_id=task_id,
            run_id=run_id,
            map_index=map_index,
            length=_mapped_length,
            via=cls,
        )
        request = wire.PutXCom(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index, entry=entry)
        _unless_problem(require_channel().ask(request))

    @classmethod
    def get_one(
        cls,
        *,
        key: str,
        dag_id: str,
        task_id: str,
        run_id: str,
        map_index: int | None = None,
        include_prior_dates: bool = False,
    ) -> Any:
        """Return one value, or None if there is none."""
        reply = require_channel().ask(
            wire.GetXCom(
                dag_id=dag_id,
                run_id=run_id,
                task_id=task_id,
                key=key,
                map_index=-1 if map_index is None else map_index,
                include_prior_dates=include_prior_dates,
            )
        )
        found = _values_of(reply)
        return read(found[0], dag_id=dag_id, run_id=run_id, via=cls) if found else None

    @classmethod
    def get_all(
        cls, *, key: str, dag_id: str, task_id: str, run_id: str, include_prior_dates: bool = False
    ) -> list[Any] | None:
        """Return the values of all instances of a task, by map index; None if there are none."""
        found = fetch(
            dag_id=dag_id, run_id=run_id, task_ids=[task_id], key=key, include_prior_dates=include_prior_dates
        )
        return [read(one, dag_id=dag_id, run_id=run_id, via=cls) for one in found] or None

    @classmethod
    def get_value(cls, *, ti_key: Any, key: str) -> Any:
        """Return a value of the task instance that `ti_key` names."""
        return cls.get_one(
            key=key, task_id=ti_key.task_id, dag_id=ti_key.dag_id, run_id=ti_key.run_id, map_index=ti_key.map_index
        )

    @classmethod
    def delete(cls, key: str | None, dag_id: str, task_id: str, run_id: str, map_index: int | None = None) -> None:
        """Remove a value; with `key` None all of the task instance."""
        index = -1 if map_index is None else map_index
        if cls.purge is not BaseXCom.purge:
            for one in fetch(dag_id=dag_id, run_id=run_id, task_ids=[task_id], key=key, map_indexes=[index]):
                cls.purge(_stored(one, dag_id, run_id), None)
        request = wire.DeleteXComs(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=index, key=key)
        _unless_problem(require_channel().ask(request))


_backend: type[BaseXCom] | None = None


def backend() -> type[BaseXCom]:
    """Return the class of `[core] xcom_backend`.

    Raises:
        ImportError: there is no such class.
        TypeError: it does not extend BaseXCom.
    """
    global _backend
    if _backend is None:
        _backend = _configured_backend()
    return _backend


def preload(*, with_project: bool) -> None:
    """Look the backend up before the first try needs it; what cannot be found is that try's own problem.

    Args:
        with_project: the project's folders can be imported from: not only our own class, but one of the user's too.
    """
    if with_project or _backend_path() is None:
        try:
            backend()
        except Exception as error:
            _log.debug("%s", error)


def _backend_path() -> str | None:
    from gnomon.service.config import conf

    path = (conf.get("core", "xcom_backend", fallback="") or "").strip()
    return None if not path or path.rpartition(".")[2] == "BaseXCom" else path


def _configured_backend() -> type[BaseXCom]:
    path = _backend_path()
    if path is None:
        return BaseXCom
    try:
        cls = values.import_string(path)
    except ImportError as error:
        raise ImportError(f"[core] xcom_backend cannot be imported: {error}") from None
    if not (isinstance(cls, type) and issubclass(cls, BaseXCom)):
        raise TypeError(f"[core] xcom_backend: {path} does not extend BaseXCom")
    return cls


def __getattr__(name: str) -> Any:
    if name == "XCom":
        return backend()
    raise AttributeError(name)


# ------------------------------------------------------------------------------------------------- writing


def entry_for(
    key: str,
    value: Any,
    *,
    dag_id: str,
    task_id: str,
    run_id: str,
    map_index: int = -1,
    length: int | None = None,
    via: type[BaseXCom] | None = None,
) -> wire.XComEntry:
    """Return a value as it travels.

    Raises:
        XComError: it has no JSON form.
        XComSizeError: it is larger than allowed.
    """
    if not isinstance(key, str):
        raise XComError(f"task {task_id}: the key of an XCom must be a string, not {key!r}")
    cls = via or backend()
    try:
        if cls.serialize_value is BaseXCom.serialize_value:
            data = values.encode(value)
        else:
            data = _through_backend(
                cls, value, {"key": key, "task_id": task_id, "dag_id": dag_id, "run_id": run_id, "map_index": map_index}
            )
    except values.NotSerializableError as error:
        where = f"value{error.path}" if error.path else "the value"
        raise XComError(
            f"task {task_id} cannot push the XCom {key!r}: {where}: {error.reason}."
            " Return plain JSON, a dataclass or a pydantic model, or give the class serialize() and deserialize()"
        ) from None
    limit = max_size()
    if limit and len(data) > limit:
        raise XComSizeError(
            f"task {task_id} cannot push the XCom {key!r}: it has {len(data)} bytes, and [core] max_xcom_size"
            f" allows {limit}. Push a path or a key of an object store instead"
        )
    return wire.XComEntry(key, data, length)


def _through_backend(cls: type[BaseXCom], value: Any, names: dict[str, Any]) -> bytes:
    import inspect

    accepted = inspect.signature(cls.serialize_value).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        names = {name: name_value for name, name_value in names.items() if name in accepted}
    stored = cls.serialize_value(value, **names)
    if isinstance(stored, bytes):  # backends written for Airflow 2 return encoded text
        stored = stored.decode()
    return json.dumps(stored).encode()


_max_size: int | None = None


def max_size() -> int:
    """Return `[core] max_xcom_size` in bytes; 0 means any size."""
    global _max_size
    if _max_size is None:
        from gnomon.service.config import conf

        _max_size = conf.getint("core", "max_xcom_size", fallback=0)
    return _max_size


def mappable_length(value: Any) -> int | None:
    """Return how many task instances an expansion over `value` makes; None if it cannot be expanded over."""
    if isinstance(value, Mapping | LazyXComSequence) or (
        isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)
    ):
        return len(value)
    return None


# ------------------------------------------------------------------------------------------------- reading


def fetch(
    *,
    dag_id: str,
    run_id: str,
    task_ids: list[str] | None,
    key: str | None = XCOM_RETURN_KEY,
    map_indexes: list[int] | None = None,
    include_prior_dates: bool = False,
    start: int | None = None,
    stop: int | None = None,
) -> list[wire.XComValue]:
    """Return the stored values that match, not decoded yet."""
    reply = require_channel().ask(
        wire.GetXComs(
            dag_id=dag_id,
            run_id=run_id,
            task_ids=task_ids,
            key=key,
            map_indexes=map_indexes,
            include_prior_dates=include_prior_dates,
            start=start,
            stop=stop,
        )
    )
    return _values_of(reply)


async def fetch_async(request: wire.GetXComs | wire.GetXCom) -> list[wire.XComValue]:
    """Do what `fetch` does, from a coroutine."""
    return _values_of(await ask_async(request))


def read(found: wire.XComValue, *, dag_id: str, run_id: str, via: type[BaseXCom] | None = None) -> Any:
    """Return the value of a stored XCom."""
    cls = via or backend()
    if cls.deserialize_value is BaseXCom.deserialize_value:
        return values.decode(found.value)
    return cls.deserialize_value(_stored(found, dag_id, run_id))


def _stored(found: wire.XComValue, dag_id: str, run_id: str) -> StoredXCom:
    plain = json.loads(found.value)
    return StoredXCom(plain, found.key, found.task_id, dag_id, run_id, found.map_index)


def _values_of(reply: wire.Reply) -> list[wire.XComValue]:
    if isinstance(reply, wire.XComValues):
        return reply.values
    if isinstance(reply, wire.Problem) and reply.code == "not_found":
        return []
    _unless_problem(reply)
    raise XComError(f"an XCom was asked for and a {type(reply).__name__} came back")


def _unless_problem(reply: wire.Reply) -> None:
    if isinstance(reply, wire.Problem):
        raise XComError(reply.message)


class LazyXComSequence(Sequence[Any]):
    """The values of a mapped task, fetched when they are looked at, a hundred at a time.

    Args:
        xcom_arg: the reference to the mapped task's XCom.
        ti: the task instance that reads them.
    """

    def __init__(self, xcom_arg: Any, ti: Any) -> None:
        task_id: str = xcom_arg.operator.task_id
        self._source: dict[str, Any] = {
            "dag_id": ti.dag_id,
            "run_id": ti.run_id,
            "task_ids": [task_id],
            "key": xcom_arg.key,
        }
        self._length: int | None = None
        self._chunks: dict[int, list[Any]] = {}

    def __len__(self) -> int:
        if self._length is None:
            reply = require_channel().ask(wire.GetXComs(**self._source, count_only=True))
            _unless_problem(reply)
            self._length = reply.count if isinstance(reply, wire.XComValues) else 0
        return self._length

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self)
        number, offset = divmod(index, _CHUNK)
        chunk = self._chunk(number) if index >= 0 else []
        if offset >= len(chunk):
            raise IndexError(index)
        return chunk[offset]

    def _chunk(self, number: int) -> list[Any]:
        if number not in self._chunks:
            found = fetch(**self._source, start=number * _CHUNK, stop=(number + 1) * _CHUNK)
            names = {"dag_id": self._source["dag_id"], "run_id": self._source["run_id"]}
            self._chunks[number] = [read(one, **names) for one in found]
        return self._chunks[number]

    def __iter__(self) -> Iterator[Any]:
        number = 0
        while True:
            chunk = self._chunk(number)
            yield from chunk
            if len(chunk) < _CHUNK:
                return
            number += 1

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Iterable) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"LazyXComSequence([{len(self)} items])"
