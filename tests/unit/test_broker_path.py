"""The path inside a bar, the excursions along it, and the magnifier's finer path."""

from typing import ClassVar

import pytest

from engines.costs import Costs
from engines.instrument import Instrument
from engines.klines import HOUR_MS, MINUTE_MS
from tests.unit.market import (
    Bar,
    Row,
    Script,
    buys,
    closed,
    closes,
    exits,
    filled,
    fills,
    klines_of,
    plan_with,
    play,
    sells,
    still,
)

FLAT = still(100.0)
BRACKET: Script = {0: (buys(), exits("X", "L", limit=103.0, stop=97.0))}


@pytest.mark.parametrize(
    ("bar", "price"),
    [
        ((100.0, 104.0, 95.0, 100.0), 103.0),  # high nearer: high first
        ((100.0, 105.0, 96.0, 100.0), 97.0),  # low nearer: low first
        ((100.0, 104.0, 96.0, 100.0), 97.0),  # equally near: low first
        ((103.0, 104.0, 96.0, 100.0), 103.0),  # the open itself
        ((97.0, 104.0, 96.0, 100.0), 97.0),
    ],
)
def test_nearer_extreme_comes_first_where_both_levels_are_touched(bar: Bar, price: float) -> None:
    assert filled([FLAT, FLAT, bar], BRACKET)[1:] == [(2, -1.0, price)]


def test_levels_on_one_way_fill_in_path_order() -> None:
    script: Script = {0: (buys("B", stop=102.0), buys("A", stop=101.0))}
    rows = filled([FLAT, (100.0, 103.0, 100.0, 103.0)], script)
    assert rows == [(1, 1.0, 101.0), (1, 1.0, 102.0)]


def test_orders_at_one_level_fill_in_the_order_in_which_they_came() -> None:
    script: Script = {0: (sells(qty=3.0, limit=102.0), buys(qty=1.0, stop=102.0))}
    rows = filled([FLAT, (100.0, 103.0, 100.0, 103.0)], script)
    assert rows == [(1, -3.0, 102.0), (1, 1.0, 102.0)]


def test_entry_and_opposite_entry_may_follow_each_other_in_one_bar() -> None:
    # High first (2 < 3): long at 101, on the way down the short stop closes it.
    script: Script = {0: (buys(stop=101.0), sells(stop=98.0))}
    rows = filled([FLAT, (100.0, 102.0, 97.0, 98.0)], script)
    assert rows == [(1, 1.0, 101.0), (1, -1.0, 98.0)]


class TestExcursions:
    """Best and worst price between the two fills, along the path."""

    COSTS = Costs(commission=0.01)

    def test_bars_between_count_in_full(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, (100.0, 107.0, 95.0, 100.0), FLAT]
        (trade,) = play(bars, {0: buys(), 2: closes("L")}).trades
        assert (trade.mfe_quote, trade.mae_quote) == (7.0, 5.0)

    def test_entry_commission_is_taken_off(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, (100.0, 107.0, 95.0, 100.0), FLAT]
        (trade,) = play(bars, {0: buys(), 2: closes("L")}, costs=self.COSTS).trades
        assert (trade.mfe_quote, trade.mae_quote) == pytest.approx((6.0, 6.0))
        assert trade.pnl_quote == pytest.approx(-2.0)

    def test_favourable_one_is_not_below_zero(self) -> None:
        (trade,) = play([FLAT, FLAT, FLAT], {0: buys(), 1: closes("L")}, costs=self.COSTS).trades
        assert trade.mfe_quote == 0.0
        assert trade.mae_quote == pytest.approx(1.0)

    def test_entry_bar_counts_only_after_the_entry(self) -> None:
        # Low first: 100, 98, 104, 103. The stop entry at 102 has not seen the low of 98.
        bars: list[Bar] = [FLAT, (100.0, 104.0, 98.0, 103.0), still(103.0)]
        (trade,) = play(bars, {0: buys(stop=102.0), 1: closes("L")}).trades
        assert (trade.mfe_quote, trade.mae_quote) == (2.0, 0.0)

    def test_exit_bar_counts_only_up_to_the_exit(self) -> None:
        # High first: 100, 101, 95 (stop at 97 on the way). The low of 95 is after the exit.
        result = play([FLAT, FLAT, (100.0, 101.0, 95.0, 96.0)], BRACKET)
        (trade,) = result.trades
        assert (trade.mfe_quote, trade.mae_quote) == (1.0, 3.0)

    def test_short_is_the_mirror_image(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, (100.0, 107.0, 95.0, 100.0), FLAT]
        (trade,) = play(bars, {0: sells(), 2: closes("S")}).trades
        assert (trade.mfe_quote, trade.mae_quote) == (5.0, 7.0)


class TestMagnifier:
    """With lower-interval bars the path is theirs."""

    QUARTER_MS = 15 * MINUTE_MS
    # As one bar: low first (2 < 4), so the stop at 99 would go before the target at 103.
    HOURS = (FLAT, (100.0, 104.0, 98.0, 99.0), still(99.0))
    SCRIPT: ClassVar[Script] = {0: (buys(), exits("X", "L", limit=103.0, stop=99.0))}

    def rows(self, quarters: list[Bar], script: Script | None = None) -> list[Row]:
        sub = [*[FLAT] * 4, *quarters, *[still(99.0)] * 4]
        return fills(
            play(
                klines_of(self.HOURS, HOUR_MS),
                script or self.SCRIPT,
                magnifier=klines_of(sub, self.QUARTER_MS),
            )
        )

    def test_one_bar_alone_hits_the_stop(self) -> None:
        assert filled(self.HOURS, self.SCRIPT) == [(1, 1.0, 100.0), (1, -1.0, 99.0)]

    def test_sub_bars_decide_what_is_hit_first(self) -> None:
        up_first: list[Bar] = [
            (100.0, 101.0, 99.5, 101.0),
            (101.0, 104.0, 101.0, 103.5),
            (103.5, 103.5, 98.0, 98.5),
            (98.5, 99.0, 98.0, 99.0),
        ]
        assert self.rows(up_first) == [(1, 1.0, 100.0), (1, -1.0, 103.0)]
        down_first: list[Bar] = [
            (100.0, 100.5, 98.0, 98.5),
            (98.5, 102.0, 98.5, 102.0),
            (102.0, 104.0, 102.0, 104.0),
            (104.0, 104.0, 99.0, 99.0),
        ]
        assert self.rows(down_first) == [(1, 1.0, 100.0), (1, -1.0, 99.0)]

    def test_jump_between_sub_bars_fills_at_the_open_of_the_later(self) -> None:
        jumps: list[Bar] = [FLAT, still(104.0), still(98.0), still(99.0)]
        assert self.rows(jumps) == [(1, 1.0, 100.0), (1, -1.0, 104.0)]

    def test_decisions_stay_on_the_chart_bars(self) -> None:
        quarters: list[Bar] = [FLAT, still(104.0), still(98.0), still(99.0)]
        assert self.rows(quarters, {1: buys()}) == [(2, 1.0, 99.0)]


def test_limit_needs_to_be_passed_by_the_ticks_to_verify() -> None:
    halves = Instrument("H", tick_size=0.5, qty_step=0.001)
    plan, script = plan_with(limit_verify_ticks=2), {0: buys(limit=99.0)}
    near, beyond = (100.0, 100.5, 98.5, 100.0), (100.0, 100.5, 98.0, 100.0)
    assert not play([FLAT, near], script, plan, instrument=halves).fills
    assert fills(play([FLAT, beyond], script, plan, instrument=halves)) == [(1, 1.0, 99.0)]
    assert fills(play([FLAT, still(97.0)], script, plan, instrument=halves)) == [(1, 1.0, 97.0)]


def test_trade_may_open_and_close_in_one_bar() -> None:
    result = play([FLAT, (100.0, 104.0, 96.0, 100.0)], BRACKET)
    (trade,) = closed(result)
    assert (trade.entry_bar, trade.exit_bar, trade.bars_held) == (1, 1, 1)
    assert trade.exit_price == 97.0
