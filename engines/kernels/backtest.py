"""One run by the kernel: the same result as `backtest.run_backtest`, or a refusal.

The steps are those of `backtest`; the fourth to the sixth are one compiled pass. It is for plans
that `plan_terms.refusal` accepts and for wishes that `plan_terms.refusal_of_signals` does; a run in
which the kernel meets something that it cannot decide exactly is refused as well, so that a result
of the kernel always equals the reference's.
"""

from engines.costs import Costs
from engines.errors import PlanFault
from engines.funding import Funding, settlements_of
from engines.instrument import Instrument
from engines.kernels import slots
from engines.kernels.columns import F64_2D, Bars, Charges, Wants
from engines.kernels.cpu import LOTS_GROWTH, bars_of, run_one
from engines.kernels.outcome import Outcome
from engines.kernels.plan_terms import (
    counts_days,
    price_range,
    refusal,
    refusal_of_signals,
    terms_row,
)
from engines.kernels.wants import charges_of, ends_once, wants_of
from engines.klines import Klines
from engines.liquidation import is_liquidable
from engines.plan import Plan
from engines.rules.columns import rule_columns
from engines.types import F64_1D
from engines.wishes import MakesSignals, effective_plan, planned_signals

SPARE_ROWS = 64


def run_by_kernel(
    strategy: MakesSignals,
    klines: Klines,
    instrument: Instrument,
    plan: Plan,
    costs: Costs,
    *,
    since_ms: int | None = None,
    funding: Funding | None = None,
    mark: Klines | None = None,
) -> Outcome:
    """Trade `strategy` on `klines`; what came of it is, to the last bit, what `run_backtest` gives.

    The arguments are its own; there is no magnifier and no currency rate.
    Raises: PlanFault naming what only the reference can run.
    """
    plan = effective_plan(strategy, plan)
    _require(refusal(plan, costs, instrument, price_range(klines)))
    start_bar = 0 if since_ms is None else klines.index_at(since_ms)
    settlements = settlements_of(plan, klines, funding, mark)
    signals = planned_signals(strategy, klines, plan)
    _require(refusal_of_signals(signals, instrument))
    wants = wants_of(signals, ends_once(rule_columns(plan, klines)))
    charges = charges_of(costs, klines, instrument, settlements, counts_days(plan))
    marks = mark if is_liquidable(plan) else None
    bars = bars_of(klines, instrument.time_zone, start_bar, marks)
    run, notes = _noted(bars, wants, charges, terms_row(plan, costs, instrument, start_bar))
    if run[slots.NEEDS_REFERENCE]:
        _require("a number too large or too small to round exactly")
    return Outcome(klines, instrument, plan, costs, start_bar, bars, charges, run, notes)


def _require(reason: str | None) -> None:
    if reason is not None:
        raise PlanFault("plan of a kernel run", "settings that the kernel can run", reason)


def _noted(bars: Bars, wants: Wants, charges: Charges, terms: F64_1D) -> tuple[F64_1D, F64_2D]:
    """Return the run and all of its notes, coming again if they or its lots did not fit."""
    rows = 4 * len(wants.flat) + len(charges.settle_bar) + SPARE_ROWS
    lots = float(terms[slots.LOTS_ROOM])
    while True:
        run = run_one(bars, wants, charges, terms, lots, rows)
        noted = int(run[slots.NOTED])
        if run[slots.OVERFLOWS]:
            lots *= LOTS_GROWTH
        elif noted <= rows:
            return run, run[int(run[slots.NOTES_AT]) :].reshape(-1, slots.NOTE)[:noted]
        rows = max(rows, noted)
