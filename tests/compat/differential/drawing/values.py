"""Random connections, templates, params and values."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

# --------------------------------------------------------------------------------------------------- connections

_ODD = "aB1-_./:@%?#&=+ é~[]\\\"'"
_TEXTS = st.text(_ODD, max_size=6)
_MAYBE = st.one_of(st.none(), _TEXTS)
_HOSTS = st.one_of(
    _MAYBE,
    st.sampled_from(["localhost", "DB.Example.com", "http://host", "https://host/path", "10.0.0.1", "a,b"]),
    st.sampled_from(["/var/run/socket", "host:1", "[::1]", "::1", "http://a://b"]),
)
_TYPES = st.sampled_from(
    [None, "http", "https", "postgres", "postgresql", "my_type", "my-type", "MyType", "google_cloud", ""]
)
_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 5), _TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_TEXTS, inner, max_size=2)),
    max_leaves=4,
)
_EXTRAS = st.one_of(
    st.none(),
    st.dictionaries(_TEXTS, _TEXTS, max_size=2).map(json.dumps),
    _JSON.map(json.dumps),
    st.sampled_from(["", "no json", "{", "[]", '{"a": 1}', '{"__extra__": "x"}', '{"a": ""}']),
)


@st.composite
def connection_fields(draw: Any) -> dict[str, Any]:
    """Draw the fields of a connection."""
    drawn = {
        "conn_type": draw(_TYPES),
        "host": draw(_HOSTS),
        "schema": draw(_MAYBE),
        "login": draw(_MAYBE),
        "password": draw(_MAYBE),
        "port": draw(st.sampled_from([None, None, 0, 1, 5432, 65535])),
        "extra": draw(_EXTRAS),
        "description": draw(st.sampled_from([None, "", "what for"])),
    }
    if not drawn["conn_type"] and "://" in (drawn["host"] or ""):
        drawn["conn_type"] = "http"  # without a type, Airflow takes the protocol of the host for a host
    return {name: value for name, value in drawn.items() if value is not None}


@st.composite
def connection_uris(draw: Any) -> dict[str, Any]:
    """Draw a URI, mostly a good one."""
    plain = st.text("aB1-_.%20é", max_size=5)
    parts = [
        draw(st.sampled_from(["http", "postgresql", "my-type", "a+b", "google-cloud-platform", ""])),
        draw(st.sampled_from(["://", "://", "://", ":", "", "://https://", ":///"])),
        draw(
            st.one_of(
                st.just(""), plain.map(lambda text: f"{text}@"), st.tuples(plain, plain).map(":".join).map("{}@".format)
            )
        ),
        draw(
            st.one_of(
                plain, st.sampled_from(["localhost", "Host.Example", "%2Fvar%2Frun", "[::1]", "a%2Cb", "[", "h%3A1"])
            )
        ),
        draw(st.sampled_from(["", "", ":80", ":", ":x", ":0", ":99999", "@:5"])),
        draw(st.one_of(st.just(""), plain.map("/{}".format), st.sampled_from(["/a/b", "/?", "//"]))),
        draw(
            st.sampled_from(
                [
                    "",
                    "",
                    "?a=b",
                    "?a=b&c=",
                    "?a=1&a=2",
                    "?__extra__=%7B%22a%22%3A+1%7D",
                    "?__extra__=x",
                    "?a",
                    "#f",
                    "?x=%20+y",
                ]
            )
        ),
    ]
    if not parts[0]:
        parts[1] = "://"
    assume("://" not in "".join(parts[2:]))
    # Releases of Python differ in what they make of brackets before the last @.
    assume(not (parts[3].startswith("[") and parts[4].startswith("@")))
    return {"uri": "".join(parts)}


@st.composite
def connection_texts(draw: Any) -> dict[str, Any]:
    """Draw the JSON of a connection."""
    fields = draw(connection_fields())
    if draw(st.booleans()):
        fields["extra"] = draw(_JSON)
    if draw(st.booleans()):
        fields["port"] = draw(st.sampled_from(["80", "x", 80, "", None, 8.5]))
    if not draw(st.integers(0, 5)):
        fields[draw(st.sampled_from(["id", "unknown"]))] = "x"
    return {"json": json.dumps(fields)}


# ----------------------------------------------------------------------------------------------------- templates

_EXPRESSIONS = [
    *("ds", "params.x", "params.name", "params['list']", "params.nested.a.b", "params.missing", "missing", "none"),
    *(
        "number",
        "number + 1",
        "number / 2",
        "number ~ text",
        "flag",
        "not flag",
        "text",
        "text * 2",
        "thing",
        "thing.name",
    ),
    *("thing._one", "thing.__class__", "params.nested", "delta", "day", "logical_date", "logical_date.year", "answer"),
    *("logical_date | ds", "logical_date | ds_nodash", "logical_date | ts", "logical_date | ts_nodash", "none | ds"),
    *(
        "logical_date | ts_nodash_with_tz",
        "day | ds",
        "text | upper",
        "text | twice",
        "shout(text)",
        "missing | default('x')",
    ),
    *(
        "params.list | join(',')",
        "params.list | sum",
        "params.list | length",
        "params.list[-1]",
        "params.list | tojson",
    ),
    *("macros.ds_add(ds, number)", "macros.ds_format(ds, '%Y-%m-%d', '%d.%m.%y')", "macros.datetime(2024, 1, 2)"),
    *(
        "macros.timedelta(days=1)",
        "(logical_date + macros.timedelta(days=1)).isoformat()",
        "macros.json.dumps(params.list)",
    ),
    *("macros.ds_add(ds, 'x')", "macros.yaml.safe_load('a: 1')", "macros.dateutil.parser.parse(ds)", "macros.unknown"),
    *(
        "macros.ds_format_locale(ds, '%Y-%m-%d', 'd MMMM yyyy', 'de_DE')",
        "[1, 2]",
        "{'a': number}",
        "'1'",
        "1.5",
        "'None'",
    ),
    *(
        "macros.datetime_diff_for_humans(logical_date, logical_date)",
        "'[1, 2]'",
        "text | safe",
        '"a\'b"',
        "range(3) | list",
    ),
]
_PIECES = st.one_of(
    st.sampled_from(_EXPRESSIONS).map("{{{{ {} }}}}".format),
    st.sampled_from(_EXPRESSIONS).map("{{{{ {} }}}}".format),
    st.sampled_from(_EXPRESSIONS).map("{{{{- {} -}}}}".format),
    st.sampled_from(["text", " ", "\n", "{% if flag %}yes{% else %}no{% endif %}", "{# note #}", "1", "[", "]", ", "]),
    st.sampled_from(
        ["{% for i in params.list %}{{ i }},{% endfor %}", "{% set a = 3 %}{{ a }}", "{{ ", "{% if %}", "}}"]
    ),
    st.sampled_from(["{% raw %}{{ x }}{% endraw %}", "{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(1) }}"]),
)
_TEMPLATES = st.lists(_PIECES, min_size=1, max_size=3).map("".join)
_FIELDS = st.recursive(
    st.one_of(_TEMPLATES, _TEMPLATES, st.none(), st.integers(-3, 3), st.booleans(), st.just("")),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["list", "tuple", "set"]), inner, inner).map(list),
        st.dictionaries(st.sampled_from(["a", "{{ ds }}", ""]), inner, min_size=1, max_size=2),
        inner.map(lambda one: ["literal", one]),
    ),
    max_leaves=4,
)


@st.composite
def templates(draw: Any) -> dict[str, Any]:
    """Draw a field and what it is rendered with."""
    return {
        "field": draw(_FIELDS),
        "native": draw(st.booleans()),
        "lenient": not draw(st.integers(0, 3)),
        "newline": not draw(st.integers(0, 5)),
        "moment": draw(st.sampled_from(["2024-02-29T01:02:03+00:00", "2025-12-31T23:59:59.123456+00:00"])),
        "text": draw(st.sampled_from(["text", "", "1", "[1]", "tä{{ ds }}", "<b>", "True"])),
        "number": draw(st.sampled_from([0, 3, -1])),
    }


# -------------------------------------------------------------------------------------------------------- params

_SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(
            ["string", "integer", "number", "boolean", "array", "object", "null", ["null", "string"]]
        ),
        "minimum": st.integers(-2, 3),
        "maxLength": st.integers(0, 5),
        "enum": st.sampled_from([[1, 2], ["a", "b"], [None, "a"]]),
        "format": st.sampled_from(["date", "date-time", "time", "email", "uri", "ipv4", "multiline"]),
        "pattern": st.sampled_from(["^a"]),
        "items": st.sampled_from([{"type": "integer"}, {"type": "string"}]),
        "title": st.just("A title"),
        "description": st.just("What it is"),
        "const": st.sampled_from([1, "a"]),
        "required": st.sampled_from([["a"]]),
    },
)
_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10),
    st.sampled_from(
        [1.5, "a", "b", "abcdef", "", "2024-02-30", "2024-02-29", "2024-02-29T00:00:00Z", "12:00:00", "x@y.z"]
    ),
    st.sampled_from([[1], ["a"], [], {"a": 1}, {}, "http://a", "not a uri", "1.2.3.4", "2024-02-29T00:00:00", "12:00"]),
)


@st.composite
def params(draw: Any) -> dict[str, Any]:
    """Draw a Param and values for it."""
    return {
        "schema": draw(_SCHEMAS),
        "has_default": draw(st.booleans()) or draw(st.booleans()),
        "default": draw(_VALUES),
        "values": draw(st.lists(_VALUES, max_size=3)),
    }


@st.composite
def params_together(draw: Any) -> dict[str, Any]:
    """Draw several params, and what they are set to."""
    names = st.sampled_from(["x", "y", "z"])
    simple = st.fixed_dictionaries({}, optional={"type": st.sampled_from(["string", "integer", ["null", "integer"]])})
    return {
        "params": draw(st.lists(st.tuples(names, _VALUES, simple).map(list), max_size=3)),
        "set": draw(st.lists(st.tuples(names, _VALUES).map(list), max_size=3)),
    }


# -------------------------------------------------------------------------------------------------------- values

_MOMENT_TEXTS = st.sampled_from(
    ["2024-03-31T00:30:00+00:00", "2024-10-27T00:30:00.500000+00:00", "1969-07-20T20:17:00+00:00"]
)
_ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
_ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.text('aé\u2603\n"{', max_size=4),
    st.sampled_from(["1.5", "-0.0", "1e300"]).map(lambda text: ["float", text]),
    st.sampled_from(["1.25", "-3", "0.001"]).map(lambda text: ["decimal", text]),
    _MOMENT_TEXTS.map(lambda text: ["datetime", text]),
    st.tuples(st.sampled_from(["zoned", "pendulum"]), _MOMENT_TEXTS, _ZONES).map(list),
    _MOMENT_TEXTS.map(lambda text: ["naive", text]),
    _MOMENT_TEXTS.map(lambda text: ["date", text]),
    st.sampled_from([0, 1.5, -86400, 1e6]).map(lambda seconds: ["delta", seconds]),
    st.integers(0, 2**128 - 1).map(lambda number: ["uuid", number]),
    st.sampled_from([["colour"], ["one"], ["level"], ["object"], ["bytes"]]),
)
_NESTED = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).flatmap(
            lambda some: st.sampled_from(["list", "tuple", "set", "frozenset", "dict", "keys"]).map(
                lambda kind: [kind, *some]
            )
        ),
        st.tuples(inner, inner).map(lambda two: ["pair", *two]),
    ),
    max_leaves=5,
)


def xcoms() -> st.SearchStrategy[dict[str, Any]]:
    """Draw a value that a task returns."""
    return _NESTED.map(lambda value: {"value": value})
