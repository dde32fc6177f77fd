"""What is compiled once is found again by every later program."""

import subprocess
import sys

KEYS = """
from hashlib import sha256
from numba.core.serialize import dumps
from engines.kernels import cpu, outcome
for driver in (cpu.run_one, cpu.run_block, outcome.list_trades):
    cells = tuple(cell.cell_contents for cell in driver.py_func.__closure__)
    print(sha256(dumps(cells)).hexdigest())
"""


def test_the_keys_of_the_cache_are_the_same_in_every_program() -> None:
    keys = {
        subprocess.run(
            [sys.executable, "-c", KEYS], check=True, capture_output=True, text=True
        ).stdout
        for _ in range(2)
    }
    assert len(keys) == 1
