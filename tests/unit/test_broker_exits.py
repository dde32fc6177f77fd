"""Exit brackets: their levels, how much they hold of an entry, and how long they live."""

import pytest

from engines.costs import Costs
from engines.instrument import Instrument
from tests.unit.market import (
    BUY,
    ONE_LOT,
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

FLAT = still(100.0)
RISES: Bar = (100.0, 106.0, 99.9, 105.0)
FALLS: Bar = (100.0, 100.1, 94.0, 95.0)
SLIPPED = Costs(commission=0.0, slippage_ticks=2)


@pytest.mark.parametrize(
    ("terms", "bar", "price", "name"),
    [
        ({"limit": 103.0, "stop": 97.0}, RISES, 103.0, "X"),
        ({"limit": 103.0, "stop": 97.0}, FALLS, 97.0, "X"),
        ({"profit_ticks": 20, "loss_ticks": 10}, RISES, 102.0, "X"),
        ({"profit_ticks": 20, "loss_ticks": 10}, FALLS, 99.0, "X"),
        ({"profit_ratio": 0.04, "loss_ratio": 0.02}, RISES, 104.0, "X"),
        ({"profit_ratio": 0.04, "loss_ratio": 0.02}, FALLS, 98.0, "X"),
        ({"limit": 103.0, "comment": "out"}, RISES, 103.0, "out"),
        ({"limit": 103.0, "comment": "out", "comment_profit": "won"}, RISES, 103.0, "won"),
        ({"stop": 97.0, "comment": "out", "comment_loss": "lost"}, FALLS, 97.0, "lost"),
        # Rounded away from the entry: long limit up, long stop down.
        ({"limit": 103.01}, RISES, 103.1, "X"),
        ({"stop": 97.09}, FALLS, 97.0, "X"),
        ({"limit": 103.000009}, RISES, 103.0, "X"),
        # A price and a distance: the one that is met first.
        ({"limit": 105.0, "profit_ticks": 20}, RISES, 102.0, "X"),
        ({"limit": 101.5, "profit_ticks": 20}, RISES, 101.5, "X"),
        ({"stop": 95.0, "loss_ticks": 10}, FALLS, 99.0, "X"),
        ({"stop": 99.5, "loss_ticks": 10}, FALLS, 99.5, "X"),
    ],
)
def test_long_bracket_fills_at_its_level(
    terms: dict[str, float | str], bar: Bar, price: float, name: str
) -> None:
    result = play([FLAT, FLAT, bar], {0: (buys(), exits("X", "L", **terms))})
    assert fills(result) == [(1, 1.0, 100.0), (2, -1.0, price)]
    assert result.trades[0].exit_name == name


@pytest.mark.parametrize(
    ("terms", "bar", "price"),
    [
        ({"limit": 97.0, "stop": 103.0}, FALLS, 97.0),
        ({"limit": 97.0, "stop": 103.0}, RISES, 103.0),
        ({"profit_ticks": 20, "loss_ticks": 10}, FALLS, 98.0),
        ({"profit_ticks": 20, "loss_ticks": 10}, RISES, 101.0),
        ({"profit_ratio": 0.04, "loss_ratio": 0.02}, FALLS, 96.0),
        ({"profit_ratio": 0.04, "loss_ratio": 0.02}, RISES, 102.0),
        # Short limit down, short stop up.
        ({"limit": 97.09}, FALLS, 97.0),
        ({"stop": 103.01}, RISES, 103.1),
    ],
)
def test_short_bracket_is_the_mirror_image(terms: dict[str, float], bar: Bar, price: float) -> None:
    script: Script = {0: (sells(), exits("X", "S", **terms))}
    assert filled([FLAT, FLAT, bar], script) == [(1, -1.0, 100.0), (2, 1.0, price)]


def test_stop_slips_and_limit_does_not() -> None:
    script: Script = {0: (buys(), exits("X", "L", limit=103.0, stop=97.0))}
    assert filled([FLAT, FLAT, RISES], script, costs=SLIPPED)[1] == (2, -1.0, 103.0)
    assert filled([FLAT, FLAT, FALLS], script, costs=SLIPPED)[1] == (2, -1.0, 96.8)


def test_gap_beyond_a_level_fills_at_the_open() -> None:
    script: Script = {0: (buys(), exits("X", "L", limit=103.0, stop=97.0))}
    assert filled([FLAT, FLAT, still(108.0)], script)[1] == (2, -1.0, 108.0)
    assert filled([FLAT, FLAT, still(92.0)], script)[1] == (2, -1.0, 92.0)
    assert filled([FLAT, FLAT, still(92.0)], script, costs=SLIPPED)[1] == (2, -1.0, 91.8)


class TestWithThePendingEntry:
    """A bracket issued with its entry is live from the entry's fill."""

    def test_it_fills_inside_the_entry_bar(self) -> None:
        script: Script = {0: (buys(), exits("X", "L", limit=103.0, stop=97.0))}
        assert filled([FLAT, RISES], script) == [(1, 1.0, 100.0), (1, -1.0, 103.0)]
        assert filled([FLAT, FALLS], script) == [(1, 1.0, 100.0), (1, -1.0, 97.0)]

    def test_only_the_path_after_the_entry_counts(self) -> None:
        # High first (1 < 4): 100, 101, 96, 98. The limit entry at 97 comes after the high.
        script: Script = {0: (buys(limit=97.0), exits("X", "L", limit=100.5, stop=90.0))}
        assert filled([FLAT, (100.0, 101.0, 96.0, 98.0)], script) == [(1, 1.0, 97.0)]

    def test_the_way_to_the_close_counts(self) -> None:
        # 100, 101, 96, 99: entry at 97 on the way down, target 98.5 on the way to the close.
        script: Script = {0: (buys(limit=97.0), exits("X", "L", limit=98.5, stop=90.0))}
        rows = filled([FLAT, (100.0, 101.0, 96.0, 99.0)], script)
        assert rows == [(1, 1.0, 97.0), (1, -1.0, 98.5)]

    def test_level_on_the_wrong_side_fills_at_once(self) -> None:
        stop: Script = {0: (buys(), exits("X", "L", stop=101.0, limit=105.0))}
        assert filled([FLAT, RISES], stop) == [(1, 1.0, 100.0), (1, -1.0, 100.0)]
        limit: Script = {0: (buys(), exits("X", "L", stop=90.0, limit=98.0))}
        assert filled([FLAT, RISES], limit) == [(1, 1.0, 100.0), (1, -1.0, 100.0)]

    def test_level_on_the_wrong_side_of_an_entry_inside_the_bar_fills_at_its_price(self) -> None:
        # Low first: 100, 99.9, 106. Entry at 102, whose stop 103 is above it already.
        script: Script = {0: (buys(stop=102.0), exits("X", "L", stop=103.0))}
        assert filled([FLAT, RISES], script) == [(1, 1.0, 102.0), (1, -1.0, 102.0)]

    def test_distances_are_taken_from_the_fill(self) -> None:
        script: Script = {0: (buys(), exits("X", "L", profit_ticks=20))}
        bars = [FLAT, still(103.0), (103.0, 106.0, 102.0, 105.0)]
        assert filled(bars, script) == [(1, 1.0, 103.0), (2, -1.0, 105.0)]

    def test_it_is_ignored_when_its_entry_comes_later_in_the_pass(self) -> None:
        script: Script = {0: (exits("X", "L", limit=103.0), buys())}
        assert filled([FLAT, RISES], script) == [(1, 1.0, 100.0)]

    def test_it_ends_with_an_entry_that_never_filled(self) -> None:
        script: Script = {
            0: (buys(limit=90.0), exits("X", "L", limit=103.0)),
            1: (cancels("L"),),
            2: (buys(),),
        }
        assert filled([FLAT, FLAT, FLAT, FLAT, RISES], script) == [(3, 1.0, 100.0)]


class TestReservation:
    """Exits of one entry share its original quantity, first come first served."""

    UP = (100.0, 105.0, 100.0, 104.0)

    def names(self, *commands: Command) -> list[tuple[str, float, float]]:
        script: Script = {0: (buys(qty=2.0), *commands)}
        result = play([FLAT, FLAT, self.UP], script)
        return [(t.exit_name, t.qty, t.exit_price) for t in closed(result)]

    def test_second_exit_gets_the_rest(self) -> None:
        got = self.names(exits("A", "L", qty_ratio=0.5, limit=101.0), exits("B", "L", limit=102.0))
        assert got == [("A", 1.0, 101.0), ("B", 1.0, 102.0)]

    def test_quantity_beyond_the_rest_is_cut(self) -> None:
        got = self.names(
            exits("A", "L", qty=1.5, limit=101.0), exits("B", "L", qty=1.5, limit=102.0)
        )
        assert got == [("A", 1.5, 101.0), ("B", 0.5, 102.0)]

    def test_exit_for_which_nothing_is_left_is_no_order(self) -> None:
        assert self.names(exits("A", "L", limit=103.0), exits("B", "L", limit=101.0)) == [
            ("A", 2.0, 103.0)
        ]

    def test_filled_part_stays_reserved(self) -> None:
        script: Script = {
            0: (buys(qty=2.0), exits("A", "L", qty=1.0, limit=101.0)),
            2: (exits("B", "L", qty=2.0, limit=103.0),),
        }
        rows = filled(
            [FLAT, FLAT, (100.0, 102.0, 100.0, 102.0), (102.0, 104.0, 102.0, 104.0)], script
        )
        assert rows[1:] == [(2, -1.0, 101.0), (3, -1.0, 103.0)]

    def test_exit_without_levels_holds_its_part(self) -> None:
        assert self.names(exits("A", "L", qty=1.5), exits("B", "L", limit=101.0)) == [
            ("B", 0.5, 101.0)
        ]

    def test_ratio_gives_one_step_at_least(self) -> None:
        whole = Instrument("W", tick_size=0.1, qty_step=1.0)
        script: Script = {0: (buys(qty=50.0), exits("A", "L", qty_ratio=0.01, limit=101.0))}
        result = play([FLAT, FLAT, self.UP], script, instrument=whole)
        assert fills(result)[1:] == [(2, -1.0, 101.0)]

    def test_ratio_is_of_the_original_quantity(self) -> None:
        script: Script = {
            0: buys(qty=4.0),
            1: closes("L", qty=2.0),
            2: exits("A", "L", qty_ratio=0.5, limit=101.0),
        }
        assert filled([FLAT, FLAT, FLAT, self.UP], script)[2:] == [(3, -2.0, 101.0)]


class TestLife:
    """A bracket lives until it is replaced, cancelled or used up, or its position has gone."""

    NEAR: Bar = (100.0, 101.5, 100.0, 100.0)

    def test_same_id_replaces(self) -> None:
        script: Script = {
            0: (buys(), exits("X", "L", limit=101.0), exits("X", "L", limit=103.0)),
        }
        assert filled([FLAT, FLAT, self.NEAR], script) == [(1, 1.0, 100.0)]
        assert filled([FLAT, FLAT, RISES], script)[1] == (2, -1.0, 103.0)

    def test_cancelled_exit_does_not_fill(self) -> None:
        both = (buys(), exits("X", "L", limit=101.0))
        for command in (cancels("X"), cancels_all()):
            assert filled([FLAT, FLAT, self.NEAR], {0: both, 1: (command,)}) == [(1, 1.0, 100.0)]

    def test_exit_that_names_no_such_entry_is_ignored(self) -> None:
        script: Script = {0: buys(), 1: exits("X", "other", limit=101.0)}
        assert filled([FLAT, FLAT, RISES], script) == [(1, 1.0, 100.0)]
        assert not filled([FLAT, FLAT, RISES], {0: exits("X", limit=101.0)})

    def test_part_fires_once_for_an_entry_however_often_it_is_issued(self) -> None:
        part = exits("X", "L", qty=1.0, limit=101.0)
        script: Script = {0: buys(qty=3.0), 1: part, 2: part, 3: part}
        assert filled([FLAT, FLAT, self.NEAR, self.NEAR, self.NEAR], script) == [
            (1, 3.0, 100.0),
            (2, -1.0, 101.0),
        ]

    def test_it_ends_with_the_position(self) -> None:
        script: Script = {
            0: (buys(), exits("X", "L", limit=101.0)),
            1: (closes_all(),),
            2: (buys(),),
        }
        rows = filled([FLAT, FLAT, FLAT, FLAT, self.NEAR], script)
        assert rows == [(1, 1.0, 100.0), (2, -1.0, 100.0), (3, 1.0, 100.0)]

    def test_it_never_closes_more_than_is_left(self) -> None:
        script: Script = {
            0: (buys(qty=2.0), exits("X", "L", limit=101.0)),
            1: (orders("O", BUY.opposite, qty=1.5),),
        }
        result = play([FLAT, FLAT, FLAT, self.NEAR], script)
        assert fills(result)[1:] == [(2, -1.5, 100.0), (3, -0.5, 101.0)]
        assert not [trade for trade in result.trades if trade.is_open]

    def test_reversal_cancels_the_exits_of_the_old_position(self) -> None:
        script: Script = {0: (buys(), exits("X", "L", limit=101.0, stop=99.0)), 1: (sells(),)}
        bars = [FLAT, FLAT, FLAT, (100.0, 102.0, 98.0, 100.0)]
        assert filled(bars, script) == [(1, 1.0, 100.0), (2, -2.0, 100.0)]


class TestSeveralEntries:
    """An exit is bound to the entries that it names."""

    PLAN = plan_with(pyramiding=3)

    def test_without_a_name_it_covers_every_entry(self) -> None:
        script: Script = {0: (buys("A"), buys("B", qty=2.0), exits("X", limit=101.0))}
        result = play([FLAT, FLAT, RISES], script, self.PLAN)
        assert fills(result)[2:] == [(2, -1.0, 101.0), (2, -2.0, 101.0)]

    def test_named_one_closes_only_the_quantity_of_its_entry(self) -> None:
        script: Script = {0: (buys("A"), buys("B", qty=2.0), exits("X", "B", limit=101.0))}
        assert filled([FLAT, FLAT, RISES], script, self.PLAN)[2:] == [(2, -2.0, 101.0)]

    def test_distances_are_taken_from_each_entry(self) -> None:
        script: Script = {0: (buys(), exits("X", "L", profit_ticks=30)), 1: (buys(),)}
        bars = [FLAT, FLAT, still(102.0), (102.0, 105.0, 102.0, 105.0)]
        rows = filled(bars, script, self.PLAN)
        assert rows == [(1, 1.0, 100.0), (2, 1.0, 102.0), (3, -1.0, 103.0), (3, -1.0, 105.0)]

    def test_live_exit_covers_a_later_add_and_a_fired_one_does_not(self) -> None:
        part = (buys(), exits("X", "L", profit_ticks=10))
        up: list[Bar] = [FLAT, FLAT, (100.0, 101.0, 100.0, 101.0), still(101.0), still(110.0)]
        fired: list[Row] = [(1, 1.0, 100.0), (2, -1.0, 101.0), (3, 1.0, 101.0)]
        assert filled(up, {0: part, 2: (buys(),)}, self.PLAN) == fired
        two = (buys(qty=2.0), exits("X", "L", qty=1.0, profit_ticks=10))
        kept = filled(up, {0: two, 2: (buys(),)}, self.PLAN)
        assert kept == [(1, 2.0, 100.0), (2, -1.0, 101.0), (3, 1.0, 101.0)]

    def test_pending_reversal_gets_no_bracket_without_a_name(self) -> None:
        script: Script = {0: (buys(),), 1: (sells(), exits("X", limit=99.0, stop=50.0))}
        bars = [FLAT, FLAT, (100.0, 100.0, 97.0, 98.0)]
        assert filled(bars, script, ONE_LOT) == [(1, 1.0, 100.0), (2, -2.0, 100.0)]
