from __future__ import annotations

from collections import namedtuple

import jinja2
import pytest

from gnomon.sdk import DAG, literal
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.standard.python import PythonOperator
from gnomon.sdk.templating import FILTERS, Templater, environment

Point = namedtuple("Point", "x y")


class Inner:
    template_fields = ("text",)

    def __init__(self, text):
        self.text = text


class Op(BaseOperator):
    template_fields = ("value",)
    template_ext = (".sql",)

    def __init__(self, *, value, **kwargs):
        super().__init__(**kwargs)
        self.value = value


def render(value, context=None, **dag):
    with DAG("d", **dag):
        op = Op(task_id="t", value=value)
    op.render_template_fields(context or {"name": "world", "items": [1, 2]})
    return op.value


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("hello {{ name }}", "hello world"),
        (["{{ name }}", 1, None], ["world", 1, None]),
        (("{{ name }}",), ("world",)),
        ({"{{ name }}"}, {"world"}),
        ({"{{ name }}": "{{ name }}"}, {"{{ name }}": "world"}),
        ([{"a": ("{{ name }}",)}], [{"a": ("world",)}]),
        (Point("{{ name }}", 2), Point("world", 2)),
        (5, 5),
        ("no template\n", "no template"),
        ("{% for i in items %}{{ i }}{% endfor %}", "12"),
        ("{% do items.append(3) %}{{ items | length }}", "3"),
        ("{# gone #}", ""),
    ],
)
def test_strings_are_rendered_wherever_they_are(template, expected):  # mistake 35
    assert render(template) == expected


def test_nested_template_fields_are_rendered_in_place():  # mistake 35
    inner = Inner("{{ name }}")

    render([inner])

    assert inner.text == "world"


def test_a_circle_of_objects_ends():
    inner = Inner(None)
    inner.text = [inner, "{{ name }}"]

    render(inner)

    assert inner.text[1] == "world"


def test_an_unknown_name_is_an_error():  # mistake 35
    with pytest.raises(jinja2.UndefinedError, match="nope"):
        render("{{ nope }}")
    assert render("{{ nope }}", template_undefined=jinja2.Undefined) == ""


def test_one_underscore_may_be_read_and_two_may_not():  # mistake 35
    class Thing:
        _private = "fine"

    assert render("{{ thing._private }}", {"thing": Thing()}) == "fine"
    with pytest.raises(jinja2.exceptions.SecurityError):
        render("{{ thing.__class__ }}", {"thing": Thing()})


def test_a_callable_field_is_called_with_context_and_environment():  # mistake 35
    def make(context, jinja_env):
        return [context["name"], isinstance(jinja_env, jinja2.Environment)]

    assert render(make) == ["world", True]


def test_false_fields_are_left_alone():  # mistake 35
    assert render("") == ""
    assert render(0) == 0
    assert render([]) == []


def test_an_object_without_a_truth_value_is_rendered():
    class Frame:
        template_fields = ("text",)
        text = "{{ name }}"

        def __bool__(self):
            raise ValueError("ambiguous")

    frame = Frame()
    render(frame)

    assert frame.text == "world"


def test_a_literal_is_not_rendered():
    assert render(literal("{{ name }}")) == "{{ name }}"


def test_a_file_is_read_only_by_its_ending(tmp_path):  # mistake 35
    (tmp_path / "q.sql").write_text("select '{{ name }}'")
    (tmp_path / "q.txt").write_text("no")

    assert render("q.sql", template_searchpath=str(tmp_path)) == "select 'world'"
    assert render("q.txt", template_searchpath=[str(tmp_path)]) == "q.txt"
    assert render(["q.sql"], template_searchpath=str(tmp_path)) == ["select 'world'"]
    with pytest.raises(jinja2.TemplateNotFound, match=r"missing\.sql"):
        render("missing.sql", template_searchpath=str(tmp_path))


def test_resolving_files_before_rendering(tmp_path):
    (tmp_path / "q.sql").write_text("{{ name }}")
    with DAG("d", template_searchpath=str(tmp_path)) as dag:
        op = Op(task_id="t", value=["q.sql", "x"])

    dag.resolve_template_files()

    assert op.value == ["{{ name }}", "x"]


def test_macros_filters_and_options_of_the_dag():
    options = {
        "user_defined_macros": {"shout": str.upper},
        "user_defined_filters": {"twice": lambda text: text * 2},
        "jinja_environment_kwargs": {"keep_trailing_newline": True},
    }

    assert render("{{ shout(name) }} {{ name | twice }}\n", **options) == "WORLD worldworld\n"
    assert render("plain\n", **options) == "plain\n"


def test_native_templates_give_objects():
    context = {"items": [1, 2], "name": "n"}

    assert render("{{ items }}", context, render_template_as_native_obj=True) == [1, 2]
    assert render("[1, 2]", context, render_template_as_native_obj=True) == [1, 2]
    assert render("{{ items }}", context) == "[1, 2]"


def test_a_task_may_differ_from_its_dag():
    with DAG("d", render_template_as_native_obj=False):
        op = Op(task_id="t", value="{{ 1 + 1 }}", render_template_as_native_obj=True)

    op.render_template_fields({})

    assert op.value == 2


def test_filters(runner):
    template = "{{ logical_date | ds }} {{ logical_date | ds_nodash }} {{ logical_date | ts_nodash }} {{ none | ds }}"

    with DAG("d") as dag:
        PythonOperator(
            task_id="t",
            python_callable=lambda text: text,
            op_args=[template.replace("none", "dag_run.end_date")],
        )

    assert runner.run_and_return(dag, "t") == "2024-03-10 20240310 20240310T000000 None"
    assert set(FILTERS) == {"ds", "ds_nodash", "ts", "ts_nodash", "ts_nodash_with_tz"}


def test_macros_in_templates(runner):
    with DAG("d") as dag:
        PythonOperator(
            task_id="t",
            python_callable=lambda *args: list(args),
            op_args=[
                "{{ macros.ds_add(ds, 5) }}",
                "{{ macros.ds_format(ds, '%Y-%m-%d', '%d/%m') }}",
                "{{ macros.json.dumps([1]) }}",
                "{{ (logical_date + macros.timedelta(days=1)) | ds }}",
                "{{ 0 <= macros.random() < 1 }}",
                "{{ macros.uuid.UUID(int=1) }}",
            ],
        )

    assert runner.run_and_return(dag, "t") == [
        "2024-03-15", "10/03", "[1]", "2024-03-11", "True", "00000000-0000-0000-0000-000000000001",
    ]  # fmt: skip


def test_a_name_that_is_not_used_is_not_worked_out():
    class Context(dict):
        def __missing__(self, key):
            raise AssertionError(f"{key} was worked out")

        def __contains__(self, key):
            return key in ("costly", "cheap")

    assert render("{{ cheap }}", Context(cheap=1)) == "1"


def test_a_missing_attribute_is_named():
    class Wrong(BaseOperator):
        template_fields = ("not_there",)

    with pytest.raises(AttributeError, match="'not_there' is a template field, but Wrong"):
        Wrong(task_id="t").render_template_fields({})


def test_an_error_is_logged_with_task_and_field(caplog):
    with pytest.raises(jinja2.TemplateSyntaxError):
        render("{{ open")

    assert "'value' of task 't'" in caplog.text


def test_templater_by_itself():
    class Thing(Templater):
        template_fields = ("a",)

    assert Thing().render_template("{{ x }}", {"x": 1}) == "1"
    assert environment(native=True).from_string("{{ 1 }}").render() == 1
