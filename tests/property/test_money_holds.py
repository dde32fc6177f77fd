"""Money conserves, whatever is said and whatever it costs: fees, funding, slippage, liquidation.

The random runs are those of the broker's other promises, put on leverage, with a funding history, a
mark price, every slippage model, a liquidation fee and a limit to the drawdown. Equity is computed
again from the fills and the payments alone, and funding again from the fills and the rates alone.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.backtest import Backtest, run_backtest
from engines.broker import Broker
from engines.costs import CommissionKind, Costs, SlippageKind
from engines.funding import Funding
from engines.klines import HOUR_MS, Klines
from engines.margin import MarginTier
from engines.plan import Exits, MarginMode
from engines.trades import ExitReason
from tests.property.strategies_random import (
    BARS_MAX,
    START_MS,
    Case,
    Chatter,
    case_of,
    one_of,
)

EXAMPLES, EXAMPLES_LONG = 100, 4_000
TIERS = (
    MarginTier(3_000.0, 0.01, leverage_max=50.0),
    MarginTier(20_000.0, 0.02, leverage_max=20.0),
    MarginTier(1e9, 0.05, leverage_max=10.0),
)


@dataclass(frozen=True)
class MoneyCase:
    """A random run with everything that money can be paid for."""

    case: Case
    funding: Funding
    mark: Klines | None

    def run(self) -> Backtest:
        """Trade it."""
        case = self.case
        return run_backtest(
            case.wishes or Chatter(case.says), case.klines, case.instrument, case.plan, case.costs,
            magnifier=case.magnifier, rates=case.rates, funding=self.funding, mark=self.mark,
        )  # fmt: skip # who and where, then what may be missing

    @property
    def rates(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return account currency per quote [T]."""
        bars = len(self.case.klines)
        return np.ones(bars) if self.case.rates is None else self.case.rates

    def first(self, bars: int) -> "MoneyCase":
        """Return the same run on the first `bars` bars."""
        return replace(self, case=self.case.first(bars))


def noise_of(money: MoneyCase, result: Backtest) -> float:
    """Return what float noise may amount to: it grows with what is turned over."""
    turnover = sum(fill.qty * fill.price for fill in result.fills)
    return 1e-9 * max(1.0, money.case.plan.capital_quote, turnover)


def money_case(seed: int, bars: int) -> MoneyCase:
    """Return the case of a seed."""
    case, source = case_of(seed, bars), np.random.default_rng([seed, 5])
    leverage = one_of(source, (1.0, 1.0, 5.0, 20.0, 50.0))
    plan = case.plan
    if leverage > 1:  # Then it is the leverage that says what is borrowed.
        plan = replace(plan, margin_long_ratio=1.0, margin_short_ratio=1.0)
    plan = replace(
        plan,
        leverage=leverage,
        margin_mode=one_of(source, list(MarginMode)),
        exits=_exits(source, case),
    )
    costs = _costs(source, case.costs)
    instrument = replace(case.instrument, margin_tiers=TIERS)
    case = replace(case, plan=plan, costs=costs, instrument=instrument)
    hours = np.unique(source.integers(-2, 4 * bars + 2, int(source.integers(0, 2 * bars))))
    # Some settlements lie between two opens.
    times = START_MS + HOUR_MS * hours + (source.random(len(hours)) < 0.2) * (HOUR_MS // 2)
    rates = np.round(source.normal(0.0, 0.01, len(hours)).clip(-0.5, 0.5), 4)
    funding = Funding(times.astype(np.int64), rates)
    return MoneyCase(case, funding, _mark(source, case.klines))


def _exits(source: np.random.Generator, case: Case) -> Exits:
    ratio = one_of(source, (None, None, 0.05, 0.3))
    return replace(case.plan.exits, drawdown_ratio_max=ratio)


def _costs(source: np.random.Generator, costs: Costs) -> Costs:
    kind = one_of(source, list(SlippageKind))
    ticks = costs.slippage_ticks if kind is SlippageKind.TICKS else 0
    fee = one_of(source, (None, 0.0, 0.01))
    return replace(costs, slippage_kind=kind, slippage_ticks=ticks, liquidation_fee_ratio=fee)


def _mark(source: np.random.Generator, klines: Klines) -> Klines | None:
    """Return mark bars near the traded ones, none, or only the first half."""
    kind = one_of(source, ("none", "all", "half"))
    if kind == "none":
        return None
    stop = len(klines) if kind == "all" else len(klines) // 2 or 1
    shift = 1 + source.normal(0.0, 0.005, stop)
    cut = klines.between(0, stop)
    return Klines(
        "M", klines.interval_ms, cut.open_time_ms, open=cut.open * shift, high=cut.high * shift,
        low=cut.low * shift, close=cut.close * shift, volume=cut.volume,
    )  # fmt: skip # one bar, moved


def check_equity(money: MoneyCase) -> None:
    """Equity at each close is capital, the cash of fills and payments, and what is held."""
    case, result = money.case, money.run()
    if case.rates is not None:
        return
    bars, unit = len(case.klines), case.instrument.point_value
    cash, qty = np.zeros(bars), np.zeros(bars)
    for fill in result.fills:
        cash[fill.bar_index] -= fill.side * fill.qty * fill.price * unit + fill.fee_quote
        qty[fill.bar_index] += fill.side * fill.qty
    for payment in result.payments:
        cash[payment.bar_index] -= payment.paid_quote
    equity = case.plan.capital_quote + cash.cumsum() + qty.cumsum() * case.klines.close * unit
    np.testing.assert_allclose(result.equity_quote, equity, rtol=0, atol=noise_of(money, result))


def check_results(money: MoneyCase) -> None:
    """Capital and the results of trades make the equity at the end; trades carry all that was paid.

    An open trade is listed with the commission that closing it would cost, which equity has not.
    """
    case, result = money.case, money.run()
    noise = noise_of(money, result)
    pnl = sum(trade.pnl_quote for trade in result.trades)
    due = sum(t.fee_quote - t.fee_entry_quote for t in result.trades if t.is_open)
    assert case.plan.capital_quote + pnl + due == pytest.approx(
        result.equity_quote[-1], rel=0, abs=noise
    )
    assert sum(t.funding_quote for t in result.trades) == pytest.approx(
        sum(p.paid_quote for p in result.payments), rel=0, abs=noise
    )
    assert sum(t.slippage_quote for t in result.trades) == pytest.approx(
        sum(f.slippage_quote for f in result.fills), rel=0, abs=noise
    )
    carried = sum(t.fee_entry_quote if t.is_open else t.fee_quote for t in result.trades)
    assert carried == pytest.approx(sum(f.fee_quote for f in result.fills), rel=0, abs=noise)
    closed = [trade for trade in result.trades if not trade.is_open]
    if closed and not any(trade.is_open for trade in result.trades):
        net = sum(trade.pnl_quote for trade in closed)
        assert closed[-1].cumulative_quote == pytest.approx(net, rel=0, abs=noise)


def check_payments(money: MoneyCase) -> None:
    """Each settlement is paid once by what was held from the bar before, or after the open.

    What an open fills and the path fills cannot be told apart by bars alone, so settlements inside
    a bar are judged where the bar filled nothing.
    """
    case, result = money.case, money.run()
    klines, unit = case.klines, case.instrument.point_value
    held = np.zeros(len(klines) + 1)
    filled = {fill.bar_index for fill in result.fills}
    for fill in result.fills:
        held[fill.bar_index + 1] += fill.side * fill.qty
    before = np.round(held.cumsum() / case.instrument.qty_step) * case.instrument.qty_step
    paid = {payment.time_ms: payment for payment in result.payments}
    assert len(paid) == len(result.payments)
    for time_ms, rate in zip(money.funding.time_ms.tolist(), money.funding.rate, strict=True):
        inside = np.flatnonzero((klines.open_time_ms <= time_ms) & (time_ms < klines.close_time_ms))
        if not len(inside):
            assert time_ms not in paid
            continue
        bar = int(inside[0])
        if time_ms > klines.open_time_ms[bar] and bar in filled:
            continue
        qty = float(before[bar])
        if qty == 0:
            assert time_ms not in paid
            continue
        payment = paid[time_ms]
        assert payment.signed_qty == pytest.approx(qty, rel=1e-12)
        owed = qty * payment.mark_price * unit * money.rates[bar] * rate
        assert payment.paid_quote == pytest.approx(owed, rel=1e-9, abs=1e-12)


def check_slippage(money: MoneyCase) -> None:
    """Slippage only ever costs, and every fill lies on a tick and a step."""
    case, result = money.case, money.run()
    for fill in result.fills:
        assert fill.slippage_quote >= 0
        assert fill.price == case.instrument.price_of(round(fill.price / case.instrument.tick_size))
        assert fill.qty == case.instrument.qty_of(round(fill.qty / case.instrument.qty_step))
        assert fill.price > 0
        if case.costs.commission_kind is CommissionKind.RATIO and fill.name != "Liquidation":
            notional = fill.qty * fill.price * case.instrument.point_value
            owed = notional * money.rates[fill.bar_index] * case.costs.commission
            assert fill.fee_quote == pytest.approx(owed, rel=1e-12)


def check_liquidation(money: MoneyCase) -> None:
    """Only leverage liquidates; isolated, a liquidation takes the margin and no more."""
    case, result = money.case, money.run()
    names = [fill.name for fill in result.fills]
    if case.plan.leverage == 1:
        assert "Liquidation" not in names
        return
    assert "Margin call" not in names
    unit = case.instrument.point_value
    groups: dict[tuple[int, str, float], list[float]] = {}
    for trade in result.trades:
        if trade.exit_reason is ExitReason.LIQUIDATION and not trade.is_open:
            gross = trade.side * (trade.exit_price - trade.entry_price) * trade.qty * unit
            margin = trade.qty * trade.entry_price * unit / case.plan.leverage
            sums = groups.setdefault((trade.exit_bar, trade.exit_name, trade.exit_price), [0, 0])
            sums[0] += gross
            sums[1] += margin
    for gross, margin in groups.values() if case.plan.margin_mode is MarginMode.ISOLATED else ():
        assert gross >= -margin - 1e-6


def check_drawdown(money: MoneyCase) -> None:
    """After the largest drawdown nothing fills any more."""
    result = money.run()
    names = [fill.name for fill in result.fills]
    for place, name in enumerate(names):
        if name.startswith("Close Position (Max drawdown"):
            assert place == len(names) - 1


def check_repetition(money: MoneyCase) -> None:
    """A run that plays also the bars in which nothing waits gives the same."""
    first = money.run()
    with (
        patch.object(Broker, "is_quiet", lambda self, bar_index: False),
        patch.object(Broker, "next_busy", lambda self, start, stop: start),
        patch.object(Broker, "_is_untouched", lambda self, high, low: False),
    ):
        noisy = money.run()
    assert noisy.fills == first.fills
    assert noisy.trades == first.trades
    assert noisy.payments == first.payments
    assert (noisy.equity_quote == first.equity_quote).all()


def check_truncation(money: MoneyCase) -> None:
    """Taking bars away at the end changes nothing that was before."""
    whole, cut = money.run(), len(money.case.klines) // 2 or 1
    part = money.first(cut).run()
    assert part.fills == tuple(fill for fill in whole.fills if fill.bar_index < cut)
    assert part.payments == tuple(p for p in whole.payments if p.bar_index < cut)
    np.testing.assert_allclose(part.equity_quote, whole.equity_quote[:cut], rtol=1e-9, atol=1e-6)


CHECKS = (
    check_equity,
    check_results,
    check_payments,
    check_slippage,
    check_liquidation,
    check_drawdown,
    check_repetition,
    check_truncation,
)
CASES = st.builds(money_case, st.integers(0, 2**32 - 1), st.integers(2, BARS_MAX))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@settings(max_examples=EXAMPLES)
@given(money=CASES)
def test_money_holds_its_promise(check: Callable[[MoneyCase], None], money: MoneyCase) -> None:
    check(money)


@pytest.mark.long
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@settings(max_examples=EXAMPLES_LONG)
@given(money=CASES)
def test_money_holds_its_promise_on_thousands(
    check: Callable[[MoneyCase], None], money: MoneyCase
) -> None:
    check(money)
