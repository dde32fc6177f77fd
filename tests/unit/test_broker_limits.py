"""What the broker forbids or forces: funds, margin, caps of the day, size and direction."""

from dataclasses import replace

import pytest

from engines.caps import FILLS_CAP_NAME, LOSS_CAP_NAME
from engines.costs import FREE, Costs
from engines.execution import MARGIN_CALL_NAME
from engines.instrument import Instrument
from engines.klines import HOUR_MS
from engines.plan import Direction, Plan, Sizing, SizingKind
from tests.unit.market import (
    SELL,
    START_MS,
    Bar,
    Command,
    Row,
    Script,
    buys,
    closed,
    closes,
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
LOT = Sizing(SizingKind.QTY, 1.0)
SMALL = Plan(capital_quote=1_000.0, sizing=LOT)
HALF = Plan(capital_quote=1_000.0, sizing=LOT, margin_long_ratio=0.5, margin_short_ratio=0.5)


class TestFunds:
    """An entry that the account cannot carry is refused, whole."""

    def test_entry_is_judged_at_the_deciding_close(self) -> None:
        assert filled([FLAT, FLAT], {0: buys(qty=10.0)}, SMALL) == [(1, 10.0, 100.0)]
        result = play([FLAT, FLAT], {0: buys(qty=10.001)}, SMALL)
        assert not result.fills
        assert sum(result.refusals.values()) == 1

    def test_margin_ratio_stretches_the_account(self) -> None:
        assert filled([FLAT, FLAT], {0: buys(qty=20.0)}, HALF) == [(1, 20.0, 100.0)]
        assert not filled([FLAT, FLAT], {0: sells(qty=20.001)}, HALF)

    def test_entry_is_judged_again_at_the_open(self) -> None:
        # 10 x 101 is more than 1,000: refused whole, not reduced.
        result = play([FLAT, still(101.0)], {0: buys(qty=10.0)}, SMALL)
        assert not result.fills
        assert sum(result.refusals.values()) == 1

    def test_unpayable_market_reversal_still_closes(self) -> None:
        result = play([FLAT, FLAT, FLAT], {0: buys(), 1: sells(qty=11.0)}, SMALL)
        assert fills(result) == [(1, 1.0, 100.0), (2, -1.0, 100.0)]
        assert result.trades[0].exit_name == "S"

    def test_unpayable_priced_entry_is_dropped(self) -> None:
        bars = [FLAT, FLAT, (100.0, 100.0, 90.0, 90.0)]
        assert filled(bars, {0: buys(), 1: sells(qty=11.0, stop=95.0)}, SMALL) == [(1, 1.0, 100.0)]

    def test_resting_entry_is_cancelled_at_a_close_that_cannot_carry_it(self) -> None:
        bars: list[Bar] = [FLAT, (100.0, 106.0, 100.0, 106.0), (106.0, 106.0, 90.0, 95.0)]
        result = play(bars, {0: buys(qty=9.5, limit=95.0)}, SMALL)
        assert not result.fills
        assert sum(result.refusals.values()) == 1
        kept = play(bars, {0: buys(qty=9.4, limit=95.0)}, SMALL)
        assert fills(kept) == [(2, 9.4, 95.0)]

    def test_without_margin_there_is_no_limit(self) -> None:
        free = Plan(capital_quote=1_000.0, sizing=LOT, margin_long_ratio=0.0)
        assert filled([FLAT, still(10.0)], {0: buys(qty=500.0)}, free) == [(1, 500.0, 10.0)]


class TestMarginCall:
    """Four times what is missing is closed at the point of the path where it is missing."""

    def test_short_is_cut_at_the_high(self) -> None:
        # Low first. At 101: equity 990, margin 1,010; 20 / 101 = 0.198; four times that.
        bars = [FLAT, FLAT, (100.0, 101.0, 99.5, 100.0)]
        result = play(bars, {0: sells(qty=10.0)}, SMALL)
        assert fills(result) == [(1, -10.0, 100.0), (2, 0.792, 101.0)]
        (trade,) = closed(result)
        assert trade.exit_name == MARGIN_CALL_NAME == "Margin call"
        assert trade.pnl_quote == pytest.approx(-0.792)

    def test_long_on_half_margin_is_cut_at_the_low(self) -> None:
        # At 60: equity 1,000 - 600 = 400, margin 450; 50 / 0.5 / 60 = 1.666; four times that.
        bars: list[Bar] = [FLAT, FLAT, (100.0, 100.0, 60.0, 70.0)]
        assert filled(bars, {0: buys(qty=15.0)}, HALF)[1:] == [(2, -6.664, 60.0)]

    def test_margin_call_slips_against_the_position(self) -> None:
        costs = Costs(commission=0.0, slippage_ticks=2)
        # Bought at 100.2. At 60: equity 1,000 - 603 = 397, margin 450; 53 / 30 = 1.766.
        bars: list[Bar] = [FLAT, FLAT, (100.0, 100.0, 60.0, 70.0)]
        assert filled(bars, {0: buys(qty=15.0)}, HALF, costs)[1:] == [(2, -7.064, 59.8)]

    def test_it_comes_at_the_open_where_the_open_demands_it(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, (101.0, 101.0, 99.0, 100.0)]
        assert filled(bars, {0: sells(qty=10.0)}, SMALL)[1:] == [(2, 0.792, 101.0)]

    @pytest.mark.parametrize("ratio", [1e-3, 1e-311, 5e-324])
    def test_next_to_no_margin_closes_all_once_equity_is_gone(self, ratio: float) -> None:
        # At 130 equity is 1,000 - 1,500: more is missing than any part of 50 would give back.
        plan = replace(SMALL, margin_short_ratio=ratio)
        bars: list[Bar] = [FLAT, FLAT, (130.0, 130.0, 129.0, 130.0)]
        assert filled(bars, {0: sells(qty=50.0)}, plan) == [(1, -50.0, 100.0), (2, 50.0, 130.0)]

    def test_exact_cover_is_enough(self) -> None:
        # At 100 equity and margin are both 1,000.
        assert filled([FLAT] * 4, {0: sells(qty=10.0)}, SMALL) == [(1, -10.0, 100.0)]

    def test_long_in_full_is_called_only_for_its_costs(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, (100.0, 100.0, 10.0, 20.0)]
        assert filled(bars, {0: buys(qty=10.0)}, SMALL) == [(1, 10.0, 100.0)]

    def test_less_than_a_step_missing_closes_one_contract(self) -> None:
        coarse = Instrument("C", tick_size=0.1, qty_step=0.5)
        # At 100.1: equity 999, margin 1,001; 2 / 100.1 is less than half a contract.
        bars: list[Bar] = [FLAT, FLAT, (100.0, 100.1, 99.9, 100.0)]
        rows = fills(play(bars, {0: sells(qty=10.0)}, SMALL, instrument=coarse))
        assert rows[1:] == [(2, 1.0, 100.1)]

    def test_it_never_closes_more_than_there_is(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, (100.0, 180.0, 99.0, 170.0)]
        # At 180: equity 200, margin 1,800; 1,600 / 180 = 8.888, four times that is all 10.
        assert filled(bars, {0: sells(qty=10.0)}, SMALL)[1:] == [(2, 10.0, 180.0)]

    def test_exit_on_the_way_comes_first(self) -> None:
        script: Script = {0: (sells(qty=10.0), exits("X", "S", stop=100.5))}
        bars = [FLAT, FLAT, (100.0, 101.0, 99.5, 100.0)]
        assert filled(bars, script, SMALL)[1:] == [(2, 10.0, 100.5)]

    def test_without_margin_there_is_no_call(self) -> None:
        free = Plan(capital_quote=1_000.0, sizing=LOT, margin_short_ratio=0.0)
        bars: list[Bar] = [FLAT, FLAT, (100.0, 500.0, 99.0, 400.0)]
        assert filled(bars, {0: sells(qty=10.0)}, free) == [(1, -10.0, 100.0)]


def in_day(hour: int) -> int:
    """Return the start of bars of which the third is the first of a new UTC day."""
    return START_MS + (hour - 2) * HOUR_MS


class TestDay:
    """Caps of a trading day close everything and keep the door shut until the next."""

    def rows(
        self, bars: list[Bar], script: Script, plan: Plan, zone: str = "UTC", hour: int = 12
    ) -> list[Row]:
        klines = klines_of(bars, start_ms=in_day(hour))
        instrument = Instrument("Z", tick_size=0.1, qty_step=0.001, time_zone=zone)
        return fills(play(klines, script, plan, FREE, instrument))

    LOSS = plan_with(intraday_loss_quote_max=50.0)

    def test_loss_is_cut_at_the_extreme_that_reaches_it(self) -> None:
        # High first. At 94 ten lots have lost 60 of the 50 allowed: closed there, not at 95.
        bars: list[Bar] = [FLAT, FLAT, (100.0, 101.0, 94.0, 96.0), still(96.0)]
        rows = self.rows(bars, {0: buys(qty=10.0), 2: buys()}, self.LOSS)
        assert rows == [(1, 10.0, 100.0), (2, -10.0, 94.0)]

    def test_loss_that_is_reached_exactly_counts(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, (100.0, 101.0, 95.0, 96.0), still(96.0)]
        assert self.rows(bars, {0: buys(qty=10.0)}, self.LOSS)[1:] == [(2, -10.0, 95.0)]
        less: list[Bar] = [FLAT, FLAT, (100.0, 101.0, 95.1, 96.0), still(96.0)]
        assert self.rows(less, {0: buys(qty=10.0)}, self.LOSS)[1:] == []

    def test_loss_as_a_ratio_is_of_the_equity_at_the_start_of_the_day(self) -> None:
        plan = plan_with(intraday_loss_ratio_max=0.0001)  # 100 of 1,000,000
        bars: list[Bar] = [FLAT, FLAT, (100.0, 100.5, 90.0, 96.0), still(96.0)]
        assert self.rows(bars, {0: buys(qty=10.0)}, plan)[1:] == [(2, -10.0, 90.0)]

    def test_forced_close_names_its_reason_and_slips(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, (100.0, 101.0, 94.0, 96.0)]
        costs = Costs(commission=0.0, slippage_ticks=2)
        result = play(bars, {0: buys(qty=10.0)}, self.LOSS, costs)
        (trade,) = result.trades
        assert (trade.exit_name, trade.exit_price) == (LOSS_CAP_NAME, 93.8)

    def test_loss_of_yesterday_does_not_count_today(self) -> None:
        # The position has lost 40 by midnight (bar 2) and 40 more after it.
        bars: list[Bar] = [FLAT, still(100.0), still(96.0), (96.0, 96.0, 92.0, 92.0)]
        bars[1] = (100.0, 100.0, 96.0, 96.0)
        rows = self.rows(bars, {0: buys(qty=10.0)}, self.LOSS, hour=0)
        assert rows == [(1, 10.0, 100.0)]

    def test_day_begins_at_midnight_of_the_exchange(self) -> None:
        # Midnight in New York is 05:00 UTC in January: bar 2 there, no new day in UTC.
        bars: list[Bar] = [FLAT, (100.0, 100.0, 96.0, 96.0), (96.0, 96.0, 92.0, 92.0)]
        script: Script = {0: buys(qty=10.0)}
        assert self.rows(bars, script, self.LOSS, "America/New_York", hour=5) == [(1, 10.0, 100.0)]
        assert self.rows(bars, script, self.LOSS, "UTC", hour=5)[1:] == [(2, -10.0, 92.0)]

    def test_halted_day_takes_no_order_and_the_next_one_does(self) -> None:
        bars: list[Bar] = [(100.0, 100.0, 90.0, 90.0), *[still(90.0)] * 4]
        start_ms = START_MS - 3 * HOUR_MS
        script: Script = {
            0: buys(qty=10.0),
            1: (buys("M"), orders("O", SELL)),
            2: buys("N"),
            3: buys("P"),
        }
        bars = [FLAT, (100.0, 100.0, 90.0, 90.0), *[still(90.0)] * 3]
        result = play(klines_of(bars, start_ms=start_ms), script, self.LOSS)
        assert fills(result) == [(1, 10.0, 100.0), (1, -10.0, 90.0), (4, 1.0, 90.0)]
        assert result.refusals == {"entries after a cap of the day": 3}

    def test_last_allowed_fill_is_closed_at_its_own_price(self) -> None:
        plan = plan_with(intraday_fills_max=3)
        script: Script = {0: buys(), 1: sells(), 2: buys(), 3: sells()}
        bars = [FLAT, FLAT, still(101.0), still(102.0), still(103.0), FLAT]
        result = play(klines_of(bars, start_ms=in_day(6)), script, plan)
        assert fills(result) == [
            (1, 1.0, 100.0),
            (2, -2.0, 101.0),
            (3, 2.0, 102.0),
            (3, -1.0, 102.0),
        ]
        assert result.trades[-1].exit_name == FILLS_CAP_NAME

    def test_exits_count_as_fills(self) -> None:
        plan = plan_with(intraday_fills_max=2)
        script: Script = {0: buys(), 1: closes("L"), 2: buys(), 3: buys()}
        assert len(filled([FLAT] * 6, script, plan)) == 2

    def test_count_starts_again_the_next_day(self) -> None:
        plan = plan_with(intraday_fills_max=2)
        script: Script = {0: buys(), 1: closes("L"), 3: buys(), 4: closes("L")}
        klines = klines_of([FLAT] * 6, start_ms=in_day(-1))  # midnight is before bar 3
        rows = fills(play(klines, script, plan))
        assert [row[0] for row in rows] == [1, 2, 4, 5]


class TestSizeAndSide:
    """The largest position, and the side that is allowed."""

    TWO = plan_with(position_qty_max=2.0, pyramiding=3)

    @pytest.mark.parametrize("command", [buys(qty=3.0), sells(qty=3.0), buys(qty=3.0, stop=100.0)])
    def test_entry_is_cut_to_the_maximum(self, command: Command) -> None:
        assert abs(filled([FLAT, FLAT], {0: command}, self.TWO)[0][1]) == 2.0

    def test_adds_are_cut_to_what_is_left(self) -> None:
        script: Script = {0: buys("A", qty=1.5), 1: buys("B", qty=1.5), 2: buys("C", qty=1.5)}
        result = play([FLAT] * 4, script, self.TWO)
        assert [row[1] for row in fills(result)] == [1.5, 0.5]
        assert sum(result.refusals.values()) == 2

    def test_reversal_closes_and_opens_up_to_the_maximum(self) -> None:
        script: Script = {0: buys(qty=2.0), 1: sells(qty=3.0)}
        assert [row[1] for row in filled([FLAT] * 3, script, self.TWO)] == [2.0, -4.0]

    def test_forbidden_side_does_not_open(self) -> None:
        result = play([FLAT] * 3, {0: sells()}, plan_with(direction=Direction.LONG))
        assert not result.fills
        assert sum(result.refusals.values()) == 1
        assert not filled([FLAT] * 3, {0: buys()}, plan_with(direction=Direction.SHORT))

    def test_forbidden_side_still_closes(self) -> None:
        plan = plan_with(direction=Direction.LONG)
        assert filled([FLAT] * 4, {0: buys(), 1: sells(qty=2.0)}, plan) == [
            (1, 1.0, 100.0),
            (2, -1.0, 100.0),
        ]
