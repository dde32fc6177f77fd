"""Slippage: by how much each model moves a fill, and that it is always against the order."""

from typing import Any

import numpy as np
import pytest

from engines.costs import FREE, Costs, SlippageKind
from engines.errors import PlanFault
from engines.features.volatility import atr
from engines.plan import Plan, Sizing, SizingKind
from engines.slippage import Slippage
from engines.trades import Side
from tests.unit.market import (
    TENTHS,
    Bar,
    Script,
    buys,
    closes,
    exits,
    fills,
    klines_of,
    plan_with,
    play,
    sells,
    still,
)

FLAT = still(100.0)


def costs(kind: str, **terms: Any) -> Costs:
    """Return costs of this slippage alone."""
    return Costs(commission=0.0, slippage_kind=SlippageKind(kind), **terms)


class TestRatio:
    def test_market_fills_move_by_the_ratio_rounded_against_the_order(self) -> None:
        # 100 x 0.0005 is half a tick: a buy ends a whole tick above, a sale one below.
        script: Script = {0: buys(), 1: closes("L")}
        assert fills(play([FLAT] * 3, script, costs=costs("ratio"))) == [
            (1, 1.0, 100.1), (2, -1.0, 99.9)
        ]  # fmt: skip # two fills

    def test_exact_ticks_are_not_rounded_any_further(self) -> None:
        result = play([FLAT] * 3, {0: buys()}, costs=costs("ratio", slippage_ratio=0.002))
        assert fills(result) == [(1, 1.0, 100.2)]

    def test_stop_slips_from_its_level_and_limit_does_not(self) -> None:
        bars = [FLAT, FLAT, (100.0, 100.0, 94.0, 94.0), FLAT]
        stopped = {0: (buys(), exits("X", "L", stop=95.0))}
        one_percent = costs("ratio", slippage_ratio=0.01)
        # 95 less 0.95 is 94.05, on the tick below 94.0.
        assert fills(play(bars, stopped, costs=one_percent))[1] == (2, -1.0, 94.0)
        bars = [FLAT, FLAT, (100.0, 106.0, 100.0, 106.0), FLAT]
        won = {0: (buys(), exits("X", "L", limit=105.0))}
        result = play(bars, won, costs=one_percent)
        assert fills(result)[1] == (2, -1.0, 105.0)
        assert result.fills[1].slippage_quote == 0.0

    def test_no_price_is_sold_below_one_tick(self) -> None:
        bars = [still(0.2), still(0.2), still(0.1), still(0.1)]
        script: Script = {0: buys(), 1: closes("L")}
        result = play(bars, script, costs=costs("ratio", slippage_ratio=0.9))
        assert fills(result)[1] == (2, -1.0, 0.1)


class TestVolume:
    def test_impact_is_of_the_previous_bars_volume(self) -> None:
        # 2 of 10 traded is a fifth; 0.1 of that is 2 %.
        klines = klines_of([FLAT] * 3, volume=[10.0, 1_000.0, 1_000.0])
        result = play(klines, {0: buys(qty=2.0)}, costs=costs("volume"))
        assert fills(result) == [(1, 2.0, 102.0)]

    def test_more_than_the_bars_volume_counts_as_all_of_it(self) -> None:
        klines = klines_of([FLAT] * 3, volume=[1.0, 1.0, 1.0])
        result = play(klines, {0: buys(qty=5.0)}, costs=costs("volume"))
        assert fills(result) == [(1, 5.0, 110.0)]

    def test_bar_without_volume_counts_as_wholly_taken(self) -> None:
        klines = klines_of([FLAT] * 3, volume=[0.0, 1.0, 1.0])
        result = play(klines, {0: buys(qty=0.001)}, costs=costs("volume", volume_impact=0.05))
        assert fills(result) == [(1, 0.001, 105.0)]

    def test_reversal_trades_both_quantities(self) -> None:
        # Closing 1 and opening 1 short takes 2 of 20: 1 %.
        klines = klines_of([FLAT] * 4, volume=[1e9, 20.0, 1.0, 1.0])
        result = play(klines, {0: buys(), 1: sells()}, costs=costs("volume"))
        assert fills(result)[1] == (2, -2.0, 99.0)

    def test_what_is_traded_in_the_bar_of_the_fill_does_not_matter(self) -> None:
        first = klines_of([FLAT] * 3, volume=[10.0, 1.0, 1.0])
        second = klines_of([FLAT] * 3, volume=[10.0, 99.0, 99.0])
        script: Script = {0: buys()}
        assert fills(play(first, script, costs=costs("volume"))) == fills(
            play(second, script, costs=costs("volume"))
        )


class TestVolatility:
    BARS: tuple[Bar, ...] = (
        (100.0, 102.0, 98.0, 100.0), (100.0, 101.0, 99.0, 100.0), FLAT, (100.0, 160.0, 40.0, 100.0)
    )  # fmt: skip # ranges 4, 2, 0, 120

    def test_half_the_average_range_until_its_first_period_is_over(self) -> None:
        # After bar 0 the mean range is 4 of a close of 100; half of it is 2 %.
        assert fills(play(self.BARS, {0: buys()}, costs=costs("volatility")))[0][2] == 102.0
        # After bar 1 it is 3: 1.5 %.
        assert fills(play(self.BARS, {1: buys()}, costs=costs("volatility")))[0][2] == 101.5
        # After bar 2 it is 2: 1 %. The wild bar in which it fills is not known yet.
        assert fills(play(self.BARS, {2: buys()}, costs=costs("volatility")))[0][2] == 101.0

    def test_wilders_average_from_then_on(self) -> None:
        # Of two bars: (4 + 2) / 2 = 3 after bar 1, then (3 + 0) / 2 = 1.5: 0.75 %, up to 100.8.
        short = costs("volatility", slippage_period=2)
        assert fills(play(self.BARS, {2: buys()}, costs=short))[0][2] == 100.8
        klines = klines_of(self.BARS)
        assert atr(klines.high, klines.low, klines.close, 2)[2] == 1.5


class TestCombined:
    def test_the_three_add_up(self) -> None:
        # 0.1 % + 0.1 x 1/10 = 1 % + half of 4/100 = 2 %: 3.1 %.
        klines = klines_of([(100.0, 102.0, 98.0, 100.0), FLAT, FLAT], volume=[10.0, 1.0, 1.0])
        result = play(klines, {0: buys()}, costs=costs("combined", slippage_ratio=0.001))
        assert fills(result) == [(1, 1.0, 103.1)]


class TestRecord:
    def test_fill_and_trade_say_what_it_cost(self) -> None:
        ticks = Costs(commission=0.0, slippage_ticks=3)
        script: Script = {0: buys(qty=2.0), 2: closes("L", qty=0.5), 3: closes("L")}
        result = play([FLAT] * 6, script, costs=ticks)
        # 0.3 a contract at each fill.
        assert [f.slippage_quote for f in result.fills] == pytest.approx([0.6, 0.15, 0.45])
        assert [t.slippage_quote for t in result.trades] == pytest.approx([0.3, 0.9])
        assert [t.pnl_quote for t in result.trades] == pytest.approx([-0.3, -0.9])

    def test_open_trade_carries_its_entrys_share(self) -> None:
        ticks = Costs(commission=0.0, slippage_ticks=3)
        (trade,) = play([FLAT] * 3, {0: buys(qty=2.0)}, costs=ticks).trades
        assert trade.slippage_quote == pytest.approx(0.6)

    def test_margin_call_slips_too(self) -> None:
        bars = [FLAT, FLAT, still(60.0), still(60.0)]
        plan = plan_with(capital_quote=110.0, margin_long_ratio=0.5)
        result = play(bars, {0: buys(qty=2.0)}, plan, costs("ratio", slippage_ratio=0.01))
        # Bought at 101; at 60 there are 28 against a margin of 60, and all of it is sold.
        assert fills(result) == [(1, 2.0, 101.0), (2, -2.0, 59.4)]
        assert result.fills[1].slippage_quote == pytest.approx(1.2)

    def test_all_in_entry_reckons_with_it(self) -> None:
        # At the close 1 % is known: 10 000 / 101 buys 99.009, and 101 is what it costs.
        plan = Plan(capital_quote=10_000.0, sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0))
        result = play([FLAT] * 3, {0: buys()}, plan, costs("ratio", slippage_ratio=0.01))
        assert fills(result) == [(1, 99.009, 101.0)]


class TestTerms:
    def test_kinds_take_their_usual_terms(self) -> None:
        combined = costs("combined")
        found = (combined.slippage_ratio, combined.volume_impact, combined.volatility_factor)
        assert found == (0.0005, 0.1, 0.5)
        assert FREE.slippage_ratio is None

    @pytest.mark.parametrize(
        ("kind", "terms", "message"),
        [
            ("ratio", {"slippage_ticks": 2}, "slippage_kind and slippage_ticks: expected ticks"),
            ("ticks", {"slippage_ratio": 0.001}, "slippage_kind and slippage_ratio"),
            ("ratio", {"volume_impact": 0.1}, "slippage_kind and volume_impact"),
            ("volume", {"volatility_factor": 0.5}, "slippage_kind and volatility_factor"),
            ("volatility", {"slippage_ratio": 0.1}, "with the kind volatility only vol"),
            ("ratio", {"slippage_ratio": -0.1}, "slippage_ratio: expected a number from 0 to 1"),
            ("ratio", {"slippage_ratio": float("nan")}, "slippage_ratio: expected a number"),
            ("volatility", {"slippage_period": 0}, "slippage_period"),
            ("ticks", {"liquidation_fee_ratio": 2.0}, "liquidation_fee_ratio"),
        ],
    )
    def test_contradictions_name_both_fields(
        self, kind: str, terms: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(PlanFault, match=message):
            costs(kind, **terms)

    def test_unknown_kind_is_named(self) -> None:
        with pytest.raises(PlanFault, match="slippage_kind: expected one of ticks, ratio"):
            Costs(slippage_kind="square")  # type: ignore[arg-type] # what a file may say


@pytest.mark.parametrize("kind", list(SlippageKind))
def test_slippage_is_never_in_favour_of_the_order(kind: SlippageKind) -> None:
    source = np.random.default_rng(1)
    bars = [(p, p + 1.0, p - 1.0, p) for p in source.integers(20, 2_000, 50) / 10]
    klines = klines_of(bars, volume=source.integers(0, 5, 50).tolist())
    slippage = Slippage(costs(kind), klines, TENTHS)
    for bar in range(50):
        for side in Side:
            ticks = int(source.integers(1, 3_000))
            moved = slippage.slipped_ticks(ticks, side, float(source.random()), bar) - ticks
            assert moved * side >= 0
            assert ticks + moved >= 1
