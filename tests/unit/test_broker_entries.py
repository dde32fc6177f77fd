"""Entries and raw orders: when they fill, at what price, and how much they may do."""

import math

import pytest

from engines.costs import Costs
from tests.unit.market import (
    BUY,
    SELL,
    TENTHS,
    Bar,
    Command,
    Row,
    Script,
    buys,
    cancels,
    cancels_all,
    closed,
    closes,
    closes_all,
    exits,
    filled,
    fills,
    orders,
    plan_with,
    play,
    sells,
    still,
)

SLIPPED = Costs(commission=0.0, slippage_ticks=2)
QUIET = still(100.0)


@pytest.mark.parametrize(
    ("command", "bar", "expected"),
    [
        # A market order fills at the open, whatever comes after.
        (buys(), (103.0, 105.0, 101.0, 104.0), [(1, 1.0, 103.0)]),
        (sells(), (103.0, 105.0, 101.0, 104.0), [(1, -1.0, 103.0)]),
        # A touch fills a limit; a tick short of it does not.
        (buys(limit=99.0), (100.0, 101.0, 99.0, 100.0), [(1, 1.0, 99.0)]),
        (buys(limit=99.0), (100.0, 101.0, 99.1, 100.0), []),
        (sells(limit=101.0), (100.0, 101.0, 99.0, 100.0), [(1, -1.0, 101.0)]),
        (sells(limit=101.0), (100.0, 100.9, 99.0, 100.0), []),
        # The same for a stop.
        (buys(stop=101.0), (100.0, 101.0, 99.0, 100.0), [(1, 1.0, 101.0)]),
        (buys(stop=101.0), (100.0, 100.9, 99.0, 100.0), []),
        (sells(stop=99.0), (100.0, 101.0, 99.0, 100.0), [(1, -1.0, 99.0)]),
        (sells(stop=99.0), (100.0, 101.0, 99.1, 100.0), []),
        # A level that the open has passed, or equals, fills at the open.
        (buys(limit=99.0), (97.0, 98.0, 96.0, 97.0), [(1, 1.0, 97.0)]),
        (sells(limit=101.0), (103.0, 104.0, 102.0, 103.0), [(1, -1.0, 103.0)]),
        (buys(stop=101.0), (104.0, 105.0, 103.0, 104.0), [(1, 1.0, 104.0)]),
        (sells(stop=99.0), (97.0, 98.0, 96.0, 97.0), [(1, -1.0, 97.0)]),
        (buys(stop=101.0), (101.0, 105.0, 99.0, 104.0), [(1, 1.0, 101.0)]),
        # A limit beyond the market is marketable and fills at the open, which is better.
        (buys(limit=105.0), (100.0, 101.0, 99.0, 100.0), [(1, 1.0, 100.0)]),
        # An undefined level is no level: a market order.
        (buys(stop=math.nan), (103.0, 105.0, 101.0, 104.0), [(1, 1.0, 103.0)]),
        (buys(limit=math.nan), (103.0, 105.0, 101.0, 104.0), [(1, 1.0, 103.0)]),
    ],
)
def test_entry_fills_where_the_next_bar_meets_it(
    command: Command, bar: Bar, expected: list[Row]
) -> None:
    assert filled([QUIET, bar], {0: command}) == expected


@pytest.mark.parametrize(
    ("command", "bar", "price"),
    [
        (buys(), (103.0, 105.0, 101.0, 104.0), 103.2),
        (sells(), (103.0, 105.0, 101.0, 104.0), 102.8),
        (buys(stop=101.0), (100.0, 102.0, 99.0, 100.0), 101.2),
        (sells(stop=99.0), (100.0, 102.0, 98.0, 100.0), 98.8),
        (buys(stop=101.0), (104.0, 105.0, 103.0, 104.0), 104.2),
        (buys(limit=99.0), (100.0, 101.0, 98.0, 100.0), 99.0),
        (buys(limit=99.0), (97.0, 98.0, 96.0, 97.0), 97.0),
    ],
)
def test_market_and_stop_fills_slip_and_limits_do_not(
    command: Command, bar: Bar, price: float
) -> None:
    assert [row[2] for row in filled([QUIET, bar], {0: command}, costs=SLIPPED)] == [price]


@pytest.mark.parametrize(
    ("command", "bar", "price"),
    [
        (buys(limit=98.96), (100.0, 101.0, 98.0, 100.0), 98.9),
        (sells(limit=101.04), (100.0, 102.0, 98.0, 100.0), 101.1),
        (buys(stop=101.04), (100.0, 102.0, 98.0, 100.0), 101.1),
        (sells(stop=98.96), (100.0, 102.0, 98.0, 100.0), 98.9),
        # Within a ten-thousandth of a tick a level is on the tick.
        (buys(stop=101.000009), (100.0, 102.0, 98.0, 100.0), 101.0),
        (buys(stop=101.000011), (100.0, 102.0, 98.0, 100.0), 101.1),
    ],
)
def test_entry_levels_round_to_the_tick_that_is_harder_to_reach(
    command: Command, bar: Bar, price: float
) -> None:
    assert [row[2] for row in filled([QUIET, bar], {0: command})] == [price]


def test_quantity_rounds_down_to_the_step() -> None:
    assert filled([QUIET, QUIET], {0: buys(qty=1.2349)}) == [(1, 1.234, 100.0)]
    assert filled([QUIET, QUIET], {0: buys(qty=0.3)}) == [(1, 0.3, 100.0)]


class TestStopLimit:
    """The stop wakes one limit order."""

    def test_limit_above_the_trigger_fills_at_the_trigger(self) -> None:
        order = buys(stop=101.0, limit=102.0)
        assert filled([QUIET, (100.0, 103.0, 99.0, 102.5)], {0: order}) == [(1, 1.0, 101.0)]

    def test_limit_below_the_trigger_waits_for_the_way_back(self) -> None:
        # Low first (1 < 2): 100, 99, 102, 100. The trigger is at 101, the fill on the way down.
        order = buys(stop=101.0, limit=100.5)
        assert filled([QUIET, (100.0, 102.0, 99.0, 100.0)], {0: order}) == [(1, 1.0, 100.5)]

    def test_limit_alone_does_not_fill(self) -> None:
        order = buys(stop=105.0, limit=103.0)
        assert not filled([QUIET, (100.0, 104.0, 99.0, 100.0)], {0: order})

    def test_gap_beyond_the_stop_triggers_at_the_open(self) -> None:
        order = buys(stop=101.0, limit=102.0)
        assert filled([QUIET, still(101.5)], {0: order}) == [(1, 1.0, 101.5)]
        waits = [QUIET, (103.0, 104.0, 102.5, 104.0), (103.0, 103.0, 101.0, 101.0)]
        assert filled(waits, {0: order}) == [(2, 1.0, 102.0)]

    def test_it_never_slips(self) -> None:
        order = buys(stop=101.0, limit=102.0)
        bars = [QUIET, (100.0, 103.0, 99.0, 102.5)]
        assert filled(bars, {0: order}, costs=SLIPPED) == [(1, 1.0, 101.0)]

    def test_trigger_survives_the_same_order_and_not_a_changed_one(self) -> None:
        bars = [QUIET, (100.0, 101.0, 100.0, 101.0), (101.0, 101.0, 99.0, 99.0)]
        order = buys(stop=101.0, limit=99.5)
        assert filled([*bars], {0: order, 1: order}) == [(2, 1.0, 99.5)]
        assert not filled(
            [*bars[:2], (100.5, 100.5, 99.0, 99.0)],
            {0: order, 1: buys(stop=101.2, limit=99.5)},
        )


class TestHowMuch:
    """An entry reverses, a raw order nets, and a priced entry has fixed its size when issued."""

    def test_market_entry_reverses_and_opens_its_own_size(self) -> None:
        bars = [QUIET, QUIET, still(102.0), QUIET]
        result = play(bars, {0: buys(qty=2.0), 1: sells(qty=3.0)})
        assert fills(result) == [(1, 2.0, 100.0), (2, -5.0, 102.0)]
        first, second = result.trades
        assert (first.side, first.qty, first.exit_price, first.exit_name) == (BUY, 2.0, 102.0, "S")
        assert (second.side, second.qty, second.is_open) == (SELL, 3.0, True)

    def test_raw_order_only_nets(self) -> None:
        bars = [QUIET, QUIET, still(102.0), QUIET]
        part = play(bars, {0: buys(qty=2.0), 1: orders("O", SELL, qty=0.5)})
        assert [(t.side, t.qty) for t in part.trades] == [(BUY, 0.5), (BUY, 1.5)]
        over = play(bars, {0: buys(qty=2.0), 1: orders("O", SELL, qty=3.0)})
        assert [(t.side, t.qty, t.is_open) for t in over.trades] == [
            (BUY, 2.0, False),
            (SELL, 1.0, True),
        ]

    def test_opposite_stops_issued_while_flat_only_close_each_other(self) -> None:
        bars = [QUIET, (100.0, 102.0, 97.0, 98.0), QUIET]
        # High first (2 < 3): long at 101, then the short stop sells just its own quantity.
        result = play(bars, {0: (buys(stop=101.0), sells(stop=99.0))})
        assert fills(result) == [(1, 1.0, 101.0), (1, -1.0, 99.0)]
        assert not [trade for trade in result.trades if trade.is_open]

    def test_priced_reversal_keeps_its_size_when_the_position_shrinks(self) -> None:
        # 4 long, short stop for 1: 5 in all. Half is closed before; 5 against 2 opens 3 short.
        script: Script = {
            0: buys(qty=4.0),
            1: sells(qty=1.0, stop=95.0),
            2: closes("L", qty=2.0),
        }
        bars = [QUIET, QUIET, QUIET, QUIET, (100.0, 100.0, 94.0, 95.0)]
        result = play(bars, script)
        assert fills(result) == [(1, 4.0, 100.0), (3, -2.0, 100.0), (4, -5.0, 95.0)]
        assert [t.qty for t in result.trades if t.is_open] == [3.0]

    def test_close_queued_before_a_priced_entry_counts_as_flat(self) -> None:
        bars = [QUIET, QUIET, (100.0, 100.0, 94.0, 95.0)]
        close, stop = closes("L"), sells(stop=96.0)
        flat_first = filled(bars, {0: (buys(),), 1: (close, stop)})
        assert flat_first[1:] == [(2, -1.0, 100.0), (2, -1.0, 96.0)]
        long_still = filled(bars, {0: (buys(),), 1: (stop, close)})
        assert long_still[1:] == [(2, -1.0, 100.0), (2, -2.0, 96.0)]

    def test_entry_queued_before_a_priced_entry_counts_as_a_position(self) -> None:
        bars = [QUIET, (100.0, 104.0, 100.0, 103.0)]
        rows = filled(bars, {0: (sells(qty=2.0), buys(stop=103.0))})
        assert rows == [(1, -2.0, 100.0), (1, 3.0, 103.0)]

    def test_entry_below_one_step_still_closes_the_opposite(self) -> None:
        result = play([QUIET, QUIET, still(101.0)], {0: buys(), 1: sells(qty=0.0004)})
        assert fills(result) == [(1, 1.0, 100.0), (2, -1.0, 101.0)]
        assert not [trade for trade in result.trades if trade.is_open]

    def test_order_below_one_step_is_refused_and_counted(self) -> None:
        result = play([QUIET, QUIET], {0: buys(qty=0.0004)})
        assert not result.fills
        assert result.refusals == {"orders smaller than one quantity step": 1}


class TestBook:
    """Orders are known by their id."""

    BARS = (QUIET, QUIET, (100.0, 102.0, 97.0, 98.0), QUIET)

    def test_same_id_replaces_the_pending_order(self) -> None:
        assert filled(self.BARS, {0: buys(limit=95.0), 1: buys(limit=98.5)}) == [(2, 1.0, 98.5)]
        assert not filled(self.BARS, {0: buys(limit=98.5), 1: buys(limit=95.0)})

    def test_entry_and_raw_order_share_their_ids(self) -> None:
        raw = orders("L", BUY, limit=95.0)
        assert not filled(self.BARS, {0: (buys(limit=98.0), raw)})

    def test_cancelled_order_does_not_fill(self) -> None:
        stop, limit = sells(stop=99.0), buys(limit=98.0)
        script: Script = {0: (stop, limit), 1: (cancels("S"),)}
        assert filled(self.BARS, script) == [(2, 1.0, 98.0)]
        assert not filled(self.BARS, {0: (stop, limit), 1: cancels_all()})

    def test_cancel_all_takes_queued_market_orders_too(self) -> None:
        assert not filled(self.BARS, {0: (buys(), cancels_all())})
        kept: Script = {0: buys(), 1: (closes_all(), cancels_all())}
        assert filled(self.BARS, kept) == [(1, 1.0, 100.0)]

    def test_refused_call_still_removes_the_pending_order_of_its_id(self) -> None:
        stop = buys("M", stop=101.0)
        assert filled(self.BARS, {0: (stop, buys())}) == [(1, 1.0, 100.0), (2, 1.0, 101.0)]
        assert filled(self.BARS, {0: (stop, buys()), 1: (stop,)}) == [(1, 1.0, 100.0)]

    def test_orders_wait_until_something_ends_them(self) -> None:
        bars = [*[QUIET] * 50, (100.0, 100.0, 90.0, 95.0)]
        assert filled(bars, {0: buys(limit=95.0)}) == [(50, 1.0, 95.0)]


class TestAtOneOpen:
    """Who goes first when several orders fill at one open."""

    def test_market_orders_fill_in_the_order_of_calls(self) -> None:
        script: Script = {0: (sells(qty=2.0), buys(qty=1.0))}
        assert filled([QUIET, QUIET], script) == [(1, -2.0, 100.0), (1, 3.0, 100.0)]

    def test_market_order_fills_before_a_passed_limit(self) -> None:
        limit = orders("O", SELL, limit=101.0)
        rows = filled([QUIET, still(102.0)], {0: (limit, buys())})
        assert rows == [(1, 1.0, 102.0), (1, -1.0, 102.0)]

    def test_passed_entries_fill_before_passed_exits(self) -> None:
        script: Script = {
            0: buys(),
            1: (
                exits("X", "L", stop=97.0),
                buys("M", limit=96.0),
            ),
        }
        rows = filled([QUIET, QUIET, still(94.0)], script, plan_with(pyramiding=2))
        assert rows[1:] == [(2, 1.0, 94.0), (2, -1.0, 94.0)]

    @pytest.mark.parametrize("is_long_first", [True, False])
    def test_long_stop_fills_first_where_both_equal_the_open(self, is_long_first: bool) -> None:
        both = (buys(stop=100.0), sells(stop=100.0))
        result = play([QUIET, QUIET, QUIET], {0: both if is_long_first else both[::-1]})
        assert fills(result) == [(1, 1.0, 100.0), (1, -1.0, 100.0)]
        assert [(t.side, t.entry_name, t.exit_name) for t in closed(result)] == [(BUY, "L", "S")]


def test_fill_carries_id_name_time_and_commission() -> None:
    script = {0: buys(qty=2.0, comment="go")}
    result = play([QUIET, still(101.0)], script, costs=Costs(commission=0.001))
    (fill,) = result.fills
    assert (fill.order_id, fill.name) == ("L", "go")
    assert fill.time_ms == result.klines.open_time_ms[1]
    assert fill.fee_quote == pytest.approx(0.202)
    assert result.instrument is TENTHS
