"""Random sets for the GPU's kernel and the CPU's, and their comparison bit by bit.

The simulator's test and the check on a device share this; see `test_gpu_equals_cpu`.
"""

from dataclasses import dataclass

import numpy as np

from engines.errors import PlanFault
from engines.funding import constant_funding, settlements_of
from engines.kernels import slots
from engines.kernels.columns import F64_2D, I64_2D, Bars, Charges, Wants
from engines.kernels.cpu import LOTS_GROWTH, bars_of, run_one
from engines.kernels.gpu import GpuRuns
from engines.kernels.plan_terms import (
    counts_days,
    price_range,
    refusal,
    refusal_of_signals,
    terms_row,
)
from engines.kernels.summary import FIGURES
from engines.kernels.wants import charges_of, wants_of
from engines.plan import Market
from engines.rules.columns import rule_columns
from engines.types import F64_1D, I64_1D
from engines.wishes import effective_plan, planned_signals
from tests.property.test_kernel_equals_reference import Terms, mark_of
from tests.property.test_plans_hold import Wishes, klines_of_seed

# All that a run holds in the end, but for its length, the figures, which follow from the sums, and
# the places that a run need not use.
LEFT_OUT = {slots.NOTES_AT, *range(slots.FOUND, slots.FOUND + FIGURES)}
STATE: I64_1D = np.array(sorted(set(range(slots.TERMS, slots.COLD)) - LEFT_OUT))


@dataclass(frozen=True)
class Sets:
    """Sets of one market: each a place among the wants and one among the terms."""

    bars: Bars
    charges: Charges
    wants: list[Wants]
    terms: F64_2D
    sets: I64_2D


def sets_of(terms: Terms, seed: int, wishes: int) -> Sets | None:
    """Return runs of a plan by several wishes on the bars of a seed, None if the plan forbids."""
    klines = klines_of_seed(seed, terms.bars)
    funding = None
    if terms.funding_rate is not None and terms.plan.market is Market.LINEAR:
        funding = constant_funding(terms.funding_rate, terms.funding_hours, klines)
    plan = effective_plan(Wishes(seed), terms.plan)
    mark = mark_of(klines, seed) if terms.has_mark else None
    try:
        rules = rule_columns(plan, klines)
        settlements = settlements_of(plan, klines, funding, mark)
    except PlanFault:  # Bars of an hour can close outside hours that half an hour would meet.
        return None
    assert refusal(plan, terms.costs, terms.instrument, price_range(klines)) is None
    signals = [planned_signals(Wishes(seed + place), klines, plan) for place in range(wishes)]
    signals = [made for made in signals if refusal_of_signals(made, terms.instrument) is None]
    if not signals:
        return None
    return Sets(
        bars_of(klines, terms.instrument.time_zone, mark=mark),
        charges_of(terms.costs, klines, terms.instrument, settlements, counts_days(plan)),
        [wants_of(made, rules) for made in signals],
        terms_row(plan, terms.costs, terms.instrument)[np.newaxis],
        np.array([(place, 0) for place in range(len(signals))], dtype=np.int64),
    )


def by_cpu(sets: Sets) -> F64_2D:
    """Return what each set holds in the end on the CPU [N, K]."""
    return np.stack([_state(sets, want, terms) for want, terms in sets.sets.tolist()])


def _state(sets: Sets, want: int, terms: int) -> F64_1D:
    row = sets.terms[terms]
    lots = float(row[slots.LOTS_ROOM])
    while True:
        run = run_one(sets.bars, sets.wants[want], sets.charges, row, lots, 0)
        if not run[slots.OVERFLOWS]:
            return run[STATE]
        lots *= LOTS_GROWTH


def by_gpu(sets: Sets) -> F64_2D:
    """Return what each set holds in the end on the GPU, or its simulator [N, K]."""
    runs = GpuRuns(sets.bars, sets.charges)
    found, ran = runs.run(sets.wants, sets.terms, sets.sets, STATE)
    assert ran.all(), "lots of these sets fit"
    return found


def differences(ours: F64_2D, theirs: F64_2D) -> list[tuple[str, str]]:
    """Return the values that differ in any bit but a NaN's: which of a run, and what each is."""
    same = (ours == theirs) & (np.signbit(ours) == np.signbit(theirs))
    same |= np.isnan(ours) & np.isnan(theirs)
    return [
        (
            f"sum {slot - slots.SUMS}" if slots.SUMS <= slot < slots.FOUND else f"state {slot}",
            f"set {row}: GPU {ours[row, place].hex()}, CPU {theirs[row, place].hex()}",
        )
        for row, place in np.argwhere(~same).tolist()
        for slot in [int(STATE[place])]
    ]


def place_of(slot: int) -> int:
    """Return where STATE has a place of the run."""
    return int(np.searchsorted(STATE, slot))
