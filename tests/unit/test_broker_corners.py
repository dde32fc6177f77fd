"""Corners where several rules meet: queues at one level, pending orders and exits, one open."""

import math
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from engines.costs import CommissionKind, Costs
from engines.instrument import Instrument
from engines.klines import MINUTE_MS
from engines.plan import Plan, Sizing, SizingKind
from tests.unit.market import (
    BUY,
    SELL,
    Bar,
    Command,
    Script,
    buys,
    closes,
    closes_all,
    exits,
    filled,
    fills,
    klines_of,
    orders,
    plan_with,
    play,
    sells,
    still,
)

FLAT = still(100.0)
UP: Bar = (100.0, 104.0, 100.0, 104.0)
SMALL = Plan(capital_quote=1_000.0, sizing=Sizing(SizingKind.QTY, 1.0))


class TestQueueAtOneLevel:
    """Orders at one level act in the order in which they reached the book."""

    def names(self, second: Command, bars: list[Bar]) -> list[str]:
        a, b = orders("A", SELL, qty=1.0, limit=102.0), orders("B", BUY, qty=1.0, stop=102.0)
        script: Script = {0: (a, b), 1: (second,)}
        return [fill.order_id for fill in play(bars, script).fills]

    def test_same_order_issued_again_keeps_its_place(self) -> None:
        again = orders("A", SELL, qty=1.0, limit=102.0, comment="renamed")
        assert self.names(again, [FLAT, FLAT, UP]) == ["A", "B"]

    def test_changed_order_goes_to_the_back(self) -> None:
        again = orders("A", SELL, qty=2.0, limit=102.0)
        assert self.names(again, [FLAT, FLAT, UP]) == ["B", "A"]

    def test_exit_of_a_pending_entry_queues_when_the_entry_fills(self) -> None:
        exit_, raw = exits("X", "L", limit=103.0), orders("O", SELL, limit=103.0)
        script: Script = {0: (buys(stop=101.0), exit_, raw)}
        assert [fill.order_id for fill in play([FLAT, UP, FLAT], script).fills] == ["L", "O"]

    def test_exit_before_a_reversal_leaves_it_the_rest(self) -> None:
        # Frozen at issue: 2 to flatten and 1 of its own. One is gone, so 2 short are opened.
        script: Script = {
            0: (buys(qty=2.0), exits("X", "L", qty=1.0, stop=97.0)),
            1: (sells(stop=97.0),),
        }
        result = play([FLAT, FLAT, (100.0, 100.0, 96.0, 96.5)], script)
        assert fills(result)[1:] == [(2, -1.0, 97.0), (2, -3.0, 97.0)]
        assert [(t.side, t.qty) for t in result.trades if t.is_open] == [(SELL, 2.0)]


class TestReversal:
    """A reversal ends the old position's exits wherever it comes first."""

    def test_at_the_open_it_cancels_a_passed_exit(self) -> None:
        script: Script = {0: (buys(), exits("X", "L", stop=97.0)), 1: (sells(),)}
        rows = filled([FLAT, FLAT, still(95.0), FLAT], script)
        assert rows == [(1, 1.0, 100.0), (2, -2.0, 95.0)]

    def test_inside_the_bar_it_cancels_an_exit_further_on(self) -> None:
        script: Script = {0: (buys(), exits("X", "L", stop=96.0)), 1: (sells(stop=98.0),)}
        rows = filled([FLAT, FLAT, (100.0, 100.0, 95.0, 95.5), FLAT], script)
        assert rows == [(1, 1.0, 100.0), (2, -2.0, 98.0)]

    def test_exit_of_a_pending_one_takes_its_part_of_what_opens(self) -> None:
        exit_ = exits("X", "L", qty_ratio=0.5, limit=101.0)
        script: Script = {0: (sells(qty=3.0),), 1: (buys(qty=1.0), exit_)}
        rows = filled([FLAT, FLAT, FLAT, (100.0, 102.0, 100.0, 100.0)], script)
        assert rows[1:] == [(2, 4.0, 100.0), (3, -0.5, 101.0)]


class TestExitWithoutLevels:
    """An exit whose levels are undefined sleeps in place of the one that it replaces."""

    BARS = (FLAT, FLAT, (100.0, 102.0, 100.0, 100.0), UP)

    def test_it_replaces_the_working_one(self) -> None:
        script: Script = {
            0: (buys(), exits("X", "L", limit=101.0)),
            1: (exits("X", "L", limit=math.nan),),
        }
        assert filled(self.BARS, script) == [(1, 1.0, 100.0)]

    def test_levels_wake_it_again(self) -> None:
        script: Script = {
            0: (buys(), exits("X", "L", limit=101.0)),
            1: (exits("X", "L", limit=math.nan),),
            2: (exits("X", "L", limit=103.0),),
        }
        assert filled(self.BARS, script)[1:] == [(3, -1.0, 103.0)]


class TestExitAndPendingEntry:
    """What becomes of a bracket whose entry is refused or outlives its position."""

    def test_unnamed_exit_of_a_refused_entry_waits_for_the_next_position(self) -> None:
        script: Script = {0: (buys(qty=10.0), exits("X", limit=112.0)), 2: (buys(qty=5.0),)}
        bars: list[Bar] = [FLAT, still(101.0), FLAT, FLAT, (100.0, 113.0, 100.0, 100.0)]
        assert filled(bars, script, SMALL) == [(3, 5.0, 100.0), (4, -5.0, 112.0)]

    def test_exit_stays_for_a_pending_long_of_its_name_after_the_position_is_closed(self) -> None:
        script: Script = {
            0: (buys(),),
            1: (exits("X", "L", limit=110.0), buys(stop=105.0), closes_all()),
        }
        bars: list[Bar] = [FLAT, FLAT, FLAT, (100.0, 112.0, 100.0, 112.0)]
        rows = filled(bars, script, plan_with(pyramiding=2))
        assert rows[2:] == [(3, 1.0, 105.0), (3, -1.0, 110.0)]

    def test_bracket_uses_the_way_back_of_the_entry_bar(self) -> None:
        # Low first: 100, 98, 104. Entry at 99 on the way down, target on the way up.
        script: Script = {0: (buys(limit=99.0), exits("X", "L", limit=99.5))}
        rows = filled([FLAT, (100.0, 104.0, 98.0, 103.0)], script)
        assert rows == [(1, 1.0, 99.0), (1, -1.0, 99.5)]


class TestZeroSteps:
    """Quantities below one step."""

    def test_order_too_small_still_removes_the_pending_one(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, (100.0, 100.0, 98.0, 98.0)]
        assert not filled(bars, {0: buys(limit=99.0), 1: buys(qty=0.0004)})
        raw = orders("O", BUY, limit=99.0)
        assert not filled(bars, {0: raw, 1: orders("O", BUY, qty=0.0004)})

    def test_close_too_small_closes_everything(self) -> None:
        script: Script = {0: buys(qty=2.0), 1: closes("L", qty=0.0004)}
        assert filled([FLAT] * 3, script)[1:] == [(2, -2.0, 100.0)]


class TestMarginOfOneBar:
    """When within a bar the margin is looked at."""

    def test_call_at_the_low_comes_before_the_target_at_the_high(self) -> None:
        plan = Plan(1_000.0, SMALL.sizing, margin_long_ratio=0.5)
        script: Script = {0: (buys(qty=15.0), exits("X", "L", limit=130.0))}
        rows = filled([FLAT, FLAT, (100.0, 145.0, 60.0, 140.0)], script, plan)
        assert rows[1:] == [(2, -6.664, 60.0), (2, -8.336, 130.0)]

    def test_position_opened_at_a_close_is_looked_at_from_the_next_open(self) -> None:
        plan = Plan(1_000.0, SMALL.sizing, process_on_close=True)
        costs = Costs(commission=20.0, commission_kind=CommissionKind.PER_ORDER)
        result = play([FLAT, FLAT, still(101.0), FLAT], {1: buys(qty=10.0)}, plan, costs)
        calls = [(fill.bar_index, fill.name) for fill in result.fills]
        assert calls[:2] == [(1, "L"), (2, "Margin call")]

    def test_all_of_the_equity_cannot_wait_below_the_market(self) -> None:
        # 1,000 / 90 lots would cost more than 1,000 at the close of 100; 1,000 / 110 would not.
        plan = Plan(1_000.0, Sizing(SizingKind.EQUITY_RATIO, 1.0))
        assert not filled([FLAT, (100.0, 100.0, 85.0, 85.0)], {0: buys(limit=90.0)}, plan)
        rows = filled([FLAT, (100.0, 110.0, 100.0, 110.0)], {0: sells(limit=110.0)}, plan)
        assert rows == [(1, -9.09, 110.0)]

    def test_ruined_account_trades_no_more(self) -> None:
        plan = Plan(1_000.0, Sizing(SizingKind.EQUITY_RATIO, 1.0), margin_short_ratio=0.0)
        script: Script = {0: sells(), 1: closes_all(), 2: buys(), 3: buys(limit=200.0)}
        result = play([FLAT, FLAT, *[still(300.0)] * 3], script, plan)
        assert len(result.fills) == 2
        assert result.equity_quote[-1] == -1_000.0


def test_sub_bars_give_gap_and_excursions() -> None:
    quarter_ms = 15 * MINUTE_MS
    script: Script = {0: (buys(), exits("X", "L", stop=97.0))}
    hours: list[Bar] = [FLAT, (100.0, 104.0, 94.0, 94.0), FLAT]
    jump = [*[FLAT] * 5, still(104.0), still(94.0), still(94.0), *[FLAT] * 4]
    (trade,) = play(klines_of(hours), script, magnifier=klines_of(jump, quarter_ms)).trades
    assert (trade.exit_price, trade.mfe_quote, trade.mae_quote) == (94.0, 4.0, 6.0)


def test_day_of_summer_time_has_its_own_length() -> None:
    # New York, 8 March 22:00 on; the 9th has 23 hours. Two fills a day, no more.
    zone = "America/New_York"
    instrument = Instrument("Z", tick_size=0.1, qty_step=0.001, time_zone=zone)
    start_ms = int(datetime(2025, 3, 9, 3, tzinfo=UTC).timestamp() * 1000)
    script: Script = {bar: orders("O", BUY, qty=1.0) for bar in range(40)}
    klines = klines_of([FLAT] * 40, start_ms=start_ms)
    result = play(klines, script, plan_with(intraday_fills_max=2), instrument=instrument)
    bought = [fill for fill in result.fills if fill.side is BUY]
    days = [datetime.fromtimestamp(f.time_ms / 1000, ZoneInfo(zone)).day for f in bought]
    assert days == [8, 9, 9, 10, 10]


class TestEdgesOfTheRun:
    def test_fill_at_the_very_first_close_pays_at_the_rate_of_its_bar(self) -> None:
        plan, rates = plan_with(process_on_close=True), np.array([0.5, 0.5, 0.5])
        result = play([still(100.0)] * 3, {0: buys()}, plan, Costs(0.01), rates=rates)
        assert [fill.fee_quote for fill in result.fills] == [0.5]

    def test_verified_limit_fills_no_worse_than_the_open(self) -> None:
        bars = [still(100.0), (66.6, 66.6, 48.1, 48.8)]
        found = filled(bars, {0: buys(limit=66.7)}, plan_with(limit_verify_ticks=2))
        assert found == [(1, 1.0, 66.6)]
