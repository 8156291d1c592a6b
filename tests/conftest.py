"""One torch thread per process, before any library loads: tests share small machines."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
