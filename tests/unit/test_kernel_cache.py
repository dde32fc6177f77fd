"""What is compiled once is found again by every later program."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

KERNELS = Path(__file__).parents[2] / "engines" / "kernels"
KINDS = "campaign", "chain", "gate", "part", "passage", "stack", "wait"
DRIVERS = [f"{kind}_drivers" for kind in KINDS]
PLAIN = {"_compiled", "columns"}  # what no pass calls: how it is compiled, and types
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


def imported(module: str) -> set[str]:
    """Return the modules of the kernels that one imports from."""
    tree = ast.parse((KERNELS / f"{module}.py").read_text("utf-8"))
    froms = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {name.rpartition(".")[2] for name in froms if name and "engines.kernels." in name}


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_key_of_the_cache_covers_every_module_that_its_passes_can_reach(driver: str) -> None:
    reached, waiting = set[str](), [driver]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += imported(module)
    calls = [
        node for node in ast.walk(ast.parse((KERNELS / f"{driver}.py").read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        and node.func.id == "stamp_of"
    ]  # fmt: skip # of which there is one
    (stamped,) = ({own.id for own in call.args if isinstance(own, ast.Name)} for call in calls)
    assert reached - {driver} - PLAIN <= stamped
