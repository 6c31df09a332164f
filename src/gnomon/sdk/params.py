"""Params of DAGs and tasks: a value with a JSON schema; jsonschema is imported when one is checked."""

from __future__ import annotations

import copy
from collections.abc import ItemsView, Iterator, Mapping, MutableMapping, ValuesView
from typing import Any, ClassVar

from gnomon.sdk.exceptions import ParamValidationError
from gnomon.sdk.types import NOTSET, ArgNotSet


class Param:
    """A param with a default and a JSON schema that a value has to fit.

    Args:
        default: the value unless a run gives another; left out, each run has to give one.
        description: what it is for.
        source: "dag" or "task", set by the DAG.
        kwargs: the JSON schema: type, minimum, enum, title …
    """

    __version__: ClassVar[int] = 1
    CLASS_IDENTIFIER = "__class"

    def __init__(
        self, default: Any = NOTSET, description: str | None = None, source: str | None = None, **kwargs: Any
    ) -> None:
        if default is not NOTSET:
            self._check_json(default)
        self.value = default
        self.description = description
        self.schema: dict[str, Any] = kwargs.pop("schema") if "schema" in kwargs else kwargs
        self.source = source

    def __copy__(self) -> Param:
        return type(self)(self.value, self.description, schema=self.schema, source=self.source)

    @staticmethod
    def _check_json(value: Any) -> None:
        import json

        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise ParamValidationError(f"all provided parameters must be json-serializable: {error}") from None

    @property
    def has_value(self) -> bool:
        """Whether there is a value (None counts only where the schema allows null)."""
        return self.value is not NOTSET and self.value is not None

    def resolve(self, value: Any = NOTSET, suppress_exception: bool = False) -> Any:
        """Set the value if one is given, check it, and return it.

        Raises:
            ParamValidationError: there is no value, or it does not fit the schema.
        """
        final = self.value if value is NOTSET else value
        try:
            if value is not NOTSET:
                self._check_json(value)
            if isinstance(final, ArgNotSet):
                raise ParamValidationError("No value passed and Param has no default value")
            if self.schema:
                self._check_schema(final)
        except ParamValidationError:
            if suppress_exception:
                return None
            raise
        self.value = final
        return final

    def _check_schema(self, value: Any) -> None:
        import jsonschema

        try:
            jsonschema.validate(value, self.schema, format_checker=jsonschema.FormatChecker())
        except jsonschema.ValidationError as error:
            where = "".join(f"[{part!r}]" for part in error.absolute_path)
            raise ParamValidationError(f"{where + ': ' if where else ''}{error.message}") from None
        except jsonschema.SchemaError as error:
            raise ParamValidationError(f"the schema itself is not valid: {error.message}") from None

    def dump(self) -> dict[str, Any]:
        """Return the param as data that says what it is."""
        return {self.CLASS_IDENTIFIER: "airflow.sdk.definitions.param.Param", **self.serialize()}

    def serialize(self) -> dict[str, Any]:
        """Return the param as data."""
        value = None if isinstance(self.value, ArgNotSet) else self.value
        return {"value": value, "description": self.description, "schema": self.schema, "source": self.source}

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> Param:
        """Return the param that `serialize` wrote."""
        return Param(data["value"], data.get("description"), source=data.get("source"), schema=data["schema"])

    def __repr__(self) -> str:
        return f"Param({self.value!r}, {self.schema!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Param) and self.dump() == other.dump()

    __hash__ = None  # type: ignore[assignment]


class ParamsDict(MutableMapping[str, Any]):
    """Params by name; reading one gives its checked value, `get_param` gives the Param.

    Args:
        dict_obj: plain values or Params.
        suppress_exception: read invalid values as None instead of raising.
    """

    __version__: ClassVar[int] = 1
    __slots__ = ("__dict", "suppress_exception")

    def __init__(self, dict_obj: Mapping[str, Any] | None = None, suppress_exception: bool = False) -> None:
        self.__dict = {
            name: value if isinstance(value, Param) else Param(value) for name, value in _raw(dict_obj).items()
        }
        self.suppress_exception = suppress_exception

    def __bool__(self) -> bool:
        return bool(self.__dict)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (dict, ParamsDict)):
            return self.dump() == (other.dump() if isinstance(other, ParamsDict) else other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> ParamsDict:
        return ParamsDict({name: copy.copy(param) for name, param in self.__dict.items()}, self.suppress_exception)

    def __deepcopy__(self, memo: dict[int, Any] | None) -> ParamsDict:
        return ParamsDict(copy.deepcopy(self.__dict, memo), self.suppress_exception)

    def __contains__(self, key: object) -> bool:
        return key in self.__dict

    def __len__(self) -> int:
        return len(self.__dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict)

    def __delitem__(self, key: str) -> None:
        del self.__dict[key]

    def __setitem__(self, key: str, value: Any) -> None:
        if isinstance(value, Param):
            self.__dict[key] = value
        elif key in self.__dict:
            try:
                self.__dict[key].resolve(value=value, suppress_exception=self.suppress_exception)
            except ParamValidationError as error:
                raise ParamValidationError(f"Invalid input for param {key}: {error}") from None
        else:
            self.__dict[key] = Param(value)

    def __getitem__(self, key: str) -> Any:
        return self.__dict[key].resolve(suppress_exception=self.suppress_exception)

    def __repr__(self) -> str:
        return repr(self.dump())

    def get_param(self, key: str) -> Param:
        """Return the Param itself."""
        return self.__dict[key]

    def items(self) -> ItemsView[str, Param]:
        """Return (name, Param) pairs."""
        return ItemsView(self.__dict)

    def values(self) -> ValuesView[Param]:
        """Return the Params."""
        return ValuesView(self.__dict)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Take over values or Params."""
        if len(args) == 1 and not kwargs and isinstance(args[0], ParamsDict):
            for name, param in args[0].items():
                self[name] = param
            return
        super().update(*args, **kwargs)

    def dump(self) -> dict[str, Any]:
        """Return the values; None for one that does not fit its schema."""
        return {name: param.resolve(suppress_exception=True) for name, param in self.__dict.items()}

    def serialize(self) -> dict[str, Any]:
        """Return the values as data."""
        return self.dump()

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> ParamsDict:
        """Return params of the values that `serialize` wrote."""
        return ParamsDict(data)

    def validate(self) -> dict[str, Any]:
        """Return the values.

        Raises:
            ParamValidationError: one is missing or does not fit; the message names it.
        """
        checked = {}
        for name, param in self.__dict.items():
            try:
                checked[name] = param.resolve(suppress_exception=self.suppress_exception)
            except ParamValidationError as error:
                raise ParamValidationError(f"Invalid input for param {name}: {error}") from None
        return checked

    def filter_params_by_source(self, source: str) -> ParamsDict:
        """Return the params that come from `source`."""
        return ParamsDict({name: param for name, param in self.__dict.items() if param.source == source})

    def _fill_missing_param_source(self, source: str) -> None:
        for param in self.__dict.values():
            param.source = param.source or source


def _raw(params: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return dict(params.items()) if isinstance(params, ParamsDict) else params or {}


def process_params(
    dag: Any, task: Any, dagrun_conf: Mapping[str, Any] | None, *, suppress_exception: bool
) -> dict[str, Any]:
    """Return the params a task sees: the DAG's, overridden by its own, overridden by the run's conf.

    Args:
        dag: the DAG.
        task: the task, or None for the DAG's own callbacks.
        dagrun_conf: the conf of the run; used if `[core] dag_run_conf_overrides_params` says so.
        suppress_exception: read invalid values as None instead of raising.

    Raises:
        ParamValidationError: a value is missing or does not fit its schema.
    """
    from gnomon.sdk.settings import setting

    params = copy.copy(dag.params)
    params.suppress_exception = suppress_exception or getattr(task, "params_are_a_form", False)
    if task is not None:
        params.update(copy.copy(task.params))
    if dagrun_conf and setting("core", "dag_run_conf_overrides_params", True):
        params.update(dict(dagrun_conf.items()))
    return params.validate()


class DagParam:
    """A reference to a param of the run, for use as an argument: `dag.param("x")`.

    Args:
        current_dag: the DAG it belongs to.
        name: the param.
        default: its default, set on the DAG as well.
    """

    def __init__(self, current_dag: Any, name: str, default: Any = NOTSET) -> None:
        if default is not NOTSET:
            current_dag.params[name] = default
        self.current_dag = current_dag
        self._name = name
        self._default = default

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Yield nothing: a param refers to no task."""
        return iter(())

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the value in the run.

        Raises:
            AirflowException: neither the run nor the DAG has one.
        """
        from gnomon.sdk.exceptions import AirflowException

        run = context.get("dag_run")
        conf = getattr(run, "conf", None) or {}
        if self._name in conf:
            return conf[self._name]
        if self._default is not NOTSET:
            return self._default
        if self._name in context["params"]:
            return context["params"][self._name]
        raise AirflowException(f"no value for the param {self._name!r}: neither the run nor the DAG has one")
