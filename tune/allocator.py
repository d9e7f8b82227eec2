"""The allocator that a training on a CPU runs with: tcmalloc where the machine has it.

Each step takes and gives back thousands of pieces of memory of many sizes. The C library's allocator hands large ones back to the
system each time, and asks for them anew; told to keep them, it leaves gaps, and after some hundred steps a training is half as fast and
twice as large. tcmalloc (Debian: libtcmalloc-minimal4) does neither; vLLM's documentation advises it for the same reason.
"""

import os
import sys
from ctypes.util import find_library

NAMES = ("tcmalloc_minimal", "tcmalloc")


def use_tcmalloc() -> None:
    """Start this command anew with tcmalloc, which must be there before the first piece of memory is taken; nothing where there is none."""
    loaded = os.environ.get("LD_PRELOAD", "")
    found = next((library for name in NAMES if sys.platform == "linux" and (library := find_library(name))), None)
    if found and "malloc" not in loaded:  # any other that somebody chose stays
        os.environ["LD_PRELOAD"] = f"{found}:{loaded}".rstrip(":")
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself
