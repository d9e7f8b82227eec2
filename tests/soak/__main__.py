"""All torments, one after the other: python -m tests.soak"""

import sys

from tests.soak import hostile, kills, writers

sys.exit(max(kills.main(), writers.main(), hostile.main()))
