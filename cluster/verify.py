"""Run a winner again on the reference and compare: the last word on every set that is shown.

A strategy that looks ahead wins by it, perhaps with some of its parameters alone; so a winner's
future is taken away first (`engines.causality`). Then two comparisons. The trades of the reference
against those of the kernel's single run, one by one and exactly. And the summary metrics of the
table against those measured on the reference, to `TOLERANCE` of the size of what is summed for
them, since the sums of the same trades may be taken in another order: for money that is the
capital, the results and all that was bought and sold; for ratios the same over the capital, and at
least their own size.

A set that the kernel refuses, or whose strategy places its own orders, has no second side: its row
is the reference's own, and is shown as `reference`, not as verified (`study_manifest.Winner`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray

from cluster.study import Recipe
from engines.backtest import Backtest, run_backtest
from engines.causality import check_causal
from engines.errors import LookAhead, PlanFault
from engines.kernels.backtest import run_by_kernel
from engines.kernels.summary import SUMMARY
from engines.kernels.trials import Market
from engines.metrics.measure import measure
from engines.trades import Trade
from engines.wishes import makes_signals

TOLERANCE = 1e-12
UNIT_QUOTE = "_quote"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the reference agrees with a row; `difference` shows the first one, both sides.

    `is_alone`: no kernel runs the set, so that the row is the reference's own.
    """

    is_equal: bool
    difference: str
    is_alone: bool = False


def verify_set(
    recipe: Recipe,
    market: Market,
    set_id: int,
    row: Mapping[str, float | None],
    causality_check: bool,
) -> Verdict:
    """Return what the reference says of a row's metrics (None where undefined) and trades."""
    strategy_index, plan_index = recipe.space.split(set_id)
    strategy, plan = recipe.strategy_at(strategy_index), recipe.plan_at(plan_index)
    assert strategy is not None and plan is not None, "an evaluated set is not excluded"
    if causality_check:
        try:
            check_causal(strategy, market.klines, name=recipe.strategy.cls.__name__)
        except LookAhead as fault:
            return Verdict(False, str(fault))
    terms: dict[str, Any] = {
        "since_ms": market.since_ms,
        "funding": market.funding,
        "mark": market.mark,
    }
    reference = run_backtest(
        strategy, market.klines, market.instrument, plan, market.costs, **terms
    )
    difference = first_metric_difference(reference, row)
    if not makes_signals(strategy):
        return Verdict(not difference, difference, is_alone=True)
    if not difference:
        try:
            kernel = run_by_kernel(
                strategy, market.klines, market.instrument, plan, market.costs, **terms
            ).backtest()
        except PlanFault:
            return Verdict(True, "", is_alone=True)
        difference = first_trade_difference(reference.trades, kernel.trades)
    return Verdict(not difference, difference)


def first_metric_difference(reference: Backtest, row: Mapping[str, float | None]) -> str:
    """Return the first metric of a row that the reference does not give, "" if it gives all."""
    figures = measure(reference)
    size = _money_moved(reference)
    size_ratio = size / reference.plan.capital_quote
    for name in SUMMARY:
        theirs = row[name]
        ours, theirs = figures[name], math.nan if theirs is None else theirs
        if not _is_same(ours, theirs, size if name.endswith(UNIT_QUOTE) else size_ratio):
            return f"{name}: {theirs!r} in the table, {ours!r} on the reference"
    return ""


def first_trade_difference(reference: tuple[Trade, ...], kernel: tuple[Trade, ...]) -> str:
    """Return the first trade on which two lists differ, with both sides, "" if none."""
    for number, (one, other) in enumerate(zip(reference, kernel, strict=False), start=1):
        for name, ours, theirs in zip(Trade._fields, one, other, strict=True):
            if ours != theirs and not (ours != ours and theirs != theirs):
                return (
                    f"{name} of trade {number}: {theirs!r} by the kernel, {ours!r} on the reference"
                )
    if len(reference) != len(kernel):
        return f"trades: {len(kernel)} by the kernel, {len(reference)} on the reference"
    return ""


def _money_moved(result: Backtest) -> float:
    """Return the size of the sums that money figures are made of."""
    unit = result.instrument.point_value
    sums = [
        abs(trade.pnl_quote) + trade.fee_quote + trade.qty * trade.entry_price * unit
        for trade in result.trades
    ]
    return result.plan.capital_quote + math.fsum(sums)


def _is_same(ours: float, theirs: float, size: float) -> bool:
    if ours != ours or theirs != theirs:
        return ours != ours and theirs != theirs
    return abs(ours - theirs) <= TOLERANCE * max(abs(ours), abs(theirs), size)


verify = ray.remote(verify_set)
