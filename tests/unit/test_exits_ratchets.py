"""Ratchets: stops that move when the price meets a trigger, and what they meet in one bar.

Unless said otherwise a long of 100.0 with a stop of 2 % (98.0) that moves to the entry at a gain of
1 % (101.0). Every case is played for a short on mirrored bars too.
"""

import math
from typing import Any

import pytest

from engines.errors import OrderFault
from engines.trades import ExitReason
from tests.unit.market import Bar, Script, still
from tests.unit.mirror import BOTH_SIDES, Exit, Mirror, verified

FLAT = still(100.0)
BREAKEVEN: dict[str, Any] = {"loss_ratio": 0.02, "ratchets": ((0.01, 0.0),)}
STEPS = ((0.01, 0.0), (0.02, 0.01), (0.03, 0.02))
STOP, MOVED = ExitReason.STOP_LOSS, ExitReason.BREAKEVEN_SL
TARGET, TRAILED = ExitReason.TAKE_PROFIT, ExitReason.TRAILING_STOP
TRAIL: dict[str, Any] = {"trail_points": 20, "trail_offset": 10}  # arms at 102.0, follows by 1.0
# Low first (0.8 up, 0.1 down): 100.2, 100.1, 101.0, 100.9.
GAIN: Bar = (100.2, 101.0, 100.1, 100.9)


def exited_after(market: Mirror, *bars: Bar, **terms: Any) -> list[Exit]:
    """Return the exits of an entry at 100.0 that has these terms, on these bars from bar 2 on."""
    script = {0: (market.enters(), market.exits("X", "L", **{**BREAKEVEN, **terms}))}
    return market.exited([FLAT, FLAT, *bars], script)


@BOTH_SIDES
class TestBreakeven:
    def test_the_stop_moves_to_the_entry_and_says_so(self, market: Mirror) -> None:
        fall: Bar = (100.8, 100.9, 99.5, 99.6)
        assert exited_after(market, GAIN, fall) == [(3, 100.0, MOVED)]

    def test_short_of_the_trigger_nothing_moves(self, market: Mirror) -> None:
        short_of_it: Bar = (100.2, 100.9, 100.1, 100.9)
        assert exited_after(market, short_of_it, (100.8, 100.9, 99.5, 99.6)) == []
        fall: Bar = (100.8, 100.9, 97.5, 97.6)
        assert exited_after(market, short_of_it, fall) == [(3, 98.0, STOP)]

    def test_an_offset_locks_a_profit_or_leaves_room(self, market: Mirror) -> None:
        # 100 x 1.002 and 100 x 0.995.
        fall: Bar = (100.8, 100.9, 99.0, 99.1)
        assert exited_after(market, GAIN, fall, ratchets=((0.01, 0.002),)) == [(3, 100.2, MOVED)]
        assert exited_after(market, GAIN, fall, ratchets=((0.01, -0.005),)) == [(3, 99.5, MOVED)]

    def test_it_never_loosens_the_stop(self, market: Mirror) -> None:
        # The ratchet would put the stop at 97.
        fall: Bar = (100.8, 100.9, 96.0, 96.1)
        assert exited_after(market, GAIN, fall, ratchets=((0.01, -0.03),)) == [(3, 98.0, STOP)]

    def test_it_needs_no_stop_before(self, market: Mirror) -> None:
        fall: Bar = (100.8, 100.9, 96.0, 96.1)
        assert exited_after(market, GAIN, fall, loss_ratio=None) == [(3, 100.0, MOVED)]
        assert exited_after(market, fall, loss_ratio=None) == []

    def test_a_gap_below_the_moved_stop_fills_at_the_open(self, market: Mirror) -> None:
        assert exited_after(market, GAIN, still(99.0)) == [(3, 99.0, MOVED)]

    def test_triggers_round_to_profit_and_stops_to_loss(self, market: Mirror) -> None:
        # 101.03 is met at 101.1; 100.07 becomes 100.0.
        terms = {"ratchets": ((0.0103, 0.0007),)}
        fall: Bar = (100.8, 100.9, 99.0, 99.1)
        assert exited_after(market, (100.2, 101.0, 100.1, 100.9), fall, **terms) == []
        up: Bar = (100.2, 101.1, 100.1, 100.9)
        assert exited_after(market, up, fall, **terms) == [(3, 100.0, MOVED)]


@BOTH_SIDES
class TestOneBar:
    def test_trigger_then_stop(self, market: Mirror) -> None:
        # High first (1.0 < 1.2): 101.2 moves the stop, the way to 99.0 meets it at 100.
        assert exited_after(market, (100.2, 101.2, 99.0, 99.5)) == [(2, 100.0, MOVED)]

    def test_stop_before_trigger(self, market: Mirror) -> None:
        # Low first (2.3 < 2.7): 98.0 is met before 101.0.
        assert exited_after(market, (100.2, 102.9, 97.9, 101.0)) == [(2, 98.0, STOP)]

    def test_a_low_before_the_trigger_does_not_meet_the_moved_stop(self, market: Mirror) -> None:
        # Low first (1.7 < 2.3): 98.5, then 102.5; the close stays above 100 or does not.
        assert exited_after(market, (100.2, 102.5, 98.5, 100.5)) == []
        assert exited_after(market, (100.2, 102.5, 98.5, 99.9)) == [(2, 100.0, MOVED)]

    def test_entry_trigger_and_stop_in_the_bar_of_the_entry(self, market: Mirror) -> None:
        # Enters at the open 100.0; high first (1.1 < 1.5): 101.1, 98.5.
        script = {0: (market.enters(), market.exits("X", "L", **BREAKEVEN))}
        assert market.exited([FLAT, (100.0, 101.1, 98.5, 99.0)], script) == [(1, 100.0, MOVED)]

    def test_an_entry_inside_the_bar_counts_from_its_own_price(self, market: Mirror) -> None:
        # Low first (0.5 < 1.0): the limit fills at 99.6; trigger 100.596 -> 100.6, stop 99.6.
        # From 99.5 up to 101.0 it moves; on the way to the close 99.5 the stop is met.
        script = {0: (market.enters(limit=99.6), market.exits("X", "L", **BREAKEVEN))}
        bars = [FLAT, (100.0, 101.0, 99.5, 99.5)]
        exit_price = 99.6
        assert market.exited(bars, script) == [(1, exit_price, MOVED)]

    def test_target_after_the_trigger(self, market: Mirror) -> None:
        # 101.0 moves the stop, 102.0 takes the profit; nothing is left for the fall.
        terms = {"profit_ratio": 0.02}
        assert exited_after(market, (100.2, 102.1, 98.0, 99.0), **terms) == [(2, 102.0, TARGET)]

    def test_target_at_the_price_of_the_trigger(self, market: Mirror) -> None:
        terms = {"profit_ratio": 0.01}
        assert exited_after(market, (100.2, 101.2, 98.0, 99.0), **terms) == [(2, 101.0, TARGET)]

    def test_stop_and_target_in_both_orders(self, market: Mirror) -> None:
        terms = {"profit_ratio": 0.02, "ratchets": ()}
        # Low first (2.5 < 3.0), then high first (2.5 < 3.0).
        assert exited_after(market, (100.0, 103.0, 97.5, 100.0), **terms) == [(2, 98.0, STOP)]
        assert exited_after(market, (100.0, 102.5, 97.0, 100.0), **terms) == [(2, 102.0, TARGET)]


@BOTH_SIDES
class TestSeveralLevels:
    def test_each_trigger_moves_the_stop_further(self, market: Mirror) -> None:
        fall: Bar = (100.9, 101.0, 97.0, 97.0)
        one: Bar = (100.2, 101.9, 100.1, 101.0)
        two: Bar = (100.2, 102.4, 100.1, 102.0)
        three: Bar = (100.2, 103.4, 100.1, 103.0)
        assert exited_after(market, one, fall, ratchets=STEPS) == [(3, 100.0, MOVED)]
        # The open 100.9 lies beyond the moved stops 101.0 and 102.0.
        assert exited_after(market, two, fall, ratchets=STEPS) == [(3, 100.9, MOVED)]
        slow: Bar = (102.0, 102.1, 97.0, 97.0)
        assert exited_after(market, two, slow, ratchets=STEPS) == [(3, 101.0, MOVED)]
        assert exited_after(market, three, slow, ratchets=STEPS) == [(3, 102.0, MOVED)]

    def test_a_gap_beyond_several_triggers_moves_by_all_of_them(self, market: Mirror) -> None:
        # Opens at 103.5 beyond 101, 102 and 103: the stop is at 102; high first (0.1 < 2.5).
        gap: Bar = (103.5, 103.6, 101.0, 101.0)
        assert exited_after(market, gap, ratchets=STEPS) == [(2, 102.0, MOVED)]
        assert exited_after(market, (103.5, 103.6, 102.1, 102.2), ratchets=STEPS) == []

    def test_a_gap_beyond_trigger_and_target_takes_the_profit(self, market: Mirror) -> None:
        terms = {"profit_ratio": 0.03, "ratchets": STEPS[:2]}
        assert exited_after(market, still(103.5), **terms) == [(2, 103.5, TARGET)]

    def test_a_second_target_is_moved_at_the_price_of_the_first(self, market: Mirror) -> None:
        script = {
            0: (
                market.enters(),
                market.exits("T1", "L", profit_ratio=0.01, qty_ratio=0.5, loss_ratio=0.02),
                market.exits("T2", "L", profit_ratio=0.02, **BREAKEVEN),
            )
        }
        # High first (0.9 < 1.0): 101.1 takes T1 at 101.0 and moves the stop of T2 to 100.0.
        bar: Bar = (100.2, 101.1, 99.2, 99.5)
        expected = [(2, 101.0, TARGET), (2, 100.0, MOVED)]
        assert market.exited([FLAT, FLAT, bar], script) == expected
        gap = still(101.5)
        expected = [(2, 101.5, TARGET), (3, 100.0, MOVED)]
        assert market.exited([FLAT, FLAT, gap, (101.0, 101.1, 99.0, 99.0)], script) == expected

    def test_a_trigger_is_met_by_touch_where_a_limit_wants_more(self, market: Mirror) -> None:
        script = {
            0: (
                market.enters(),
                market.exits("T1", "L", profit_ratio=0.01, qty_ratio=0.5),
                market.exits("T2", "L", profit_ratio=0.02, **BREAKEVEN),
            )
        }
        # With 2 ticks to verify T1 fills from 101.2 on; 101.1 only moves the stop of T2.
        bars = [FLAT, FLAT, (100.2, 101.1, 99.2, 99.5)]
        assert market.exited(bars, script, verified(2)) == [(2, 100.0, MOVED)]


@BOTH_SIDES
class TestWithTrailing:
    def test_the_nearer_stop_acts_and_names_the_reason(self, market: Mirror) -> None:
        fall: Bar = (101.0, 101.1, 97.0, 97.0)
        below_arming: Bar = (100.2, 101.9, 100.1, 101.5)
        assert exited_after(market, below_arming, fall, **TRAIL) == [(3, 100.0, MOVED)]
        # Best 103.0, trailing stop 102.0 above the moved one.
        armed: Bar = (100.2, 103.0, 100.1, 102.5)
        slow: Bar = (102.5, 102.6, 97.0, 97.0)
        assert exited_after(market, armed, slow, **TRAIL) == [(3, 102.0, TRAILED)]

    def test_at_one_price_the_given_stop_comes_before_the_moved_one(self, market: Mirror) -> None:
        fall: Bar = (102.5, 102.6, 97.0, 97.0)
        armed: Bar = (100.2, 103.0, 100.1, 102.5)
        terms = {**TRAIL, "ratchets": ((0.03, 0.02),)}
        assert exited_after(market, armed, fall, **terms) == [(3, 102.0, MOVED)]
        terms["stop"], terms["loss_ratio"] = 102.0, None
        script = {0: market.enters(), 2: market.exits("X", "L", **terms)}
        assert market.exited([FLAT, FLAT, armed, fall], script) == [(3, 102.0, STOP)]

    def test_trailing_without_a_distance_fills_where_it_arms(self, market: Mirror) -> None:
        terms = {"trail_points": 10, "trail_offset": 0}
        assert exited_after(market, GAIN, **terms) == [(2, 101.0, TRAILED)]

    def test_trailing_stop_and_target_in_one_bar(self, market: Mirror) -> None:
        # Low first: 104.0 lies beyond the arming level and before the target at 105.0.
        terms = {**TRAIL, "profit_ratio": 0.05}
        up: Bar = (100.5, 104.0, 100.4, 101.0)
        assert exited_after(market, up, **terms) == [(2, 103.0, TRAILED)]
        beyond: Bar = (100.5, 105.1, 100.4, 101.0)
        assert exited_after(market, beyond, **terms) == [(2, 105.0, TARGET)]


@BOTH_SIDES
class TestRenewal:
    def test_the_moved_stop_outlives_a_change_of_the_other_levels(self, market: Mirror) -> None:
        change = market.exits("X", "L", loss_ratio=0.03, ratchets=((0.01, 0.0),))
        script: Script = {0: (market.enters(), market.exits("X", "L", **BREAKEVEN)), 2: change}
        fall: Bar = (100.8, 100.9, 99.5, 99.6)
        assert market.exited([FLAT, FLAT, GAIN, fall], script) == [(3, 100.0, MOVED)]

    def test_other_ratchets_start_anew(self, market: Mirror) -> None:
        change = market.exits("X", "L", loss_ratio=0.02, ratchets=((0.05, 0.0),))
        script: Script = {0: (market.enters(), market.exits("X", "L", **BREAKEVEN)), 2: change}
        fall: Bar = (100.8, 100.9, 97.5, 97.6)
        assert market.exited([FLAT, FLAT, GAIN, fall], script) == [(3, 98.0, STOP)]

    def test_a_command_after_the_gain_acts_on_the_close(self, market: Mirror) -> None:
        script = {0: market.enters(), 2: market.exits("X", "L", **BREAKEVEN)}
        closes_above: Bar = (100.2, 101.5, 100.1, 101.2)
        fall: Bar = (100.8, 100.9, 99.5, 99.6)
        assert market.exited([FLAT, FLAT, closes_above, fall], script) == [(3, 100.0, MOVED)]
        assert market.exited([FLAT, FLAT, GAIN, fall], script) == []  # closed below the trigger


@BOTH_SIDES
@pytest.mark.parametrize(
    "ratchets",
    [
        ((0.0, 0.0),),
        ((0.01, 0.01),),
        ((0.02, 0.0), (0.01, 0.0)),
        ((0.01, 0.0), (0.01, 0.005)),
        ((0.01, -1.5),),
        ((math.nan, 0.0),),
        ((0.01, math.nan),),
        ((math.inf, 0.0),),
    ],
    ids=str,
)
def test_ratchets_in_disorder_are_refused(
    market: Mirror, ratchets: tuple[tuple[float, float], ...]
) -> None:
    with pytest.raises(OrderFault, match="ratchets of X"):
        exited_after(market, ratchets=ratchets)
