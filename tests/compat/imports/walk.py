"""Runs in an environment with provider packages: imports every module of one and prints what happened, a line each."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
import traceback
import warnings
from collections.abc import Iterator


def modules_of(distribution: importlib.metadata.Distribution) -> Iterator[str]:
    """Yield the modules that a provider package brings, without its example DAGs."""
    for file in distribution.files or ():
        parts = list(file.parts)
        if parts[:2] != ["airflow", "providers"] or file.suffix != ".py" or "example_dags" in parts:
            continue
        parts[-1] = file.stem
        yield ".".join(parts[:-1] if file.stem == "__init__" else parts)


def failure_of(error: BaseException) -> dict[str, object]:
    """Return what went wrong: the errors from the outermost to the first one, and the file that imported last."""
    chain = []
    one: BaseException | None = error
    while one is not None:
        chain.append({"type": type(one).__name__, "text": str(one), "name": getattr(one, "name", None)})
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    frames = [
        frame.filename for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename
    ]
    return {"chain": chain, "file": frames[-1].rpartition("site-packages/")[2]}


def main(name: str) -> None:
    """Import every module of the distribution `name`."""
    warnings.simplefilter("ignore")
    distribution = importlib.metadata.distribution(name)
    print(json.dumps({"version": distribution.version, "requires": distribution.requires or []}))
    for module in sorted(modules_of(distribution)):
        try:
            importlib.import_module(module)
        except BaseException as error:
            print(json.dumps({"module": module, **failure_of(error)}), flush=True)
        else:
            print(json.dumps({"module": module}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
