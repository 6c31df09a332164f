"""Output of processes that run user code."""

from __future__ import annotations

import subprocess
import sys

_CODE = """
import logging, sys
from gnomon.service.masked_output import mask_output
from gnomon.service.masking import masker
mask_output()
mask_output()
logging.basicConfig(format="%(message)s")
masker.add("hunter2-hunter2")
print("said hunter2-hunter2", end="!\\n")
logging.warning("logged %s", "hunter2-hunter2")
print(sys.stdout.write("hunter2-hunter2"), "characters")
try:
    raise ValueError("not hunter2-hunter2")
except ValueError:
    logging.exception("failed")
"""


def test_what_is_printed_and_logged_has_no_secret() -> None:
    done = subprocess.run([sys.executable, "-c", _CODE], capture_output=True, text=True, check=True)

    assert done.stdout == "said ***!\n***15 characters\n"
    assert done.stderr.startswith("logged ***\nfailed\nTraceback")
    assert done.stderr.endswith("ValueError: not ***\n")
