"""Levels that count from the average price or the last fill, and move with every fill that adds.

A long of 100.0 adds at 98.0 (average 99.0, last 98.0) or, scaling in, at 102.0 (average 101.0).
Ticks are used where the base price is not 100, so that every case mirrors; ratios are at the end.
"""

from typing import Any

import pytest

from engines.plan import Basis
from engines.trades import ExitReason, Side
from tests.unit.market import Bar, Script, still
from tests.unit.mirror import BOTH_SIDES, Exit, Mirror

FLAT = still(100.0)
STOP, TARGET = ExitReason.STOP_LOSS, ExitReason.TAKE_PROFIT
MOVED, TRAILED = ExitReason.BREAKEVEN_SL, ExitReason.TRAILING_STOP
# High first (0.2 < 1.7): the limit at 98.0 fills on the way to 97.8.
DIP: Bar = (99.5, 99.7, 97.8, 98.2)
# Low first (0.2 < 1.9): the stop order at 102.0 fills on the way to 102.4.
RISE: Bar = (100.5, 102.4, 100.3, 102.2)


def exited(market: Mirror, bars: list[Bar], **terms: Any) -> list[Exit]:
    """Return the exits of an entry at 100.0 and one at 98.0 that share a bracket."""
    script: Script = {
        0: (market.enters(), market.enters("M", limit=98.0), market.exits("X", **terms)),
    }
    return market.exited([FLAT, FLAT, *bars], script)


def exited_rising(market: Mirror, bars: list[Bar], **terms: Any) -> list[Exit]:
    """Return the exits of an entry at 100.0 and one at 102.0 that share a bracket."""
    script: Script = {
        0: market.enters(),
        1: (market.enters("M", stop=102.0), market.exits("X", **terms)),
    }
    return market.exited([FLAT, FLAT, *bars], script)


@BOTH_SIDES
class TestTarget:
    # A profit of 1.0 from 100 and 98 each, from 99, and from 98.
    LEVELS = (
        (Basis.ENTRY, [(3, 99.0, TARGET), (4, 101.0, TARGET)]),
        (Basis.AVERAGE, [(4, 100.0, TARGET), (4, 100.0, TARGET)]),
        (Basis.LAST, [(3, 99.0, TARGET), (3, 99.0, TARGET)]),
    )

    @pytest.mark.parametrize(("basis", "expected"), LEVELS)
    def test_it_counts_from_the_base_price(
        self, market: Mirror, basis: Basis, expected: list[Exit]
    ) -> None:
        bars = [DIP, (98.2, 99.5, 98.1, 99.4), (99.4, 101.5, 99.3, 101.4)]
        assert exited(market, bars, profit_ticks=10, basis=basis) == expected

    def test_before_the_second_fill_it_is_that_of_the_first(self, market: Mirror) -> None:
        # High first: 101.0 comes before 97.0; the limit then opens a position of its own.
        bars: list[Bar] = [(100.1, 101.1, 97.0, 97.0)]
        expected = [(2, 101.0, TARGET)]
        assert exited(market, bars, profit_ticks=10, basis=Basis.AVERAGE) == expected

    def test_fill_and_new_target_in_one_bar(self, market: Mirror) -> None:
        # Low first (0.6 < 2.5): 98.0 fills, the target falls to 100.0, the high 101.0 takes it.
        bars: list[Bar] = [(98.5, 101.0, 97.9, 100.5)]
        expected = [(2, 100.0, TARGET), (2, 100.0, TARGET)]
        assert exited(market, bars, profit_ticks=10, basis=Basis.AVERAGE) == expected

    def test_a_level_already_passed_fills_at_once(self, market: Mirror) -> None:
        # Three lots at 102.9 lift the average to (100 + 3 x 102.9) / 4 = 102.175: a target of 0.5
        # is at 102.675 -> 102.7, behind the price that has just been paid.
        script: Script = {
            0: market.enters(),
            1: (
                market.enters("M", stop=102.9, qty=3.0),
                market.exits("X", profit_ticks=5, basis=Basis.AVERAGE),
            ),
        }
        # Entries that an open has passed fill before exits, so the average is there in time.
        bars = [FLAT, FLAT, still(102.9)]
        result = market.play(bars, script)
        assert market.fills(result) == [
            (1, 1.0, 100.0),
            (2, 3.0, 102.9),
            (2, -3.0, 102.9),
            (2, -1.0, 102.9),
        ]
        assert {trade.exit_reason for trade in result.trades} == {TARGET}


@BOTH_SIDES
class TestStop:
    def test_it_falls_with_the_average(self, market: Mirror) -> None:
        # A loss of 3.0: 97.0 from the first entry, 96.0 from 99.0, 95.0 from 98.0.
        bars: list[Bar] = [DIP, (98.2, 98.3, 94.0, 94.5)]
        for basis, price in ((Basis.AVERAGE, 96.0), (Basis.LAST, 95.0)):
            expected = [(3, price, STOP), (3, price, STOP)]
            assert exited(market, bars, loss_ticks=30, basis=basis) == expected
        expected = [(3, 97.0, STOP), (3, 95.0, STOP)]
        assert exited(market, bars, loss_ticks=30, basis=Basis.ENTRY) == expected

    def test_a_partial_exit_does_not_move_it(self, market: Mirror) -> None:
        # The first entry's row is closed (average now 98.0); the stop stays 3.0 below 99.0.
        script: Script = {
            0: (
                market.enters(),
                market.enters("M", limit=98.0),
                market.exits("X", loss_ticks=30, basis=Basis.AVERAGE),
            ),
            2: lambda ctx: ctx.close_entry("L"),
        }
        bars = [FLAT, FLAT, DIP, still(98.2), (98.2, 98.3, 94.0, 94.5)]
        expected = [(3, 98.2, ExitReason.SIGNAL), (4, 96.0, STOP)]
        assert market.exited(bars, script) == expected


@BOTH_SIDES
class TestMovedStops:
    def test_an_armed_trailing_stop_keeps_what_it_has_reached(self, market: Mirror) -> None:
        terms = {"trail_points": 10, "trail_offset": 5, "basis": Basis.AVERAGE}
        # Armed at 101.0; the best 102.4 puts the stop at 101.9, whatever the average is.
        fall: Bar = (102.0, 102.1, 97.0, 97.0)
        expected = [(3, 101.9, TRAILED), (3, 101.9, TRAILED)]
        assert exited_rising(market, [RISE, fall], **terms) == expected

    def test_an_unarmed_one_waits_at_the_new_level(self, market: Mirror) -> None:
        terms = {"trail_points": 10, "trail_offset": 5, "basis": Basis.AVERAGE}
        # After the dip it arms at 100.0 instead of 101.0: best 100.2, stop 99.7.
        up_and_down: Bar = (98.2, 100.2, 98.1, 99.0)
        expected = [(3, 99.7, TRAILED), (3, 99.7, TRAILED)]
        assert exited(market, [DIP, up_and_down], **terms) == expected
        assert exited(market, [DIP, up_and_down], **{**terms, "basis": Basis.ENTRY}) == [
            (3, 99.7, TRAILED)  # armed at 99.0, the second entry's own
        ]


class TestRatios:
    """Ratios of base prices other than 100 for a long, worked out."""

    LONG = Mirror(Side.BUY)

    @pytest.mark.parametrize(
        ("basis", "target"),
        [(Basis.AVERAGE, 100.0), (Basis.LAST, 99.0)],  # 99 x 1.01 = 99.99; 98 x 1.01 = 98.98
    )
    def test_a_target_of_one_percent_rounds_up(self, basis: Basis, target: float) -> None:
        bars = [DIP, (98.2, 100.2, 98.1, 100.1)]
        expected = [(3, target, TARGET), (3, target, TARGET)]
        assert exited(self.LONG, bars, profit_ratio=0.01, basis=basis) == expected

    def test_ratchets_start_again_and_what_they_reached_stays(self) -> None:
        terms = {"loss_ratio": 0.05, "ratchets": ((0.01, 0.0),), "basis": Basis.AVERAGE}
        # 101.0 moved the stop to 100.0; the fill at 102.0 makes the average 101.0, so that the next
        # trigger is 102.01 -> 102.1 and its stop 101.0.
        to_102: Bar = (100.5, 102.0, 100.3, 101.9)
        fall: Bar = (101.8, 101.9, 97.0, 97.0)
        # The second entry's leg has met no trigger yet: its stop is 95.95 -> 95.9.
        expected = [(3, 100.0, MOVED)]
        assert exited_rising(self.LONG, [to_102, fall], **terms) == expected
        expected = [(3, 101.0, MOVED), (3, 101.0, MOVED)]
        assert exited_rising(self.LONG, [RISE, fall], **terms) == expected

    def test_one_entry_alone_is_the_same_whatever_the_basis(self) -> None:
        bars = [FLAT, FLAT, (100.2, 101.3, 100.1, 101.0), (101.0, 101.1, 97.0, 97.0)]
        terms = {"loss_ratio": 0.02, "profit_ratio": 0.05, "ratchets": ((0.01, 0.002),)}
        rows = [
            self.LONG.exited(
                bars,
                {0: (self.LONG.enters(), self.LONG.exits("X", "L", basis=basis, **terms))},
            )
            for basis in Basis
        ]
        assert rows == [[(3, 100.2, MOVED)]] * 3

    def test_the_trailing_distance_is_of_the_base_too(self) -> None:
        # Average 99.0: arms at 100.98 -> 101.0, follows by 0.99 -> 1.0; best 101.5, stop 100.5.
        terms = {"trail_activation_ratio": 0.02, "trail_distance_ratio": 0.01}
        bars = [DIP, (98.2, 101.5, 98.1, 100.0)]
        expected = [(3, 100.5, TRAILED), (3, 100.5, TRAILED)]
        assert exited(self.LONG, bars, basis=Basis.AVERAGE, **terms) == expected

    def test_the_text_of_a_basis_will_do(self) -> None:
        script = {
            0: (self.LONG.enters(), lambda ctx: ctx.exit("X", profit_ratio=0.01, basis="last"))
        }
        assert self.LONG.exited([FLAT, FLAT, still(101.0)], script) == [(2, 101.0, TARGET)]
