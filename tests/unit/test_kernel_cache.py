"""What is compiled once is found again by every later program."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from engines.kernels._compiled import reached

KERNELS = Path(__file__).parents[2] / "engines" / "kernels"
ROOM = "engines.kernels."
DRIVERS = sorted(
    str(file.relative_to(KERNELS)).replace("/", ".").removesuffix(".py")
    for file in [KERNELS / "cpu.py", *KERNELS.glob("*/drivers.py")]
)
PLAIN = {"_compiled"}  # how it is compiled
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
    """Return the modules of the kernels from which one imports more than numbers."""
    tree = ast.parse((KERNELS / f"{module.replace('.', '/')}.py").read_text("utf-8"))
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(ROOM):
            name = node.module.removeprefix(ROOM)
            items = {item.name for item in node.names if not item.name.isupper()}
            is_folder = (KERNELS / name).is_dir()
            names |= (
                {f"{name}.{item}" for item in items} if is_folder else {name} if items else set()
            )
    return names


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_key_of_the_cache_covers_every_module_that_its_passes_can_reach(driver: str) -> None:
    found, waiting = set[str](), [driver]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += imported(module)
    covered = reached(vars(importlib.import_module(ROOM + driver)))
    assert found - PLAIN <= {name.removeprefix(ROOM) for name in covered}
