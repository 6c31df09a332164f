"""The script that provider packages send into containers."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from gnomon.sdk.standard.sent_script import SERIALIZERS, write_python_script

DOUBLE = "def double(n: int | None = 4):\n    assert n, 'nothing to double'\n    return 2 * n\n"


def run(folder, arguments):
    with (folder / "in").open("wb") as file:
        if arguments:
            pickle.dump(arguments, file)
    context = {
        "op_args": (arguments or {}).get("args"),
        "op_kwargs": (arguments or {}).get("kwargs"),
        "pickling_library": "pickle",
        "python_callable": "double",
        "python_callable_source": DOUBLE,
        "expect_airflow": True,
        "string_args_global": False,
    }
    write_python_script(jinja_context=context, filename=str(folder / "script.py"))
    command = [sys.executable, folder / "script.py", folder / "in", folder / "out", "none", folder / "error"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(None, 8), ({"args": [5], "kwargs": {}}, 10), ({"args": [], "kwargs": {"n": 6}}, 12)],
)
def test_it_hands_over_arguments_and_the_result(tmp_path, arguments, expected):
    assert run(tmp_path, arguments).returncode == 0
    assert pickle.loads((tmp_path / "out").read_bytes()) == expected


def test_an_error_is_written_where_it_is_asked_for(tmp_path):
    done = run(tmp_path, {"args": [0], "kwargs": {}})
    assert done.returncode == 1
    assert "AssertionError: nothing to double" in done.stderr
    assert (tmp_path / "error").read_text() == "nothing to double"
    assert not (tmp_path / "out").exists()


def test_serializers_are_known_by_name_and_imported_when_needed():
    assert list(SERIALIZERS) == ["pickle", "dill", "cloudpickle"]
    assert len(SERIALIZERS) == 3
    assert SERIALIZERS["pickle"] is pickle
    assert "marshal" not in SERIALIZERS
    with pytest.raises(KeyError):
        SERIALIZERS["marshal"]
