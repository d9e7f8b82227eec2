"""All benches, one after the other, or those named: python -m tests.bench [ingest] [unchanged] …"""

import sys
from importlib import import_module

ALL = ("ingest", "precision", "unchanged", "memory", "pdf", "ocr", "search", "retrieval", "quotes", "citations", "followup", "poison",
       "stale", "latency", "samples")  # fmt: skip

for name in sys.argv[1:] or ALL:
    if name not in ALL:
        sys.exit(f"No bench {name!r}. There are: {' '.join(ALL)}.")
names, sys.argv = sys.argv[1:] or list(ALL), sys.argv[:1]
for name in names:
    import_module(f"tests.bench.{name}").main()
