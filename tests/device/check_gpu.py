"""Check the GPU's kernel on a machine that has one: equality with the CPU, then speed.

Run from a checkout: `PYTHONPATH=. python3 -m tests.device.check_gpu --json FILE`. Every part stands
alone: one that fails prints its traceback, the others go on, and the exit code is 1 in the end.
`--small` shrinks everything, for a rehearsal in CUDA's simulator (NUMBA_ENABLE_CUDASIM=1).
"""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

if not {"CUDA_HOME", "CUDA_PATH"} & os.environ.keys() and Path("/usr/local/cuda").is_dir():
    os.environ["CUDA_HOME"] = "/usr/local/cuda"  # where NVVM lies if no wheel brings it
if not hasattr(np, "row_stack"):  # NumPy 2.5 has dropped it, and numba-cuda 0.30 still names it.
    setattr(np, "row_stack", np.vstack)  # noqa: B010 # an attribute that NumPy's types deny

import numba
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from engines.kernels import gpu, slots
from engines.kernels.cpu import run_many
from engines.kernels.summary import FIGURES, SUMS_SIZE, TRADES
from engines.kernels.tables import tables_of
from tests.device.workloads import BARS, STRATEGIES, Workload, workloads
from tests.property.gpu_cases import Sets, by_cpu, by_gpu, differences, place_of, sets_of
from tests.property.test_kernel_equals_reference import Terms
from tests.property.test_kernel_equals_reference import terms as random_terms

KEPT = np.arange(slots.SUMS, slots.SUMS + SUMS_SIZE)  # what a summary is made of
SECONDS_MAX = 100.0  # a timing that would take longer is left out, and said so
SECONDS_IN_ALL = 330.0  # no further variant is begun after this
STARTED = time.perf_counter()
SIZES = 10_000, 100_000, 1_000_000
TEN_TIMES = 6.0  # as long at most: 10,000 threads leave most of a large GPU idle
PACKAGES = "numpy numba numba-cuda llvmlite cuda-bindings cuda-core cupy-cuda13x hypothesis"

Report = dict[str, Any]  # JSON


def versions(given_arguments: argparse.Namespace) -> Report:
    """Return what the machine is and has."""
    found: Report = {"python": platform.python_version(), "cores": os.cpu_count()}
    for name in PACKAGES.split():
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = None
    print(found, flush=True)
    if not given_arguments.small:
        from numba import cuda  # here, so that a failure is this part's
        from numba.cuda.cudadrv import nvvm

        print("CUDA_HOME", os.environ.get("CUDA_HOME"), "driver:", cuda.cuda_error(), flush=True)
        print("NVVM", nvvm.NVVM().get_version(), flush=True)
        device = cuda.get_current_device()
        found["device"] = getattr(device.name, "decode", lambda: str(device.name))()
        found["compute capability"] = str(device.compute_capability)
        found["multiprocessors"] = device.MULTIPROCESSOR_COUNT
        found["driver"] = str(cuda.cudadrv.driver.driver.get_version())
    found["why not"] = gpu.why_not()
    assert found["why not"] is None, found["why not"]
    return found


def compilation(given_arguments: argparse.Namespace) -> Report:
    """Compile the kernel; return how long that takes and what a thread needs."""
    work = _workloads(given_arguments)[0]
    start = time.perf_counter()
    kernel = gpu.kernel_of(gpu.ROOMS[0], _signature(work))
    found: Report = {"seconds": time.perf_counter() - start}
    if not given_arguments.small:
        (made,) = kernel.overloads.values()
        found["registers"] = made.regs_per_thread
        found["local bytes"] = made.local_mem_per_thread
        found["threads a block at most"] = made.max_threads_per_block
        text = made.library.get_asm_str()
        found["PTX lines"], found["fused"] = text.count("\n"), text.count("fma.rn.f64")
    return found


def equality_on_random_plans(given_arguments: argparse.Namespace) -> Report:
    """Run random plans on random bars and wishes on both; every number must be the same."""
    examples, wishes = (5, 3) if given_arguments.small else (1_000, 32)
    count = {"plans": 0, "sets": 0, "trades": 0}
    wrong: Counter[str] = Counter()
    first: dict[str, str] = {}

    @settings(
        max_examples=examples, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(HealthCheck), phases=[Phase.generate],
    )  # fmt: skip # one list
    @given(terms=random_terms(), seed=st.integers(0, 2**31))
    def compare(terms: Terms, seed: int) -> None:
        sets = sets_of(terms, seed, wishes)
        if sets is None:
            return
        theirs = by_cpu(sets)
        count["plans"] += 1
        count["sets"] += len(theirs)
        count["trades"] += int(theirs[:, place_of(slots.SUMS + TRADES)].sum())
        for place, said in differences(by_gpu(sets), theirs):
            wrong[place] += 1
            first.setdefault(place, f"{said}; {terms}, seed {seed}")

    start = time.perf_counter()
    compare()
    for place, times in wrong.most_common(40):
        print(f"  {place} differs in {times} sets, first in {first[place]}", flush=True)
    seconds, most = time.perf_counter() - start, dict(wrong.most_common(20))
    report: Report = count | {"wrong": most, "seconds": seconds}
    assert not wrong, report
    assert count["trades"] > count["plans"]
    return report


def equality_on_workloads(given_arguments: argparse.Namespace) -> Report:
    """Run some sets of every workload on both; every number must be the same."""
    report: Report = {}
    for work in _workloads(given_arguments):
        terms = work.terms(9 if given_arguments.small else 25)
        sets = work.sets(len(terms))
        chosen = sets[np.random.default_rng(1).permutation(len(sets))[:400]]
        both = Sets(work.bars, work.charges, work.wants, terms, chosen)
        theirs = by_cpu(both)
        found = differences(by_gpu(both), theirs)
        trades = float(theirs[:, place_of(slots.SUMS + TRADES)].mean())
        wrong = dict(Counter(place for place, _ in found).most_common(20))
        report[work.name] = {"sets": len(chosen), "trades a set": trades, "wrong": wrong}
        print(f"  {work.name}: {report[work.name]} {found[:3]}", flush=True)
    assert not any(row["wrong"] for row in report.values()), "see above"
    return report


def timings(given_arguments: argparse.Namespace) -> Report:
    """Time every workload at every size, the copies to and fro included, and the CPU beside it."""
    report: Report = {}
    for work in _workloads(given_arguments):
        runs = gpu.GpuRuns(work.bars, work.charges)
        rows: Report = {}
        expected = 0.0
        for size in SIZES[:1] if given_arguments.small else SIZES:
            if expected > SECONDS_MAX:
                rows[f"{size:,}"] = f"left out, would take {expected:.0f} s"
                continue
            terms = work.terms(size // len(work.wants) if not given_arguments.small else 4)
            sets = work.sets(len(terms))
            seconds = min(_seconds(runs, work, terms, sets) for _ in range(1 + (expected < 2.0)))
            rows[f"{size:,}"] = {"sets": len(sets), "s": seconds, "sets/s": len(sets) / seconds}
            expected = seconds * TEN_TIMES
            print(f"  {work.name}, {len(sets):,} sets: {len(sets) / seconds:,.0f}/s", flush=True)
        rows["CPU"] = _by_many_cores(work, given_arguments.small)
        print(f"  {work.name}, CPU: {rows['CPU']}", flush=True)
        report[work.name] = rows
    return report


def variants(given_arguments: argparse.Namespace) -> Report:
    """Time other builds of the kernel on one workload."""
    if given_arguments.small:
        return {}
    from tests.device.variants import VARIANTS  # here, since a rehearsal cannot compile

    work = _workloads(given_arguments)[0]
    used = gpu.kernel_of
    runs, terms = gpu.GpuRuns(work.bars, work.charges), work.terms(400)
    sets, report = work.sets(len(terms)), {}
    for name, build in VARIANTS.items():
        if time.perf_counter() - STARTED > SECONDS_IN_ALL:
            report[name] = {"left out": "no time"}
            continue
        try:
            start = time.perf_counter()
            kernel = build(gpu.ROOMS[0], _signature(work))
            setattr(gpu, "kernel_of", lambda *_, kernel=kernel: kernel)  # noqa: B010 # a stand-in
            row: Report = {"compile s": time.perf_counter() - start}
            for threads in (32, 64, 128, 256):
                gpu.BLOCK = threads
                row[f"{threads} a block, sets/s"] = len(sets) / _seconds(runs, work, terms, sets)
        except Exception:  # One build that fails must not hide the others.
            traceback.print_exc()
            row = {"failed": traceback.format_exc(limit=1)}
        report[name] = row
        print(f"  {name}: {row}", flush=True)
    gpu.kernel_of = used
    return report


def _signature(work: Workload) -> tuple[Any, ...]:
    from engines.kernels import _cuda  # here, so that a failure is one part's

    return _cuda.types_of(work.bars, tables_of(work.wants[:1]), work.charges)


def _seconds(runs: gpu.GpuRuns, work: Workload, terms: Any, sets: Any) -> float:
    start = time.perf_counter()
    runs.run(work.wants, terms, sets, KEPT)
    return time.perf_counter() - start


def _by_many_cores(work: Workload, small: bool) -> Report:
    """Time the CPU's kernel on all cores: some plans of every strategy."""
    terms = work.terms(4 if small else 100)
    sums = np.empty((len(terms), FIGURES + 1))
    run_many(work.bars, work.wants[0], work.charges, terms[:1], sums[:1])
    start = time.perf_counter()
    for wants in work.wants[:20]:
        run_many(work.bars, wants, work.charges, terms, sums)
    seconds, count = time.perf_counter() - start, len(terms) * len(work.wants[:20])
    return {"threads": numba.get_num_threads(), "sets": count, "sets/s": count / seconds}


_MADE: list[Workload] = []


def _workloads(given_arguments: argparse.Namespace) -> list[Workload]:
    if not _MADE:
        small = given_arguments.small
        _MADE.extend(workloads(2_000, 3) if small else workloads(BARS, STRATEGIES))
    return _MADE


PARTS: tuple[Callable[[argparse.Namespace], Report], ...] = (
    versions, compilation, equality_on_random_plans, equality_on_workloads, timings, variants,
)  # fmt: skip # one list


def main() -> int:
    """Run every part, print what it found and write it all down."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # of packages whose versions here nobody chose
    report: Report = {}
    failed = []
    for part in PARTS:
        start = time.perf_counter()
        print(f"== {part.__name__}", flush=True)
        try:
            report[part.__name__] = part(arguments)
        except Exception:  # The other parts must still run.
            traceback.print_exc()
            report[part.__name__] = {"failed": traceback.format_exc()}
            failed.append(part.__name__)
        print(f"   {time.perf_counter() - start:.1f} s: {report[part.__name__]}", flush=True)
        arguments.json.write_text(json.dumps(report, indent=1, default=str) + "\n")
    _print_table(report)
    print("FAILED: " + ", ".join(failed) if failed else "ALL PARTS PASSED")
    return 1 if failed else 0


def _print_table(report: Report) -> None:
    for name, rows in report.get("timings", {}).items():
        if not isinstance(rows, dict):
            continue
        cells = [
            f"{size} sets: {row['sets/s']:,.0f}/s" if isinstance(row, dict) else f"{size}: {row}"
            for size, row in rows.items()
        ]
        print(f"{name:30} " + "  ".join(cells))


if __name__ == "__main__":
    sys.exit(main())
