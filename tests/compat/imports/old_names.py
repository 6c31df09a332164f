"""Runs in an environment with provider packages: tries every old name that leads to one that is installed."""

from __future__ import annotations

import importlib
import json
import warnings

from airflow._finder import is_installed, provider_of, retired


def main() -> None:
    """Print for each name whether it works, and what was said."""
    for module in retired():
        for name, home in retired().names(module).items():
            provider = provider_of(home.module)
            if (
                name == "*"
                or provider in (None, "apache-airflow-providers-standard")
                or not is_installed(str(provider))
            ):
                continue
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    getattr(importlib.import_module(module), name)
                    said = ""
                except Exception as error:
                    said = str(error)
            categories = sorted({one.category.__name__ for one in caught if "is an old name" in str(one.message)})
            found = {"old": f"{module}.{name}", "works": not said, "said": said, "categories": categories}
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
