from __future__ import annotations

import pytest

from gnomon.cli import dockerfile
from gnomon.cli.errors import CommandError


def read(tmp_path, text):
    (tmp_path / "Dockerfile").write_text(text)
    return dockerfile.read(tmp_path / "Dockerfile")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("quay.io/astronomer/astro-runtime:5.3.0", 2),
        ("quay.io/astronomer/astro-runtime:5.3.0-base", 2),
        ("quay.io/astronomer/astro-runtime:12.1.0", 2),
        ("quay.io/astronomer/astro-runtime:13.2.0", 2),
        ("astrocrpublic.azurecr.io/runtime:3.1-4", 3),
        ("astrocrpublic.azurecr.io/runtime:3.0-1-base", 3),
        ("apache/airflow:2.11.2", 2),
        ("apache/airflow:slim-3.1.0", None),
        ("apache/airflow:3.1.0-python3.12", 3),
        ("localhost:5000/company/image", None),
        ("company/etl:7", None),
        (None, None),
    ],
)
def test_the_tag_chooses_the_generation(image, expected):
    assert dockerfile.profile(image) == expected


def test_a_missing_dockerfile_is_empty(tmp_path):
    assert dockerfile.read(tmp_path / "Dockerfile") == dockerfile.Dockerfile()


def test_env_lines_in_all_their_forms(tmp_path):
    found = read(
        tmp_path,
        "FROM --platform=linux/amd64 runtime:3.1-4\n"
        "# ENV NOT=this\n"
        'ENV A=1 B="two words" C=x\\ y\n'
        "env OLD style with spaces\n"
        "ENV LONG=1 \\\n    LONGER=2\n",
    )

    assert found.image == "runtime:3.1-4"
    assert found.env == {
        "A": "1", "B": "two words", "C": "x y", "OLD": "style with spaces", "LONG": "1", "LONGER": "2",
    }  # fmt: skip


def test_spaces_around_the_equals_sign_are_meant_as_none(tmp_path):
    found = read(tmp_path, "FROM runtime:3.1-4\nENV AIRFLOW__WEBSERVER__INSTANCE__NAME = ProdEnv\n")

    assert found.env == {"AIRFLOW__WEBSERVER__INSTANCE__NAME": "ProdEnv"}
    assert found.warnings[0].startswith("Dockerfile:2: ENV AIRFLOW__WEBSERVER__INSTANCE__NAME = … is read as")


def test_only_the_last_stage_counts(tmp_path):
    found = read(tmp_path, "FROM python:3.12 AS build\nENV A=1\nFROM runtime:3.1-4\nENV B=2\nRUN make\n")

    assert (found.image, found.env) == ("runtime:3.1-4", {"B": "2"})
    assert found.ignored == ["Dockerfile:5: RUN takes effect in an image only"]


@pytest.mark.parametrize("line", ['ENV A="open', "ENV A=1 B", "ENV A"])
def test_a_wrong_env_line_is_named(tmp_path, line):
    with pytest.raises(CommandError, match=r"^Dockerfile:2: ENV "):
        read(tmp_path, f"FROM x\n{line}\n")


def test_a_file_without_an_image_is_an_empty_one(tmp_path):
    assert read(tmp_path, "") == dockerfile.Dockerfile()
    assert read(tmp_path, "ENV A=1\n").env == {"A": "1"}
