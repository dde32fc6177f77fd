"""Hedge mode: a long and a short position side by side over one account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from engines.backtest import Backtest
from engines.costs import FREE, Costs
from engines.errors import PlanFault
from engines.klines import Klines
from engines.margin import MarginTier
from engines.plan import (
    Direction,
    Exits,
    MarginMode,
    Market,
    Plan,
    PositionMode,
    Sizing,
    SizingKind,
)
from engines.signals import Signals
from engines.trades import ExitReason
from strategies.base import Strategy
from tests.unit.market import TENTHS, Bar, buys, fills, klines_of, plan_with, play, still
from tests.unit.test_funding import at_hours

FLAT = still(100.0)
LEVERED = replace(TENTHS, margin_tiers=(MarginTier(1e9, 0.005, leverage_max=100.0),))


@dataclass(frozen=True)
class Wants(Strategy):
    """Wants at a bar what is written for it: L and S enter, l and s leave."""

    says: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none: what is written is not swept."""
        return ()

    def signals(self, klines: Klines) -> Signals:
        """Return what is written as columns."""
        said = [self.says.get(bar, "") for bar in range(len(klines))]
        long, short, left_long, left_short = (
            np.array([letter in text for text in said]) for letter in "LSls"
        )
        return Signals(long, left_long, short, left_short)


def hedged(**terms: Any) -> Plan:
    """Return the plan of one lot an order in hedge mode."""
    return plan_with(position_mode=PositionMode.HEDGE, **terms)


def run(
    bars: Sequence[Bar], says: Mapping[int, str], plan: Plan, costs: Costs = FREE, **terms: Any
) -> Backtest:
    """Trade what is written."""
    return play(bars, Wants(says), plan, costs, **terms)


class TestSides:
    def test_entry_of_one_side_leaves_the_other_alone(self) -> None:
        bars = [FLAT, FLAT, still(110.0), still(105.0), still(105.0)]
        result = run(bars, {0: "L", 1: "S", 2: "l"}, hedged())
        assert fills(result) == [(1, 1.0, 100.0), (2, -1.0, 110.0), (3, -1.0, 105.0)]
        long, short = result.trades
        assert (long.pnl_quote, short.pnl_quote) == pytest.approx((5.0, 5.0))
        assert short.is_open
        # Both earn in the meantime: at bar 2 the long 10, at bar 3 each 5.
        gained = result.equity_quote - hedged().capital_quote
        assert gained.tolist() == pytest.approx([0.0, 0.0, 10.0, 10.0, 10.0])

    def test_net_mode_would_have_reversed(self) -> None:
        bars = [FLAT, FLAT, still(110.0), still(105.0), still(105.0)]
        result = run(bars, {0: "L", 1: "S"}, plan_with())
        assert fills(result)[1] == (2, -2.0, 110.0)

    def test_each_side_has_its_own_stop_and_target(self) -> None:
        plan = hedged(exits=Exits(stop_loss_ratio=0.05, take_profit_ratio=0.1))
        bars = [FLAT, FLAT, FLAT, (100.0, 106.0, 100.0, 106.0), (106.0, 110.0, 106.0, 110.0), FLAT]
        result = run(bars, {0: "L", 1: "S"}, plan)
        # The short is stopped at 105, the long goes on to its target of 110.
        assert fills(result)[2:] == [(3, 1.0, 105.0), (4, -1.0, 110.0)]
        reasons = [trade.exit_reason for trade in result.trades]
        assert reasons == [ExitReason.STOP_LOSS, ExitReason.TAKE_PROFIT]

    def test_each_side_has_its_own_pyramiding(self) -> None:
        says = {0: "L", 1: "S", 2: "L", 3: "S", 4: "L"}
        result = run([FLAT] * 7, says, hedged(pyramiding=2))
        assert [row[1] for row in fills(result)] == [1.0, -1.0, 1.0, -1.0]

    def test_trades_are_listed_as_they_ended_with_the_accounts_result(self) -> None:
        bars = [FLAT, FLAT, FLAT, still(110.0), still(120.0), still(120.0), still(120.0)]
        result = run(bars, {0: "L", 1: "S", 3: "s", 4: "l"}, hedged(), Costs(commission=0.01))
        short, long = result.trades
        # Short: -20 - 1 - 1.2 = -22.2, when the long's entry had cost 1. Long: 20 - 1 - 1.2 = 17.8.
        assert (short.cumulative_quote, long.cumulative_quote) == pytest.approx((-23.2, -4.4))

    def test_open_trades_count_up_too(self) -> None:
        result = run([FLAT, FLAT, FLAT, still(110.0)], {0: "L", 1: "S"}, hedged())
        assert [t.cumulative_quote for t in result.trades] == pytest.approx([10.0, 0.0])

    def test_both_sides_settle_funding(self) -> None:
        result = run([FLAT] * 5, {0: "L", 1: "S"}, hedged(), funding=at_hours(2, 3))
        # At hour 2 only the long holds; at hour 3 what one pays the other receives.
        assert [p.paid_quote for p in result.payments] == pytest.approx([1.0, 1.0, -1.0])
        assert result.equity_quote[-1] == pytest.approx(hedged().capital_quote - 1.0)


class TestAccount:
    def test_margins_of_both_must_fit(self) -> None:
        # 150 carry one position of 100 and not a second.
        for capital_quote, entered in ((150.0, 1), (200.0, 2)):
            result = run([FLAT] * 4, {0: "L", 1: "S"}, hedged(capital_quote=capital_quote))
            assert len(result.fills) == entered

    def test_equity_of_both_sizes_an_entry(self) -> None:
        sizing = Sizing(SizingKind.EQUITY_RATIO, 0.4)
        bars = [FLAT, FLAT, still(120.0), still(120.0), still(120.0)]
        result = run(bars, {0: "L", 2: "S"}, hedged(capital_quote=1_000.0, sizing=sizing))
        # The long of 4 has gained 80; 0.4 of 1080 at 120 is 3.6.
        assert fills(result)[1] == (3, -3.6, 120.0)

    def test_no_margin_is_called(self) -> None:
        # At 150 the short is worth three times the equity of 50 that is left.
        bars = [FLAT, FLAT, still(150.0), still(150.0)]
        result = run(bars, {0: "S"}, hedged(capital_quote=100.0))
        assert [fill.name for fill in result.fills] == ["short"]

    @pytest.mark.parametrize("margin_mode", list(MarginMode))
    def test_short_without_leverage_ends_at_twice_its_entry(self, margin_mode: MarginMode) -> None:
        bars = [FLAT, FLAT, (100.0, 300.0, 100.0, 300.0), still(300.0), FLAT, FLAT]
        plan = hedged(capital_quote=100.0, margin_mode=margin_mode)
        result = run(bars, {0: "S", 3: "L", 4: "S"}, plan)
        trade = result.trades[0]
        assert (trade.exit_bar, trade.exit_price) == (2, 200.0)
        assert (trade.exit_reason, trade.pnl_quote) == (ExitReason.LIQUIDATION, -100.0)
        # The account is gone: nothing opens any more, and nothing comes back.
        assert len(result.trades) == 1
        assert result.equity_quote.tolist() == [100.0, 100.0, 0.0, 0.0, 0.0, 0.0]

    def test_maintenance_of_a_tier_ends_a_short_before_it_is_bankrupt(self) -> None:
        # 100 + (100 - 0.5) = 199.5 is where it is taken over, at 200; 199.4 is not enough.
        for high, fills_expected in ((199.4, 1), (199.5, 2)):
            bars = [FLAT, FLAT, (100.0, high, 100.0, 100.0), FLAT]
            result = run(bars, {0: "S"}, hedged(capital_quote=100.0), instrument=LEVERED)
            assert len(result.fills) == fills_expected
            assert result.fills[-1].price == (100.0 if fills_expected == 1 else 200.0)

    def test_long_without_leverage_cannot_lose_more_than_it_cost(self) -> None:
        bars = [FLAT, FLAT, (100.0, 100.0, 0.1, 0.1), still(0.1)]
        result = run(bars, {0: "L"}, hedged(capital_quote=100.0))
        assert len(result.fills) == 1
        assert result.equity_quote[-1] == pytest.approx(0.1)

    def test_one_side_is_liquidated_and_the_other_stays(self) -> None:
        bars = [FLAT, FLAT, FLAT, (100.0, 100.0, 90.5, 91.0), still(91.0)]
        plan = hedged(leverage=10.0, capital_quote=100.0)
        result = run(bars, {0: "L", 1: "S"}, plan, instrument=LEVERED)
        # Long at 100 on 10x: liquidated at 100 - 10 + 0.5 = 90.5, closed at 90.
        long, short = result.trades
        assert (long.exit_price, long.exit_reason) == (90.0, ExitReason.LIQUIDATION)
        assert short.is_open
        assert result.equity_quote[-1] == pytest.approx(100.0 - 10.0 + 9.0)


class TestRefused:
    @pytest.mark.parametrize(
        ("terms", "names"),
        [
            ({"intraday_fills_max": 3}, "position_mode and intraday_fills_max"),
            ({"intraday_loss_ratio_max": 0.1}, "position_mode and intraday_loss_ratio_max"),
            ({"intraday_loss_quote_max": 10.0}, "position_mode and intraday_loss_quote_max"),
            (
                {"exits": Exits(drawdown_ratio_max=0.1)},
                "position_mode and exits.drawdown_ratio_max",
            ),
            ({"leverage": 2.0, "margin_mode": MarginMode.CROSS}, "position_mode and margin_mode"),
            ({"market": Market.SPOT, "direction": Direction.LONG}, "position_mode and market"),
        ],
    )
    def test_what_judges_one_net_position_names_both_fields(
        self, terms: dict[str, Any], names: str
    ) -> None:
        with pytest.raises(PlanFault, match=names):
            hedged(**terms)

    def test_strategy_that_places_its_own_orders_is_named(self) -> None:
        with pytest.raises(PlanFault, match="position_mode and strategy Scripted"):
            play([FLAT] * 2, {0: buys()}, hedged())


def test_bars_in_which_nothing_waits_are_passed_over_safely() -> None:
    bars = klines_of([FLAT] * 300)
    result = play(bars, Wants({0: "L", 250: "S", 260: "l", 280: "s"}), hedged())
    assert [row[0] for row in fills(result)] == [1, 251, 261, 281]
