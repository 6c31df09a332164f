"""Jinja templates in operator arguments; jinja2 is imported with the first template that is rendered."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2

    from gnomon.sdk.dag import DAG

log = logging.getLogger(__name__)


class Templater:
    """Something with `template_fields`: attributes whose strings are rendered before it is used."""

    template_fields: Collection[str] = ()
    template_ext: Sequence[str] = ()

    def get_template_env(self, dag: DAG | None = None) -> jinja2.Environment:
        """Return the Jinja environment of `dag`, or a plain one."""
        return dag.get_template_env() if dag is not None else environment()

    def prepare_template(self) -> None:
        """Change the content of template files before it is rendered; for subclasses."""

    def resolve_template_files(self) -> None:
        """Replace names of template files (by `template_ext`) with their content."""
        endings = tuple(self.template_ext or ())
        if endings:
            for field in self.template_fields:
                content = getattr(self, field, None)
                if isinstance(content, str) and content.endswith(endings):
                    setattr(self, field, self._source(content, field))
                elif isinstance(content, list):
                    content[:] = [
                        self._source(item, field) if isinstance(item, str) and item.endswith(endings) else item
                        for item in content
                    ]
        self.prepare_template()

    def _source(self, name: str, field: str) -> str:
        env = self.get_template_env()
        try:
            if env.loader is None:
                return name
            return env.loader.get_source(env, name)[0]
        except Exception:
            log.exception("Failed to read the template file %r of field %r", name, field)
            return name

    def render_template(
        self,
        content: Any,
        context: Mapping[str, Any],
        jinja_env: jinja2.Environment | None = None,
        seen_oids: set[int] | None = None,
    ) -> Any:
        """Return `content` with every string in it rendered.

        Args:
            content: a string, or a list, tuple, set or dict (its values) of what may be rendered, an XComArg, or an
                object with `template_fields`, which is rendered in place.
            context: the names that templates can use.
            jinja_env: the environment to render in; the DAG's own if left out.
            seen_oids: ids of objects that are rendered already, against circles.
        """
        env = jinja_env if jinja_env is not None else self.get_template_env()
        seen = set() if seen_oids is None else seen_oids
        return self._render_value(content, context, env, seen)

    def _render_value(self, value: Any, context: Mapping[str, Any], env: jinja2.Environment, seen: set[int]) -> Any:
        if id(value) in seen:
            return value
        if isinstance(value, str):
            is_file = bool(self.template_ext) and value.endswith(tuple(self.template_ext))
            if not is_file and "{" not in value and not _custom_syntax(env):
                # Nothing to render, save what Jinja does to the text around: it drops one newline at the end.
                return _without_last_newline(value, env)
            template = env.get_template(value) if is_file else env.from_string(value)
            return render(template, context)
        if isinstance(value, os.PathLike):
            return self._render_path(value, context, env)
        resolve = getattr(value, "resolve", None)
        if resolve is not None:
            return resolve(context)
        if type(value) is tuple:
            return tuple([self._render_value(item, context, env, seen) for item in value])
        if isinstance(value, tuple):  # a named tuple
            return type(value)(*[self._render_value(item, context, env, seen) for item in value])
        if isinstance(value, list):
            return [self._render_value(item, context, env, seen) for item in value]
        if isinstance(value, dict):
            return {key: self._render_value(item, context, env, seen) for key, item in value.items()}
        if isinstance(value, set):
            return {self._render_value(item, context, env, seen) for item in value}
        if (fields := getattr(value, "template_fields", None)) and not isinstance(value, type):
            seen.add(id(value))
            self._do_render_template_fields(value, fields, context, env, seen)
        return value

    def _render_path(self, value: Any, context: Mapping[str, Any], env: jinja2.Environment) -> Any:
        if hasattr(value, "conn_id") and "{" in str(value):  # an ObjectStoragePath
            return type(value)(render(env.from_string(str(value)), context), conn_id=value.conn_id)
        return value

    def _do_render_template_fields(
        self,
        parent: Any,
        template_fields: Iterable[str],
        context: Mapping[str, Any],
        jinja_env: jinja2.Environment,
        seen_oids: set[int],
    ) -> None:
        for name, value in _given_fields(parent, template_fields):
            try:
                if callable(value) and not hasattr(value, "resolve"):
                    rendered = value(context=context, jinja_env=jinja_env)
                else:
                    rendered = self._render_value(value, context, jinja_env, seen_oids)
            except Exception:
                from gnomon.service.masking import masker

                owner = f"task {parent.task_id!r}" if hasattr(parent, "task_id") else type(parent).__name__
                log.exception("Cannot render the template field %r of %s: %r", name, owner, masker.redact(value))
                raise
            setattr(parent, name, rendered)


def _given_fields(parent: Any, fields: Iterable[str]) -> Iterator[tuple[str, Any]]:
    for name in fields:
        try:
            value = getattr(parent, name)
        except AttributeError:
            raise AttributeError(
                f"{name!r} is a template field, but {type(parent).__name__} has no such attribute"
            ) from None
        try:
            if not value:
                continue
        except Exception:
            # Some objects have no truth value (a data frame); those are rendered.
            log.debug("the truth of the template field %r cannot be told", name)
        yield name, value


# ---------------------------------------------------------------------------------------- the environment


def _filter(format: Callable[[Any], str]) -> Callable[[Any], str | None]:
    return lambda value: None if value is None else format(value)


FILTERS: dict[str, Callable[[Any], str | None]] = {
    "ds": _filter(lambda value: value.strftime("%Y-%m-%d")),
    "ds_nodash": _filter(lambda value: value.strftime("%Y%m%d")),
    "ts": _filter(lambda value: value.isoformat()),
    "ts_nodash": _filter(lambda value: value.strftime("%Y%m%dT%H%M%S")),
    "ts_nodash_with_tz": _filter(lambda value: value.isoformat().replace("-", "").replace(":", "")),
}

_classes: tuple[Any, Any] | None = None


def environment_classes() -> tuple[Any, Any]:
    """Return (SandboxedEnvironment, NativeEnvironment): `_x` may be read in templates, `__x` may not."""
    global _classes
    if _classes is None:
        import jinja2.nativetypes
        import jinja2.sandbox

        class SandboxedEnvironment(jinja2.sandbox.SandboxedEnvironment):
            def __init__(self, **options: Any) -> None:
                super().__init__(**options)
                self.filters.update(FILTERS)

            def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
                return not jinja2.sandbox.is_internal_attribute(obj, attr)

        class NativeEnvironment(jinja2.nativetypes.NativeEnvironment):
            def __init__(self, **options: Any) -> None:
                super().__init__(**options)
                self.filters.update(FILTERS)

        _classes = SandboxedEnvironment, NativeEnvironment
    return _classes


def __getattr__(name: str) -> Any:
    if name in ("SandboxedEnvironment", "NativeEnvironment"):
        return environment_classes()[name == "NativeEnvironment"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def environment(
    *,
    native: bool = False,
    searchpath: Sequence[str] | None = None,
    undefined: type[jinja2.Undefined] | None = None,
    options: Mapping[str, Any] | None = None,
    macros: Mapping[str, Any] | None = None,
    filters: Mapping[str, Any] | None = None,
) -> jinja2.Environment:
    """Return a Jinja environment with Airflow's filters.

    Args:
        native: templates give Python objects rather than strings.
        searchpath: folders with template files.
        undefined: what an unknown name is; jinja2.StrictUndefined unless given.
        options: further arguments of jinja2.Environment.
        macros: further global names.
        filters: further filters.
    """
    import jinja2

    arguments: dict[str, Any] = {
        "undefined": undefined or jinja2.StrictUndefined,
        "extensions": ["jinja2.ext.do"],
        "cache_size": 0,
    }
    if searchpath:
        arguments["loader"] = jinja2.FileSystemLoader(list(searchpath))
    arguments.update(options or {})
    env = environment_classes()[native](**arguments)
    env.globals.update(macros or {})
    env.filters.update(filters or {})
    return env


def create_template_env(
    *,
    native: bool = False,
    searchpath: list[str] | None = None,
    template_undefined: Any = None,
    jinja_environment_kwargs: dict[str, Any] | None = None,
    user_defined_macros: dict[str, Any] | None = None,
    user_defined_filters: dict[str, Any] | None = None,
) -> jinja2.Environment:
    """Return a Jinja environment, with the argument names that Airflow's providers use."""
    return environment(
        native=native,
        searchpath=searchpath,
        undefined=template_undefined,
        options=jinja_environment_kwargs,
        macros=user_defined_macros,
        filters=user_defined_filters,
    )


def _is_native(env: Any) -> bool:
    return type(env).__name__ == "NativeEnvironment"


def _custom_syntax(env: Any) -> bool:
    return (env.block_start_string, env.variable_start_string, env.comment_start_string) != ("{%", "{{", "{#") or bool(
        env.line_statement_prefix or env.line_comment_prefix
    )


def _without_last_newline(value: str, env: Any) -> Any:
    if _is_native(env):
        # A native environment reads a literal such as "[1, 2]" or "1" as what it says.
        return env.from_string(value).render()
    if "\r" in value:
        return env.from_string(value).render()
    return value[:-1] if value.endswith("\n") and not env.keep_trailing_newline else value


def render(template: jinja2.Template, context: Mapping[str, Any]) -> Any:
    """Render a template; values of the context are computed only when the template names them."""
    env = template.environment
    # dict(context) would compute each lazy value; jinja takes any mapping that has keys, through `new_context`.
    names = _LazyNames(context, template.globals)
    scope = env.context_class(env, names, template.name, template.blocks)
    try:
        parts = template.root_render_func(scope)
        if _is_native(env):
            from jinja2.nativetypes import native_concat

            return native_concat(parts)
        return "".join(parts)
    except Exception:
        env.handle_exception()


render_template_to_string = render
render_template_as_native = render


class _LazyNames(dict[str, Any]):
    """The names of a template: globals, then the context, whose values are fetched when they are first used."""

    def __init__(self, context: Mapping[str, Any], globals_: Mapping[str, Any]) -> None:
        super().__init__(globals_)
        self._context = context

    def __missing__(self, key: str) -> Any:
        return self._context[key]

    def __contains__(self, key: object) -> bool:
        return key in self._context or dict.__contains__(self, key)

    def __getitem__(self, key: str) -> Any:
        if key in self._context:
            return self._context[key]
        return dict.__getitem__(self, key)


class LiteralValue:
    """A value that is not rendered.

    Args:
        value: what the field holds in the end.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"LiteralValue(value={self.value!r})"

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """Yield nothing: a literal refers to no task."""
        return iter(())

    def resolve(self, context: Mapping[str, Any]) -> Any:
        """Return the value as it is."""
        return self.value


def literal(value: Any) -> LiteralValue:
    """Return `value` wrapped so that it is not rendered as a template."""
    return LiteralValue(value)
