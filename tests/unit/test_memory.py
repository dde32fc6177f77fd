"""A process that computes keeps the memory that it frees."""

import subprocess
import sys

ROUNDS = """
import resource, sys
import numpy as np
from cluster.memory import keep_freed_memory
if sys.argv[1] == "kept":
    assert keep_freed_memory()
def faults():
    columns = [np.ones(70_080) for _ in range(100)]
    del columns
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
faults(), faults()
before = faults()
print(faults() - before)
"""
PAGES = 100 * 70_080 * 8 // 4096


def page_faults(habit: str) -> int:
    """Return how many pages a new process has to ask for, in columns as large as it has freed."""
    command = [sys.executable, "-c", ROUNDS, habit]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_columns_come_from_memory_that_was_freed_once_a_process_keeps_it() -> None:
    assert page_faults("kept") < PAGES // 100
    assert page_faults("given back") > PAGES // 2
