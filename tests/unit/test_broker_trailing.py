"""Trailing exits: when they arm, what they follow, and where they fill.

Unless said otherwise a long of 100.0 arms at 102.0 (20 ticks) and stops 1.0 (10 ticks) below the
best price since.
"""

import pytest

from engines.costs import Costs
from tests.unit.market import Bar, Row, Script, buys, exits, filled, play, sells, still

FLAT = still(100.0)
TRAIL = exits("X", "L", trail_points=20, trail_offset=10)
NAMES = {"comment_profit": "P", "comment_loss": "S", "comment_trailing": "T"}
ENTRY: Row = (1, 1.0, 100.0)
# Low first: 100.5, 100.4, 103, 102.9. Armed at 102, best 103, stop 102.
ARMING: Bar = (100.5, 103.0, 100.4, 102.9)


def rows_after(*bars: Bar, costs: Costs | None = None) -> list[Row]:
    """Return what follows the entry when the trail was issued with it."""
    rows = filled([FLAT, FLAT, *bars], {0: (buys(), TRAIL)}, costs=costs or Costs(commission=0.0))
    return rows[1:]


def test_stop_follows_the_best_price_and_fills_where_it_is_met() -> None:
    assert rows_after(ARMING) == []
    assert rows_after(ARMING, (102.5, 102.6, 101.0, 101.5)) == [(3, -1.0, 102.0)]
    higher: Bar = (102.9, 105.0, 102.8, 104.5)
    assert rows_after(ARMING, higher, (104.5, 104.5, 103.0, 103.0)) == [(4, -1.0, 104.0)]


def test_it_does_not_work_before_it_is_armed() -> None:
    assert rows_after((100.0, 101.9, 90.0, 95.0), (95.0, 101.9, 80.0, 90.0)) == []


def test_touch_of_the_arming_level_arms() -> None:
    # High first (2 < 3): 100, 102 (armed, stop 101), then down.
    assert rows_after((100.0, 102.0, 97.0, 97.0)) == [(2, -1.0, 101.0)]
    assert rows_after((100.0, 101.9, 97.0, 97.0)) == []


def test_it_may_arm_and_fill_in_one_bar() -> None:
    # 100.5, 100.4, 103 (stop 102), back to 101.
    assert rows_after((100.5, 103.0, 100.4, 101.0)) == [(2, -1.0, 102.0)]


def test_retreat_short_of_the_offset_does_not_fill() -> None:
    assert rows_after((100.5, 103.0, 100.4, 102.1)) == []


def test_gap_below_the_stop_fills_at_the_open() -> None:
    assert rows_after(ARMING, still(101.0)) == [(3, -1.0, 101.0)]


def test_gap_above_the_best_price_moves_the_stop_first() -> None:
    # Opens at 106: best 106, stop 105.
    assert rows_after(ARMING, (106.0, 106.0, 104.0, 104.0)) == [(3, -1.0, 105.0)]


def test_trailing_stop_slips_when_it_fills() -> None:
    slipped = Costs(commission=0.0, slippage_ticks=3)
    rows = rows_after((100.0, 103.0, 100.0, 101.0), (100.0, 103.6, 100.0, 101.0), costs=slipped)
    # Entry at 100.3: arms at 102.3, best 103, stop 102, filled at 101.7.
    assert rows == [(2, -1.0, 101.7)]


@pytest.mark.parametrize("terms", [{"trail_offset": 0}, {}])
def test_without_an_offset_it_fills_at_the_arming_level(terms: dict[str, float]) -> None:
    script: Script = {0: (buys(), exits("X", "L", trail_points=20, **terms))}
    assert filled([FLAT, FLAT, ARMING], script)[1:] == [(2, -1.0, 102.0)]
    assert filled([FLAT, FLAT, still(104.0)], script)[1:] == [(2, -1.0, 104.0)]


def test_fraction_of_a_tick_is_rounded_away_from_the_entry() -> None:
    script: Script = {0: (buys(), exits("X", "L", trail_points=10.0018, trail_offset=0))}
    assert filled([FLAT, FLAT, (100.0, 101.0, 100.0, 100.0)], script) == [ENTRY]
    assert filled([FLAT, FLAT, (100.0, 101.1, 100.0, 100.0)], script)[1] == (2, -1.0, 101.1)


def test_fraction_of_an_offset_is_cut_off() -> None:
    script: Script = {0: (buys(), exits("X", "L", trail_points=20, trail_offset=10.9))}
    assert filled([FLAT, FLAT, (100.0, 103.0, 100.0, 101.0)], script)[1] == (2, -1.0, 102.0)


def test_trail_price_arms_at_a_price() -> None:
    script: Script = {0: (buys(), exits("X", "L", trail_price=102.0, trail_offset=10))}
    assert filled([FLAT, FLAT, (100.0, 103.0, 100.0, 101.0)], script)[1] == (2, -1.0, 102.0)
    assert filled([FLAT, FLAT, (100.0, 101.9, 100.0, 100.0)], script) == [ENTRY]


def test_short_trail_is_the_mirror_image() -> None:
    script: Script = {0: (sells(), exits("X", "S", trail_points=20, trail_offset=10))}
    # High first: 100, 100.1, 97 (armed at 98, stop 98), up to 99.
    assert filled([FLAT, FLAT, (100.0, 100.1, 97.0, 99.0)], script)[1] == (2, 1.0, 98.0)


class TestInTheEntryBar:
    """Only what the path visits after the entry counts."""

    def test_extreme_before_the_entry_is_not_followed(self) -> None:
        # High first (3 < 6): 100, 103, 94, 95. The limit entry at 96 comes after the high of 103.
        trail = exits("X", "L", trail_points=5, trail_offset=2)
        rows = filled([FLAT, (100.0, 103.0, 94.0, 95.0)], {0: (buys(limit=96.0), trail)})
        assert rows == [(1, 1.0, 96.0)]

    def test_extreme_after_the_entry_is_followed(self) -> None:
        # Low first (1 < 3): 100, 99, 103, 102. Entry 101, armed at 102, best 103, stop 102.5.
        trail = exits("X", "L", trail_points=10, trail_offset=5)
        rows = filled([FLAT, (100.0, 103.0, 99.0, 102.0)], {0: (buys(stop=101.0), trail)})
        assert rows == [(1, 1.0, 101.0), (1, -1.0, 102.5)]


class TestIssuedInPosition:
    """A trail issued later arms on the issuing close, never on its bar's extremes."""

    def rows(self, close: float, following: Bar, *, high: float = 105.0) -> list[Row]:
        bars = [FLAT, (100.0, high, 100.0, close), following]
        return filled(bars, {0: buys(), 1: TRAIL})[1:]

    def test_close_beyond_the_level_arms(self) -> None:
        # Best is the close of 102.5, not the high of 105: the stop is 101.5.
        assert self.rows(102.5, (102.4, 102.4, 101.0, 101.0)) == [(2, -1.0, 101.5)]

    def test_close_equal_to_the_level_arms(self) -> None:
        assert self.rows(102.0, (101.9, 101.9, 100.5, 100.5)) == [(2, -1.0, 101.0)]

    def test_close_short_of_the_level_does_not_arm(self) -> None:
        assert self.rows(101.9, (101.8, 101.8, 95.0, 95.0)) == []

    def test_next_open_beyond_the_stop_fills_at_the_open(self) -> None:
        assert self.rows(102.5, still(99.0)) == [(2, -1.0, 99.0)]


class TestReissued:
    """The same trail keeps what it has reached; a changed one starts again from the close."""

    FALLING: Bar = (102.8, 102.8, 101.0, 101.0)

    def test_same_terms_keep_the_best_price(self) -> None:
        script: Script = {0: (buys(),), 1: (TRAIL,), 2: (TRAIL,)}
        assert filled([FLAT, FLAT, ARMING, self.FALLING], script)[1:] == [(3, -1.0, 102.0)]

    def test_changed_limit_keeps_the_best_price(self) -> None:
        other = exits("X", "L", trail_points=20, trail_offset=10, limit=150.0)
        script: Script = {0: (buys(),), 1: (TRAIL,), 2: (other,)}
        assert filled([FLAT, FLAT, ARMING, self.FALLING], script)[1:] == [(3, -1.0, 102.0)]

    def test_changed_offset_starts_from_the_close(self) -> None:
        # Best is now the close of 102.9; 5 ticks below it is 102.4.
        other = exits("X", "L", trail_points=20, trail_offset=5)
        script: Script = {0: (buys(),), 1: (TRAIL,), 2: (other,)}
        assert filled([FLAT, FLAT, ARMING, self.FALLING], script)[1:] == [(3, -1.0, 102.4)]


class TestBesideOtherLevels:
    """Stop, limit and trail of one exit: whichever the path meets first."""

    @pytest.mark.parametrize(
        ("terms", "bar", "price", "name"),
        [
            # The limit lies on the way up: the trail never gets to fall back.
            ({"limit": 102.5}, (100.0, 103.0, 100.0, 101.0), 102.5, "P"),
            ({"limit": 104.0}, (100.0, 103.0, 100.0, 101.0), 102.0, "T"),
            ({"stop": 99.0}, (100.0, 103.0, 100.0, 101.0), 102.0, "T"),
            ({"stop": 99.0}, (100.0, 101.9, 98.0, 98.0), 99.0, "S"),
        ],
    )
    def test_first_level_on_the_path_fills(
        self, terms: dict[str, float], bar: Bar, price: float, name: str
    ) -> None:
        leave = exits("X", "L", trail_points=20, trail_offset=10, **terms, **NAMES)
        result = play([FLAT, FLAT, bar], {0: (buys(), leave)})
        (trade,) = result.trades
        assert (trade.exit_price, trade.exit_name) == (price, name)

    @pytest.mark.parametrize(
        ("stop", "price", "name"), [(101.9, 102.0, "T"), (102.0, 102.0, "S"), (102.2, 102.2, "S")]
    )
    def test_nearer_of_stop_and_trail_fills_and_the_stop_where_they_are_equal(
        self, stop: float, price: float, name: str
    ) -> None:
        # Issued at the close of 102.9, above all stops; best 103 at the next high, trail at 102.
        leave = exits("X", "L", trail_points=20, trail_offset=10, stop=stop, **NAMES)
        bars: list[Bar] = [FLAT, FLAT, still(102.9), (102.9, 103.0, 101.0, 101.0)]
        (trade,) = play(bars, {0: (buys(),), 2: (leave,)}).trades
        assert (trade.exit_price, trade.exit_name) == (price, name)
