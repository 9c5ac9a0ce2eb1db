"""What is loaded is out of the collector's way, and what comes later is not."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, weakref
from lineshaft.app.long_lived import keep_what_is_loaded

class Part: ...
keep_what_is_loaded()
assert gc.get_freeze_count() > len(gc.get_objects())
part = Part()
part.itself, seen = part, weakref.ref(part)
del part
gc.collect()
assert seen() is None
"""


def test_loaded_is_kept_and_garbage_is_still_collected() -> None:
    """In a process of its own: frozen is for good."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=60)
