"""The home and the runtime directory."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gnomon.service import home


def test_the_home_defaults_to_airflow_in_the_users_home(monkeypatch):
    monkeypatch.delenv("AIRFLOW_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    assert home.airflow_home() == Path("/home/somebody/airflow")


def test_the_runtime_directory_is_short_private_and_per_home(airflow_home, monkeypatch, tmp_path):
    first = home.runtime_dir()
    assert first == home.runtime_dir()
    assert len(os.fsencode(first)) <= 40
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700
    deep = tmp_path / ("x" * 120)
    monkeypatch.setenv("AIRFLOW_HOME", str(deep))
    second = home.runtime_dir()
    assert second != first
    assert len(os.fsencode(second)) <= 40
    second.rmdir()


def test_two_spellings_of_one_home_meet(airflow_home, monkeypatch, tmp_path):
    first = home.runtime_dir()
    link = tmp_path / "link"
    link.symlink_to(airflow_home)
    monkeypatch.setenv("AIRFLOW_HOME", f"{link}/.")
    assert home.runtime_dir() == first


def test_a_link_in_its_place_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(home, "_RUNTIME_ROOT", tmp_path)
    (tmp_path / "theirs").mkdir()
    (tmp_path / f"gnomon-{os.getuid()}").symlink_to(tmp_path / "theirs")
    with pytest.raises(home.HomeError, match="is not a directory of user"):
        home.runtime_dir()


def test_open_permissions_are_closed(monkeypatch, tmp_path):
    monkeypatch.setattr(home, "_RUNTIME_ROOT", tmp_path)
    (tmp_path / f"gnomon-{os.getuid()}").mkdir(mode=0o755)
    home.runtime_dir()
    assert stat.S_IMODE((tmp_path / f"gnomon-{os.getuid()}").stat().st_mode) == 0o700
