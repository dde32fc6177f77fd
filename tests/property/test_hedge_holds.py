"""A hedged run is a long run and a short run side by side, and its money conserves."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.backtest import Backtest, run_backtest
from engines.klines import Klines
from engines.plan import Exits, PositionMode, Sizing, SizingKind, Trailing
from engines.signals import Signals
from engines.trades import Trade
from tests.property.strategies_random import BARS_MAX, Case, Wishes, case_of, one_of

EXAMPLES = 150
SIDES = ("long", "short")


@dataclass(frozen=True)
class OneSide:
    """The wishes of one side alone."""

    wishes: Wishes
    side: str

    def signals(self, klines: Klines) -> Signals:
        """Return them, the other side's taken away."""
        whole = self.wishes.signals(klines)
        none = np.zeros(len(klines), dtype=np.bool_)
        if self.side == "long":
            return replace(whole, entry_short=none, exit_short=none)
        return replace(whole, entry_long=none, exit_long=none)


def hedge_case(seed: int, bars: int) -> Case:
    """Return a random run of wishes in hedge mode."""
    case, source = case_of(seed, bars), np.random.default_rng([seed, 6])
    exits = Exits(
        stop_loss_ratio=one_of(source, (None, 0.01, 0.03)),
        take_profit_ratio=one_of(source, (None, 0.01, 0.03)),
        trailing=one_of(source, (None, None, Trailing(0.005, 0.005))),
    )
    plan = replace(
        case.plan,
        position_mode=PositionMode.HEDGE,
        exits=exits,
        intraday_fills_max=None,
        intraday_loss_ratio_max=None,
        intraday_loss_quote_max=None,
    )
    return replace(case, plan=plan, wishes=Wishes(seed))


def run(case: Case, side: str = "") -> Backtest:
    """Trade the case, or its wishes of one side with one net position."""
    wishes = case.wishes
    assert wishes is not None
    plan = replace(case.plan, position_mode=PositionMode.NET) if side else case.plan
    return run_backtest(
        OneSide(wishes, side) if side else wishes, case.klines, case.instrument, plan, case.costs,
        magnifier=case.magnifier, rates=case.rates,
    )  # fmt: skip # who and where, then what may be missing


def bare(trade: Trade) -> Trade:
    """Return a trade without the account's result, which counts the other side too."""
    return trade._replace(cumulative_quote=0.0)


CASES = st.builds(hedge_case, st.integers(0, 2**32 - 1), st.integers(2, BARS_MAX))


@settings(max_examples=EXAMPLES)
@given(case=CASES)
def test_hedged_run_has_the_trades_of_a_long_run_and_of_a_short_run(case: Case) -> None:
    ample = replace(case.plan, capital_quote=1e8, sizing=Sizing(SizingKind.QTY, 2.0))
    case = replace(case, plan=ample)
    both = run(case)
    for side, sign in zip(SIDES, (1, -1), strict=True):
        alone = [bare(trade) for trade in run(case, side).trades]
        assert [bare(trade) for trade in both.trades if trade.side == sign] == alone


@settings(max_examples=EXAMPLES)
@given(case=CASES)
def test_money_of_a_hedged_run_conserves(case: Case) -> None:
    result, capital = run(case), case.plan.capital_quote
    pnl = sum(trade.pnl_quote for trade in result.trades)
    due = sum(t.fee_quote - t.fee_entry_quote for t in result.trades if t.is_open)
    noise = 1e-9 * max(capital, sum(fill.qty * fill.price for fill in result.fills))
    assert abs(capital + pnl + due - result.equity_quote[-1]) <= noise
    if result.trades:
        assert abs(result.trades[-1].cumulative_quote - pnl) <= noise
    order = [trade.exit_bar for trade in result.trades if not trade.is_open]
    assert order == sorted(order)
    assert [fill.bar_index for fill in result.fills] == sorted(f.bar_index for f in result.fills)
    if case.rates is None:
        unit, bars = case.instrument.point_value, len(case.klines)
        cash, qty = np.zeros(bars), np.zeros(bars)
        for fill in result.fills:
            cash[fill.bar_index] -= fill.side * fill.qty * fill.price * unit + fill.fee_quote
            qty[fill.bar_index] += fill.side * fill.qty
        equity = capital + cash.cumsum() + qty.cumsum() * case.klines.close * unit
        np.testing.assert_allclose(result.equity_quote, equity, rtol=0, atol=noise)
