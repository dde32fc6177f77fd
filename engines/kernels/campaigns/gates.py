"""What a campaign asks of the campaigns before it, and of its own result (`machine.gates`).

Theory. The rules are the machine's, on the row of the set. They are asked at each close that would
enter, held or flat, and an entry counts where it is placed. What a position has brought is the
difference of two nets, of which the rules read the sign alone: a set whose result is too near to
nothing for the noise of these sums is unsure.

An entry sized by the volatility spends a share that the close knows, one by Kelly what the rounds
until then say; one without a share is refused ahead of all rules.
"""

import math
from typing import NamedTuple

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import IS_GATED, IS_UNSURE, LAG
from engines.kernels.campaigns.kelly import begin_rounds, end_campaign
from engines.kernels.columns import Run
from engines.kernels.machine.gates import count_entry, count_round, passes_gates
from engines.kernels.money import fee, pnl_open
from engines.kernels.slots import (
    BAR,
    BY_VOLATILITY,
    CAPITAL,
    COOLDOWN_BARS,
    DAY_ENTRIES,
    DECISION_DAY,
    DELAY_BARS,
    ENTRY_DAY,
    ENTRY_WEEK,
    FEES_OPEN,
    FUNDING_OPEN,
    HALTED_DAY,
    KELLY_ROOM,
    LAST_END_BAR,
    LAST_ROUND,
    LOSSES_MAX,
    NET,
    OPEN_DAY,
    ROUND_LOSSES,
    SIZING_KIND,
    STEPS,
    TRADES_DAY_MAX,
    TRADES_WEEK_MAX,
    WEEK_ENTRIES,
    WISH_ATR,
    WISH_SHARE,
)
from engines.types import F64_1D, I64_1D

NEARLY_NOTHING = 1e-11  # of an account: far more than what its sums lose


class Closes(NamedTuple):
    """What rules ask of each bar [T]: the days of its open and close, and a share of equity.

    And what limits of a day ask: the first bar of the next trading day, and that of the first one.
    And what levels ask, the ATR; and the drawdown, the lowest signed closes of spans of bars as
    `Opens.lowest` has their prices. Each is empty where nothing asks for it.
    """

    opens: I64_1D
    closes: I64_1D
    shares: F64_1D
    next_day: I64_1D
    first_day: int
    atr: F64_1D
    lowest: F64_1D


@rule
def begin_gates(run: Run, asked: Closes) -> None:
    """Let nothing have been counted yet."""
    delays = max(run[DELAY_BARS], run[COOLDOWN_BARS])
    limits = min(run[TRADES_DAY_MAX], run[TRADES_WEEK_MAX], run[LOSSES_MAX])
    is_asked = delays > 0 or limits < math.inf
    is_asked |= run[SIZING_KIND] == BY_VOLATILITY or run[KELLY_ROOM] > 0 or len(asked.shares) > 0
    run[IS_GATED] = 1.0 if is_asked else 0.0
    begin_rounds(run)
    run[LAST_END_BAR], run[HALTED_DAY] = -math.inf, -1.0
    run[LAST_ROUND] = run[ENTRY_DAY] = run[ENTRY_WEEK] = 0.0
    run[DAY_ENTRIES] = run[WEEK_ENTRIES] = run[ROUND_LOSSES] = 0.0


@rule
def may_enter(run: Run, asked: Closes, bar: int) -> bool:
    """Return whether the rules let a wish at the close of `bar` enter, whose ATR it then has."""
    if len(asked.atr) > 0:
        run[WISH_ATR] = asked.atr[bar]
    return run[IS_GATED] == 0 or _passes_rules(run, asked, bar)


@apart
def _passes_rules(run: Run, asked: Closes, bar: int) -> bool:
    """Return whether the rules let a wish at the close of `bar` enter, whose share it then has."""
    if len(asked.shares) > 0:
        run[WISH_SHARE] = asked.shares[bar]
    if run[WISH_SHARE] <= 0:  # False where NaN: no share is asked for.
        return False
    if len(asked.closes) > 0:
        run[DECISION_DAY] = asked.closes[bar]
    return passes_gates(run, bar)


@rule
def count_placed(run: Run) -> None:
    """Count an entry that is placed at this close, if any rule asks for it."""
    if run[IS_GATED] != 0:
        count_entry(run)


@rule
def count_end(run: Run, asked: Closes, before: float) -> None:
    """Count a position that has ended in this bar, if any rule asks for it.

    `before` was the net result until then.
    """
    if run[IS_GATED] == 0:
        return
    bar = run[BAR] - run[LAG]
    if len(asked.opens) > 0:
        run[OPEN_DAY] = asked.opens[int(bar)]
    if run[KELLY_ROOM] > 0:
        end_campaign(run)
        run[LAST_END_BAR] = bar
        return
    pnl = run[NET] - before
    _doubt(run, pnl, max(abs(before), abs(run[NET])))
    run[LAST_END_BAR], run[LAST_ROUND] = bar, pnl
    count_round(run, pnl)


@rule
def is_in_profit(run: Run, close: float) -> bool:
    """Return whether the position would bring anything if it closed at this close."""
    paid = fee(run, abs(run[STEPS]), close)
    result = pnl_open(run, close) - run[FEES_OPEN] - run[FUNDING_OPEN] - paid
    _doubt(run, result, 0.0)
    return result > 0


@rule
def _doubt(run: Run, result: float, net: float) -> None:
    if abs(result) <= NEARLY_NOTHING * (run[CAPITAL] + net):
        run[IS_UNSURE] = 1.0
