"""Sums rounded once, as `math.fsum` makes them: the results of positions and of Kelly's window.

Theory. A sum is kept exactly, as a few doubles that do not overlap, the smallest first: adding a
value passes it through all of them and keeps what each addition lost. The doubles lie in the run,
behind their number. `total_of` adds them up from the largest down and stops at the first that does
not fit; if that one lies at a tie, the sign of the next decides. Sums of money need three or four
doubles; one that needed more than there is room for is left to the reference.
Source: Shewchuk (1997), "Adaptive precision floating-point arithmetic"; CPython's `math.fsum`.
"""

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.slots import NEEDS_REFERENCE, PARTS_MAX


@rule
def add_exactly(run: Run, total: int, value: float) -> None:
    """Add `value` to the sum at the place `total`."""
    kept = total + 1
    for place in range(total + 1, total + 1 + int(run[total])):
        other = run[place]
        large, small = (value, other) if abs(value) >= abs(other) else (other, value)
        value = large + small
        lost = small - (value - large)
        if lost != 0:
            run[kept] = lost
            kept += 1
    if value != 0:
        if kept > total + PARTS_MAX:
            run[NEEDS_REFERENCE] = 1.0
            return
        run[kept] = value
        kept += 1
    run[total] = kept - total - 1


@rule
def total_of(run: Run, total: int) -> float:
    """Return the sum at the place `total`, rounded once."""
    place = total + int(run[total])
    if place == total:
        return 0.0
    value, lost = run[place], 0.0
    while place > total + 1 and lost == 0:
        place -= 1
        large = value
        value = large + run[place]
        lost = run[place] - (value - large)
    if place > total + 1 and lost * run[place - 1] > 0:
        doubled = 2 * lost
        beyond = value + doubled
        if doubled == beyond - value:
            return beyond
    return value
