"""Leverage: margin by tiers, liquidation prices, and what a liquidation does to a run."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from engines.account import Account
from engines.costs import FREE, CommissionKind, Costs
from engines.errors import InstrumentFault, PlanFault
from engines.execution import Execution
from engines.klines import HOUR_MS
from engines.margin import MarginTier, tier_of
from engines.plan import MarginMode, Plan, Sizing, SizingKind
from engines.trades import ExitReason
from tests.unit.market import (
    TENTHS,
    Bar,
    Script,
    buys,
    closed,
    closes,
    exits,
    fills,
    klines_of,
    plan_with,
    play,
    sells,
    still,
)
from tests.unit.test_funding import at_hours

TIERS = (
    MarginTier(2_000_000.0, 0.005, leverage_max=100.0),
    MarginTier(4_000_000.0, 0.01, leverage_max=50.0),
    MarginTier(8_000_000.0, 0.02, leverage_max=25.0),
)
LEVERED = replace(TENTHS, margin_tiers=TIERS)
START = still(20_000.0)


def levered(leverage: float = 50.0, capital_quote: float = 1_000.0, **terms: Any) -> Plan:
    """Return the plan of one lot an order on leverage."""
    return plan_with(leverage=leverage, capital_quote=capital_quote, **terms)


def cross(leverage: float = 50.0, capital_quote: float = 1_000.0, **terms: Any) -> Plan:
    """Return the same with the whole account behind the position."""
    return levered(leverage, capital_quote, margin_mode=MarginMode.CROSS, **terms)


def account(plan: Plan, costs: Costs) -> Account:
    """Return the money of a run before its first bar."""
    klines = klines_of([START])
    return Execution(klines, LEVERED, plan, costs, None).account


class TestTiers:
    def test_deductions_make_tiers_meet(self) -> None:
        # 2 000 000 x (1 % - 0.5 %) = 10 000; and 4 000 000 x (2 % - 1 %) = 40 000 more.
        assert [tier.deduction_quote for tier in LEVERED.margin_tiers] == [0.0, 10_000.0, 50_000.0]
        for first, second in zip(LEVERED.margin_tiers, LEVERED.margin_tiers[1:], strict=False):
            edge = first.notional_max
            assert first.maintenance_quote(edge) == pytest.approx(second.maintenance_quote(edge))

    def test_tier_of_a_value_is_the_first_that_holds_it(self) -> None:
        tiers = LEVERED.margin_tiers
        found = [tier_of(tiers, v).maintenance_ratio for v in (1.0, 2e6, 2e6 + 1, 8e6, 9e6)]
        assert found == [0.005, 0.005, 0.01, 0.02, 0.02]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"notional_max": 2_000_000.0}, "margin_tiers 2 of T/USDT:USDT: expected notional_max"),
            ({"maintenance_ratio": 0.004}, "expected maintenance_ratio beyond"),
            ({"leverage_max": 90.0, "maintenance_ratio": 0.006}, ""),
            ({"leverage_max": 101.0, "maintenance_ratio": 0.006}, "leverage_max at most"),
            ({"leverage_max": 0.5}, "leverage_max of 1 or more"),
            ({"maintenance_ratio": 0.02}, "below 1 / leverage_max"),
            ({"notional_max": float("nan")}, "notional_max above zero"),
            ({"deduction_quote": 9_000.0}, "expected deduction_quote 10000, so that tiers meet"),
            ({"deduction_quote": 10_000.0}, ""),
        ],
    )
    def test_tiers_that_cannot_hold_are_named(
        self, changes: dict[str, float], message: str
    ) -> None:
        tiers = (TIERS[0], replace(TIERS[1], **changes))
        if not message:
            assert replace(TENTHS, margin_tiers=tiers).margin_tiers[1].deduction_quote is not None
            return
        with pytest.raises(InstrumentFault, match=message):
            replace(TENTHS, margin_tiers=tiers)


class TestLeverage:
    def test_leverage_without_tiers_names_both(self) -> None:
        with pytest.raises(PlanFault, match="leverage and margin_tiers: expected tiers of the"):
            play([START], {}, levered(2.0), instrument=TENTHS)

    def test_leverage_beyond_the_first_tier_names_both(self) -> None:
        with pytest.raises(PlanFault, match=r"leverage and margin_tiers: .*\(100\), found 101"):
            play([START], {}, levered(101.0), instrument=LEVERED)

    def test_position_beyond_what_the_leverage_allows_is_refused(self) -> None:
        # 50x ends with the second tier, 4 000 000: 200 contracts at 20 000 and none more.
        plan = levered(50.0, 1e8, pyramiding=2)
        script: Script = {0: buys("A", qty=200.0), 1: buys("B", qty=0.001)}
        result = play([START] * 4, script, plan, instrument=LEVERED)
        assert fills(result) == [(1, 200.0, 20_000.0)]
        assert result.refusals == {"orders beyond what the leverage may open": 1}

    def test_funds_gate_asks_for_the_margin_only(self) -> None:
        # A contract at 20 000 needs 400 at 50x.
        for capital, bought in ((400.0, 1), (399.0, 0)):
            result = play([START] * 3, {0: buys()}, levered(50.0, capital), instrument=LEVERED)
            assert len(result.fills) == bought

    def test_share_of_equity_is_spent_times_leverage(self) -> None:
        plan = levered(10.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.2))
        result = play([START] * 3, {0: buys()}, plan, instrument=LEVERED)
        # 0.2 x 1000 x 10 = 2000, a tenth of a contract.
        assert fills(result) == [(1, 0.1, 20_000.0)]
        # With 1 % commission the margin of a tenth and the commission of one share the money:
        # 2000 / (20 000 x (1 + 0.01 x 10)) = 0.0909.
        result = play([START] * 3, {0: buys()}, plan, Costs(commission=0.01), LEVERED)
        assert fills(result) == [(1, 0.09, 20_000.0)]

    def test_amounts_are_not_multiplied(self) -> None:
        plan = levered(10.0, sizing=Sizing(SizingKind.CASH, 2_000.0))
        assert fills(play([START] * 3, {0: buys()}, plan, instrument=LEVERED))[0][1] == 0.1

    def test_budget_follows_the_share_of_one_entry(self) -> None:
        assert account(levered(10.0), FREE).budget_quote(1_000.0, 0.25) == 2_500.0
        kelly = levered(10.0, sizing=Sizing(SizingKind.KELLY, 0.5))
        with pytest.raises(PlanFault, match="sizing by kelly: expected a size or a share"):
            account(kelly, FREE).budget_quote(1_000.0)

    def test_commission_of_an_order_comes_out_of_the_margin(self) -> None:
        costs = Costs(commission=5.0, commission_kind=CommissionKind.PER_ORDER)
        plan = levered(10.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 0.1))
        # A tenth of 1000 is 100; 95 of it carry 950.
        assert account(plan, costs).budget_quote(1_000.0) == 950.0


class TestIsolated:
    def bars(self, low: float) -> list[Bar]:
        return [START, START, (20_000.0, 20_000.0, low, 20_000.0), START]

    def test_long_is_closed_at_the_bankruptcy_price_once_its_price_is_met(self) -> None:
        # IM 400, MM 100: liquidated at 20 000 - 300, closed at 20 000 x (1 - 1/50).
        for low, is_met in ((19_700.1, False), (19_700.0, True)):
            result = play(self.bars(low), {0: buys()}, levered(), instrument=LEVERED)
            assert len(closed(result)) == is_met
        (trade,) = closed(result)
        assert (trade.exit_price, trade.exit_name) == (19_600.0, "Liquidation")
        assert trade.exit_reason is ExitReason.LIQUIDATION
        assert trade.pnl_quote == pytest.approx(-400.0)
        assert trade.mae_quote == pytest.approx(400.0)

    def test_short_is_its_mirror(self) -> None:
        for high, is_met in ((20_299.9, False), (20_300.0, True)):
            bars = [START, START, (20_000.0, high, 20_000.0, 20_000.0), START]
            result = play(bars, {0: sells()}, levered(), instrument=LEVERED)
            assert len(closed(result)) == is_met
        assert closed(result)[0].exit_price == 20_400.0

    def test_open_far_beyond_loses_no_more_than_the_margin(self) -> None:
        bars = [START, START, still(10_000.0), still(10_000.0)]
        result = play(bars, {0: buys()}, levered(), instrument=LEVERED)
        assert closed(result)[0].pnl_quote == pytest.approx(-400.0)
        assert result.equity_quote[-1] == pytest.approx(600.0)

    def test_bankruptcy_price_lies_on_the_tick_towards_the_entry(self) -> None:
        # 20 000 x (1 - 1/30) = 19 333.33: closed at 19 333.4.
        bars = [START, START, still(15_000.0), still(15_000.0)]
        result = play(bars, {0: buys()}, levered(30.0), instrument=LEVERED)
        assert closed(result)[0].exit_price == 19_333.4

    def test_fee_is_of_the_value_at_the_closing_price(self) -> None:
        bars = [START, START, still(19_000.0), still(19_000.0)]
        own = Costs(commission=0.001, liquidation_fee_ratio=0.01)
        usual = Costs(commission=0.001)
        for costs, fee in ((own, 196.0), (usual, 19.6)):
            result = play(bars, {0: buys()}, levered(), costs, LEVERED)
            assert result.fills[1].fee_quote == pytest.approx(fee)
            assert closed(result)[0].fee_quote == pytest.approx(20.0 + fee)

    def test_average_entry_of_several_lots_counts(self) -> None:
        # 1 at 20 000 and 1 at 21 000: average 20 500, IM 820, MM 205: 20 500 - 615 / 2 = 20 192.5.
        bars = [START, still(20_000.0), still(21_000.0), (21_000.0, 21_000.0, 20_192.6, 21_000.0)]
        plan = levered(50.0, 5_000.0, pyramiding=2)
        script: Script = {0: buys("A"), 1: buys("B")}
        result = play([*bars, still(20_192.5)], script, plan, instrument=LEVERED)
        assert [trade.exit_bar for trade in closed(result)] == [4, 4]
        assert closed(result)[0].exit_price == 20_090.0  # 20 500 x 0.98

    def test_second_tier_liquidates_earlier(self) -> None:
        # 150 contracts are worth 3 000 000: IM 60 000, MM 3 000 000 x 1 % - 10 000 = 20 000:
        # 20 000 - 40 000 / 150 = 19 733.33.
        bars = [START, START, (20_000.0, 20_000.0, 19_733.4, 20_000.0), START, still(19_733.3)]
        plan = levered(50.0, 100_000.0)
        result = play(bars, {0: buys(qty=150.0)}, plan, instrument=LEVERED)
        assert [trade.exit_bar for trade in closed(result)] == [4]

    def test_point_value_counts_as_quantity(self) -> None:
        instrument = replace(LEVERED, point_value=10.0)
        plan = levered(50.0, 100_000.0)
        result = play(self.bars(19_700.0), {0: buys()}, plan, instrument=instrument)
        assert closed(result)[0].pnl_quote == pytest.approx(-4_000.0)

    def test_nothing_else_calls_for_margin(self) -> None:
        # At 50x the equity of 400 is below TradingView's margin long before 19 700.
        bars = [START, START, still(19_750.0), START]
        result = play(bars, {0: buys()}, levered(50.0, 400.0), instrument=LEVERED)
        assert closed(result) == []

    def test_everything_that_waits_is_cancelled(self) -> None:
        script: Script = {0: (buys(), exits("X", "L", limit=21_000.0), buys("M", limit=19_000.0))}
        bars = [START, START, still(19_500.0), still(18_000.0), still(22_000.0)]
        result = play(bars, script, levered(50.0, 5_000.0, pyramiding=2), instrument=LEVERED)
        assert len(result.fills) == 2

    def test_trading_goes_on_after_it(self) -> None:
        bars = [START, START, still(19_500.0), still(19_500.0), still(19_500.0)]
        result = play(bars, {0: buys("A"), 2: buys("B")}, levered(), instrument=LEVERED)
        assert [fill.name for fill in result.fills] == ["A", "Liquidation", "B"]


class TestCross:
    def test_whole_account_covers_the_position(self) -> None:
        # 1000 + (p - 20 000) = 0.005 p: p = 19 000 / 0.995 = 19 095.477, closed on the tick below.
        for low, is_met in ((19_095.5, False), (19_095.4, True)):
            bars = [START, START, (20_000.0, 20_000.0, low, 20_000.0), START]
            result = play(bars, {0: buys()}, cross(), instrument=LEVERED)
            assert len(closed(result)) == is_met
        (trade,) = closed(result)
        assert (trade.exit_price, trade.exit_reason) == (19_095.4, ExitReason.LIQUIDATION)

    def test_short_is_its_mirror(self) -> None:
        # 1000 + (20 000 - p) = 0.005 p: p = 21 000 / 1.005 = 20 895.52.
        bars = [START, START, (20_000.0, 20_895.6, 20_000.0, 20_000.0), START]
        result = play(bars, {0: sells()}, cross(), instrument=LEVERED)
        assert closed(result)[0].exit_price == 20_895.6

    def test_tier_is_that_of_the_value_at_mark(self) -> None:
        # 101 contracts cost 2 020 000, the second tier; where they fall is in the first:
        # 50 000 + 101 (p - 20 000) = 101 p x 0.5 %: p = 1 970 000 / 100.495 = 19 602.965.
        bars = [START, START, (20_000.0, 20_000.0, 19_603.0, 20_000.0), START, still(19_602.9)]
        plan = cross(50.0, 50_000.0)
        result = play(bars, {0: buys(qty=101.0)}, plan, instrument=LEVERED)
        assert [trade.exit_bar for trade in closed(result)] == [4]
        # Short, the way leads further into the second tier, whose deduction is 10 000:
        # 50 000 + 101 (20 000 - p) = 101 p x 1 % - 10 000: p = 2 080 000 / 102.01 = 20 390.158.
        bars = [START, START, (20_000.0, 20_390.1, 20_000.0, 20_000.0), START, still(20_390.2)]
        result = play(bars, {0: sells(qty=101.0)}, plan, instrument=LEVERED)
        assert [trade.exit_bar for trade in closed(result)] == [4]

    def test_it_slips_like_a_market_order(self) -> None:
        costs = Costs(commission=0.0, slippage_ticks=5)
        bars = [START, START, still(19_000.0), still(19_000.0)]
        result = play(bars, {0: buys()}, cross(), costs, LEVERED)
        # The open is beyond: it closes there, half a point lower.
        assert closed(result)[0].exit_price == 18_999.5


class TestOnThePath:
    def test_stop_before_the_liquidation_price_fills_first(self) -> None:
        bars = [START, START, (20_000.0, 20_000.0, 19_500.0, 19_600.0), START]
        for stop, name in ((19_700.1, "X"), (19_700.0, "X"), (19_699.9, "Liquidation")):
            script: Script = {0: (buys(), exits("X", "L", stop=stop))}
            result = play(bars, script, levered(), instrument=LEVERED)
            assert closed(result)[0].exit_name == name

    def test_at_an_open_beyond_both_the_liquidation_comes_first(self) -> None:
        bars = [START, START, still(19_000.0), START]
        script: Script = {0: (buys(), exits("X", "L", stop=19_900.0))}
        result = play(bars, script, levered(), instrument=LEVERED)
        assert closed(result)[0].exit_price == 19_600.0

    def test_market_order_at_an_open_beyond_comes_too_late(self) -> None:
        bars = [START, START, still(19_000.0), START]
        result = play(bars, {0: buys(), 1: closes("L")}, levered(), instrument=LEVERED)
        assert closed(result)[0].exit_reason is ExitReason.LIQUIDATION

    def test_target_met_first_ends_the_trade(self) -> None:
        # The high comes first, as the open is nearer to it.
        bars = [START, START, (20_000.0, 20_100.0, 19_500.0, 19_600.0), START]
        script: Script = {0: (buys(), exits("X", "L", limit=20_050.0))}
        assert closed(play(bars, script, levered(), instrument=LEVERED))[0].exit_name == "X"

    def test_entry_on_the_way_moves_the_liquidation_price(self) -> None:
        # The second contract at 19 750 makes the average 19 875: liquidated at 19 576.875.
        bars = [START, START, (20_000.0, 20_000.0, 19_600.0, 19_700.0), START]
        plan = levered(50.0, 5_000.0, pyramiding=2)
        script: Script = {0: (buys("A"), buys("B", limit=19_750.0))}
        result = play(bars, script, plan, instrument=LEVERED)
        assert [fill.name for fill in result.fills] == ["A", "B"]

    def test_entry_filled_in_the_same_bar_can_be_liquidated_in_it(self) -> None:
        bars = [START, START, (20_000.0, 20_000.0, 19_000.0, 19_500.0), START]
        script: Script = {0: buys("L", limit=19_900.0)}
        result = play(bars, script, levered(), instrument=LEVERED)
        assert [fill.name for fill in result.fills] == ["L", "Liquidation"]
        assert closed(result)[0].exit_price == 19_502.0  # 19 900 x 0.98

    def test_magnifier_shows_the_way(self) -> None:
        # The low is nearer to the open and would come first; the sub-bars say that the target was.
        bars = [START, START, (20_000.0, 20_400.0, 19_690.0, 20_000.0)]
        sub = [START] * 4
        sub += [(20_000.0, 20_400.0, 20_000.0, 20_400.0), (20_400.0, 20_400.0, 19_690.0, 20_000.0)]
        fine = klines_of(sub, interval_ms=HOUR_MS // 2)
        script: Script = {0: (buys(), exits("X", "L", limit=20_300.0))}
        for magnifier, name in ((None, "Liquidation"), (fine, "X")):
            result = play(bars, script, levered(), instrument=LEVERED, magnifier=magnifier)
            assert closed(result)[0].exit_name == name


class TestMarkPrice:
    WICK = (20_000.0, 20_000.0, 19_500.0, 20_000.0)

    def run(self, bars: Sequence[Bar], mark: Sequence[Bar], script: Script) -> list[str]:
        result = play(bars, script, levered(), instrument=LEVERED, mark=klines_of(mark))
        return [fill.name for fill in result.fills]

    def test_wick_of_the_last_price_alone_does_not_liquidate(self) -> None:
        bars = [START, START, self.WICK, START]
        assert self.run(bars, [START] * 4, {0: buys()}) == ["L"]

    def test_mark_price_liquidates_where_the_last_price_stood_still(self) -> None:
        for low, name in ((19_700.1, "L"), (19_700.0, "Liquidation")):
            mark = [START, START, (20_000.0, 20_000.0, low, 20_000.0), START]
            assert self.run([START] * 4, mark, {0: buys()})[-1] == name

    def test_open_of_the_mark_comes_before_market_orders(self) -> None:
        mark = [START, START, still(19_000.0), START]
        names = self.run([START] * 4, mark, {0: buys(), 1: closes("L")})
        assert names == ["L", "Liquidation"]

    def test_stop_on_the_way_to_the_same_point_fills_first(self) -> None:
        script: Script = {0: (buys(), exits("X", "L", stop=19_600.0))}
        bars = [START, START, self.WICK, START]
        assert self.run(bars, bars, script) == ["L", "X"]

    def test_bar_without_a_mark_bar_is_judged_by_its_own_prices(self) -> None:
        bars = [START, START, self.WICK, START]
        assert self.run(bars, [START] * 2, {0: buys()}) == ["L", "Liquidation"]

    def test_cross_closes_at_the_last_price(self) -> None:
        mark = klines_of([START, START, still(19_000.0), START])
        bars = [START, START, still(19_950.0), START]
        result = play(bars, {0: buys()}, cross(), instrument=LEVERED, mark=mark)
        assert closed(result)[0].exit_price == 19_950.0


class TestFundingAndLiquidation:
    def test_isolated_price_does_not_move_when_the_account_pays(self) -> None:
        bars = [START] * 3 + [(20_000.0, 20_000.0, 19_701.0, 20_000.0), START]
        result = play(
            bars, {0: buys()}, levered(), instrument=LEVERED, funding=at_hours(2, 3, rate=0.01)
        )
        assert closed(result) == []
        assert result.equity_quote[-1] == pytest.approx(1_000.0 - 400.0)

    def test_cross_price_does(self) -> None:
        # 800 left after paying 200: p = 19 200 / 0.995 = 19 296.48.
        bars = [START] * 3 + [(20_000.0, 20_000.0, 19_296.4, 20_000.0), START]
        result = play(
            bars, {0: buys()}, cross(), instrument=LEVERED, funding=at_hours(2, rate=0.01)
        )
        assert [trade.exit_bar for trade in closed(result)] == [3]
        assert closed(result)[0].funding_quote == pytest.approx(200.0)

    @pytest.mark.parametrize("hour", [2.0, 2.5])
    def test_payment_alone_can_liquidate_at_its_bar(self, hour: float) -> None:
        # 5 % of 20 000 is all of the 1000.
        result = play(
            [START] * 4, {0: buys()}, cross(), instrument=LEVERED, funding=at_hours(hour, rate=0.05)
        )
        (trade,) = closed(result)
        assert (trade.exit_bar, trade.exit_reason) == (2, ExitReason.LIQUIDATION)
        assert trade.pnl_quote == pytest.approx(-1_000.0)
