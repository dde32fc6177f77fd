"""The GPU's kernel in CUDA's simulator: the same numbers as the CPU's, bit for bit.

The simulator is chosen when Numba is imported, so it runs in a process of its own (`simulate_gpu`).
It rounds as the CPU does: that nothing is fused on a device, `tests.device.check_gpu` shows there.
"""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_gpu_in_the_simulator_equals_cpu_on_random_plans() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.property.simulate_gpu"]
    own = {"NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("equal:"), done.stdout
