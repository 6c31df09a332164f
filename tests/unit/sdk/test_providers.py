"""Provider packages, as a package on the path describes itself."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.parsing.inspection import QUESTIONS
from gnomon.sdk import provider_registry, providers
from gnomon.sdk.connection import Connection
from gnomon.sdk.connection_forms import Forms, as_param, field_type, standing_in
from gnomon.sdk.exceptions import AirflowException
from gnomon.sdk.provider_registry import LazyDictWithCache, ProvidersManager

_INFO = {
    "package-name": "apache-airflow-providers-shop",
    "name": "Shop",
    "description": "`Shop <https://shop.example/>`__\n",
    "connection-types": [
        {
            "connection-type": "shop",
            "hook-class-name": "shop_hooks.ShopHook",
            "hook-name": "Shop",
            "conn-fields": {
                "token": {"label": "Token", "schema": {"type": ["string", "null"], "format": "password"}},
                "limit": {"label": "Limit", "schema": {"type": "integer", "default": 5}},
            },
            "ui-field-behaviour": {
                "hidden-fields": ["schema"],
                "relabeling": {"login": "Customer"},
                "placeholders": {"token": "secret", "host": "shop.example"},
            },
        },
        {"connection-type": "old_shop", "hook-class-name": "shop_hooks.OldShopHook"},
        {"connection-type": "no_shop", "hook-class-name": "shop_hooks.NoSuchHook"},
    ],
    "notifications": ["shop_hooks.ShopHook", "shop_hooks.Missing"],
    "secrets-backends": ["shop_hooks.Missing"],
    "triggers": [{"integration-name": "Shop", "python-modules": ["shop_triggers"]}],
    "asset-uris": [{"schemes": ["shop", "store"], "handler": "shop_hooks.upper"}],
    "config": {"shop": {"options": {"colour": {"default": "red"}}}},
    "remote-logging": [{"scheme": "shop", "classpath": "shop_hooks.Logs"}],
}
_HOOKS = """
from gnomon.sdk.hook import BaseHook

def upper(uri):
    return uri.upper()

class ShopHook(BaseHook):
    conn_type, conn_name_attr, hook_name = "shop", "shop_conn_id", "Shop"

    def __init__(self, shop_conn_id="shop_default"):
        self.conn_id = shop_conn_id

    def test_connection(self):
        host = self.get_connection(self.conn_id).host
        return host == "shop.example", f"asked {host}"

class OldShopHook(ShopHook):
    conn_type, hook_name = "old_shop", "Old shop"

    @classmethod
    def get_connection_form_widgets(cls):
        from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
        from flask_babel import lazy_gettext
        from wtforms import BooleanField, IntegerField, PasswordField, StringField
        from wtforms.validators import NumberRange, any_of, AnyOf, Optional

        return {
            "region": StringField(lazy_gettext("Region"), widget=BS3TextFieldWidget(), validators=[AnyOf(["a", "b"])]),
            "pin": PasswordField(lazy_gettext("PIN"), widget=BS3PasswordFieldWidget()),
            "open": BooleanField(label="Open", description="or shut", default=True),
            "extra__old_shop__floor": IntegerField("Floor", validators=[Optional(), NumberRange(min=0, max=9)]),
        }

    @classmethod
    def get_ui_field_behaviour(cls):
        return {"hidden_fields": ["port"], "relabeling": {}, "placeholders": {"pin": "1234"}}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A provider package."""
    (tmp_path / "shop_provider.py").write_text(f"def get_provider_info(): return {_INFO!r}\n")
    (tmp_path / "shop_hooks.py").write_text(textwrap.dedent(_HOOKS))
    metadata = tmp_path / "Apache_Airflow_Providers_Shop-2.1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: apache-airflow-providers-shop\nVersion: 2.1\nSummary: A shop\n"
        "Project-URL: Documentation, https://shop.example/docs\n\nName: not this\n"
    )
    (metadata / "entry_points.txt").write_text(
        "[console_scripts]\nshop = shop:main\n\n[apache_airflow_provider]\nprovider_info = shop_provider:get_provider_info\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(ProvidersManager, "_instance", None)
    providers.forget()
    yield
    providers.forget()
    for name in ("shop_provider", "shop_hooks"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("shop")
class TestShop:
    def test_it_is_found_with_its_package(self) -> None:
        info = providers.provider_infos()["apache-airflow-providers-shop"]
        assert (info.version, info.summary, info.documentation_url) == ("2.1", "A shop", "https://shop.example/docs")
        assert "apache-airflow-providers-standard" in providers.provider_infos()

    def test_its_hook_is_that_of_the_connection_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_MINE", "shop://shop.example")
        connection = Connection.get("mine")
        assert type(connection.get_hook()).__name__ == "ShopHook"
        assert connection.test_connection() == (True, "asked shop.example")
        with pytest.raises(AirflowException, match='Unknown hook type "nothing"'):
            providers.hook_class_of("nothing")

    def test_hooks_by_connection_type(self) -> None:
        hooks = ProvidersManager().hooks
        shop = hooks["shop"]
        assert shop is not None
        assert (shop.hook_name, shop.connection_id_attribute_name, shop.connection_testable) == (
            "Shop",
            "shop_conn_id",
            True,
        )
        assert hooks["no_shop"] is None
        assert {"generic", "email", "fs", "package_index", "old_shop"} <= set(hooks)

    def test_what_cannot_be_imported_is_not_listed(self) -> None:
        manager = ProvidersManager()
        assert [one.notification_class_name for one in manager.notification] == ["shop_hooks.ShopHook"]
        assert manager.secrets_backend_class_names == []
        assert ("shop_triggers", "Shop") in [(one.trigger_class_name, one.integration_name) for one in manager.trigger]
        assert manager.remote_logging_handler_by_scheme("shop") == provider_registry.RemoteLoggingInfo(
            "shop_hooks.Logs", "shop", "apache-airflow-providers-shop"
        )
        assert manager.remote_logging_handler_by_scheme("moon") is None

    def test_uris(self) -> None:
        handlers = ProvidersManager().asset_uri_handlers
        assert handlers["store"]("a") == "A"
        assert handlers["file"]("a") == "a"

    def test_forms_from_metadata(self) -> None:
        forms = Forms()
        token, limit = forms.widgets["extra__shop__token"], forms.widgets["extra__shop__limit"]
        assert (token.is_sensitive, limit.is_sensitive) == (True, False)
        assert as_param(limit.field) == {
            "value": 5,
            "schema": {"type": "integer", "default": 5, "title": "Limit"},
            "description": None,
            "source": None,
        }
        assert forms.behaviours["shop"] == {
            "hidden_fields": ["schema"],
            "relabeling": {"login": "Customer"},
            "placeholders": {"extra__shop__token": "secret", "host": "shop.example"},
        }

    def test_forms_from_hooks_without_wtforms(self) -> None:
        forms = Forms()
        fields = {name: as_param(forms.widgets[f"extra__old_shop__{name}"].field) for name in ("region", "pin", "open")}
        assert fields["region"]["schema"] == {"type": ["string", "null"], "title": "Region", "enum": ["a", "b"]}
        assert fields["pin"]["schema"] == {"type": ["string", "null"], "title": "PIN", "format": "password"}
        assert forms.widgets["extra__old_shop__pin"].is_sensitive
        assert (fields["open"]["value"], fields["open"]["description"]) == (True, "or shut")
        floor = forms.widgets["extra__old_shop__floor"].field
        assert (field_type(floor), as_param(floor)["schema"]["maximum"]) == ("integer", 9)
        assert forms.behaviours["old_shop"]["placeholders"] == {"extra__old_shop__pin": "1234"}
        assert "wtforms" not in sys.modules

    def test_every_question_of_the_providers_command_has_an_answer(self) -> None:
        others = {"plugins", "test-connection", "stored-connection", "read-log", "log-url"}
        for question in sorted(QUESTIONS.keys() - others):
            assert isinstance(QUESTIONS[question](None), list), question
        (shop,) = [row for row in QUESTIONS["hook-forms"](None) if row["connection_type"] == "shop"]
        assert (shop["hook_name"], sorted(shop["extra_fields"])) == ("Shop", ["limit", "token"])
        (found,) = [row for row in QUESTIONS["providers"]("apache-airflow-providers-shop") if row["info"]]
        assert (found["description"], found["info"]["name"]) == ("Shop https://shop.example/", "Shop")
        assert found["info"]["description"] == "Shop https://shop.example/"
        assert found["info"]["documentation-url"] == "https://shop.example/docs"
        widgets = {row["connection_parameter_name"]: row["field_type"] for row in QUESTIONS["widgets"](None)}
        assert widgets["extra__shop__limit"] == "integer"
        assert widgets["extra__fs__path"] == ["string", "null"]
        behaviours = [row["field_behaviours"] for row in QUESTIONS["behaviours"](None)]
        assert behaviours == sorted(behaviours)
        configs = dict(row["provider_config"] for row in QUESTIONS["configs"](None))
        assert "venv_install_method" in configs["apache-airflow-providers-standard"]["standard"]["options"]

    def test_a_connection_is_tested_without_being_stored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_TRIED", "")  # so that it is taken away again
        about = {"conn_id": "tried", "conn_type": "shop", "host": "elsewhere"}
        assert QUESTIONS["test-connection"](about) == {"status": False, "message": "asked elsewhere"}


def test_every_module_that_the_standard_provider_names_is_there() -> None:
    info = providers.provider_infos()["apache-airflow-providers-standard"]
    kinds = ("operators", "sensors", "hooks", "triggers")
    modules = [name for kind in kinds for entry in info[kind] for name in entry["python-modules"]]
    assert len(modules) == 25
    for name in modules:
        importlib.import_module(name)


def test_stand_ins_are_there_only_for_a_while() -> None:
    with standing_in():
        import wtforms  # type: ignore[import-not-found, unused-ignore]

        assert wtforms.StringField("x").field_class.__name__ == "StringField"
    assert "wtforms" not in sys.modules
    with pytest.raises(ImportError):
        __import__("wtforms")


def test_a_lazy_dict_asks_once() -> None:
    asked = []
    lazy = LazyDictWithCache(a=lambda: asked.append("a") or 1)
    lazy["b"] = 2
    assert ("a" in lazy, len(lazy), asked) == (True, 2, [])
    assert (lazy["a"], lazy["a"], lazy["b"], asked) == (1, 1, 2, ["a"])
    del lazy["a"]
    assert list(lazy) == ["b"]
