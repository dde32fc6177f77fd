"""Compile the GPU's kernel to PTX for the devices that we name, on a machine that has none.

`make ptx` runs it in an environment of its own with numba-cuda and NVVM, which nothing else here
needs. What is asked is that the rules compile, for the smallest row that `gpu` has (the others
differ by a constant), and that no product is fused into a sum.
"""

import re
import sys
import time
from types import SimpleNamespace
from typing import Any

CAPABILITIES = (8, 0), (9, 0)
BARS, PLANS = 2_000, 1


def main() -> int:
    """Compile, say what came of it, and return the exit code."""
    wrong = [text for capability in CAPABILITIES if (text := _wrong_with(capability))]
    for text in wrong:
        print(text, file=sys.stderr)
    return 1 if wrong else 0


def _wrong_with(capability: tuple[int, int]) -> str:
    """Return what is wrong with the assembly for a device, "" if nothing is."""
    from numba import cuda
    from numba.cuda import dispatcher

    from engines.kernels import _cuda, gpu
    from engines.kernels.tables import tables_of
    from tests.device.workloads import workloads

    untyped: Any = dispatcher  # whose device is asked for its capability, and there is none
    untyped.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    work = workloads(BARS, PLANS)[0]
    signature = _cuda.types_of(work.bars, tables_of(work.wants[:1]), work.charges)
    started = time.perf_counter()
    with _cuda.compiling():
        assembly, _ = cuda.compile(
            _cuda.many_of(gpu.ROOMS[0]), signature, device=False, abi="numba", cc=capability
        )
    name = f"compute capability {capability[0]}.{capability[1]}"
    target = re.search(r"\.target sm_(\d+)", assembly)
    if target is None or target[1] != f"{capability[0]}{capability[1]}":
        return f"{name}: expected assembly for it, found {target and target[0]}"
    if (fused := _cuda.fused(assembly)) is not None:
        return f"{name}: expected products and sums that are rounded apart, found {fused}"
    print(f"{name}: {len(assembly):,} characters, {time.perf_counter() - started:.0f} s")
    return ""


if __name__ == "__main__":
    sys.exit(main())
