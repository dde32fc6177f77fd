"""Closes at market, at once or at the next open, by name, in parts; filling at the close."""

import pytest

from engines.costs import Costs
from engines.plan import CloseRule
from tests.unit.market import (
    SELL,
    Command,
    Row,
    Script,
    buys,
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
SLIPPED = Costs(commission=0.0, slippage_ticks=2)
THREE = plan_with(pyramiding=3)
AT_CLOSE = plan_with(process_on_close=True)


class TestClose:
    """A close reduces what its name has open, at the next open unless it is immediate."""

    def test_close_by_name_fills_at_the_next_open(self) -> None:
        result = play([FLAT, FLAT, still(103.0)], {0: buys(), 1: closes("L")})
        assert fills(result) == [(1, 1.0, 100.0), (2, -1.0, 103.0)]
        assert result.trades[0].exit_name == "Close entry(s) order L"

    def test_close_takes_a_quantity_or_a_ratio_of_what_is_open(self) -> None:
        script: Script = {
            0: buys(qty=4.0),
            1: closes("L", qty=1.0),
            2: closes("L", qty_ratio=0.5),
            3: closes("L", qty=9.0),
        }
        assert [row[1] for row in filled([FLAT] * 5, script)] == [4.0, -1.0, -1.5, -1.5]

    def test_close_of_another_name_or_when_flat_is_ignored(self) -> None:
        assert filled([FLAT] * 3, {0: buys(), 1: closes("M")}) == [(1, 1.0, 100.0)]
        assert not filled([FLAT] * 3, {0: (closes("L"), closes_all())})

    def test_close_in_the_pass_of_the_entry_is_ignored(self) -> None:
        assert filled([FLAT] * 3, {0: (buys(), closes("L"))}) == [(1, 1.0, 100.0)]

    def test_close_of_one_name_leaves_the_others(self) -> None:
        script: Script = {0: (buys("A"), buys("B", qty=2.0)), 1: (closes("B"),)}
        assert filled([FLAT] * 3, script, THREE)[2:] == [(2, -2.0, 100.0)]

    def test_close_all_takes_everything_in_one_fill(self) -> None:
        script: Script = {0: (buys("A"), buys("B", qty=2.0)), 1: (closes_all(comment="out"),)}
        result = play([FLAT] * 3, script, THREE)
        assert fills(result)[2:] == [(2, -3.0, 100.0)]
        assert [(t.entry_name, t.exit_name, t.qty) for t in result.trades] == [
            ("A", "out", 1.0),
            ("B", "out", 2.0),
        ]

    def test_close_all_has_its_own_name(self) -> None:
        result = play([FLAT] * 3, {0: buys(), 1: closes_all()})
        assert result.trades[0].exit_name == "Close position order"

    def test_close_after_partial_closes_takes_only_what_is_left(self) -> None:
        script: Script = {0: (buys(qty=3.0),), 1: (closes("L", qty=1.0), closes_all())}
        result = play([FLAT] * 4, script)
        assert [row[1] for row in fills(result)] == [3.0, -1.0, -2.0]
        assert not [trade for trade in result.trades if trade.is_open]

    def test_close_said_after_a_reversal_finds_nothing(self) -> None:
        script: Script = {0: (buys(),), 1: (sells(), closes("L"))}
        assert filled([FLAT] * 4, script) == [(1, 1.0, 100.0), (2, -2.0, 100.0)]

    def test_close_said_before_a_reversal_leaves_it_only_to_open(self) -> None:
        script: Script = {0: (buys(),), 1: (closes("L"), sells())}
        result = play([FLAT] * 3, script)
        assert fills(result)[1:] == [(2, -1.0, 100.0), (2, -1.0, 100.0)]
        assert result.trades[0].exit_name == "Close entry(s) order L"

    @pytest.mark.parametrize("command", [closes("L"), closes_all()])
    def test_market_close_slips(self, command: Command) -> None:
        script: Script = {0: buys(), 1: command}
        assert filled([FLAT] * 3, script, costs=SLIPPED) == [(1, 1.0, 100.2), (2, -1.0, 99.8)]


class TestImmediately:
    """An immediate close fills at the very close at which it is said."""

    BARS = (FLAT, (100.0, 104.0, 99.0, 103.0), still(110.0))

    def test_it_fills_at_this_close(self) -> None:
        immediate = [(1, 1.0, 100.0), (1, -1.0, 103.0)]
        assert filled(self.BARS, {0: buys(), 1: closes("L", immediately=True)}) == immediate
        assert filled(self.BARS, {0: buys(), 1: closes_all(immediately=True)}) == immediate

    def test_it_slips_against_the_position(self) -> None:
        script: Script = {0: buys(), 1: closes("L", immediately=True)}
        assert filled(self.BARS, script, costs=SLIPPED)[1] == (1, -1.0, 102.8)

    def test_part_of_it_leaves_the_rest_and_its_bracket(self) -> None:
        script: Script = {
            0: (buys(qty=2.0), exits("X", "L", limit=105.0)),
            1: (closes("L", qty=0.5, immediately=True),),
        }
        rows = filled(self.BARS, script)
        assert rows == [(1, 2.0, 100.0), (1, -0.5, 103.0), (2, -1.5, 110.0)]

    def test_position_does_not_change_within_the_pass(self) -> None:
        seen: list[float] = []
        script: Script = {
            0: (buys(),),
            1: (closes_all(immediately=True), lambda ctx: seen.append(ctx.position_qty)),
            2: (lambda ctx: seen.append(ctx.position_qty),),
        }
        play(self.BARS, script)
        assert seen == [1.0, 0.0]


class TestProcessOnClose:
    """Orders fill at the close that decided them."""

    BARS = (FLAT, (100.0, 104.0, 99.0, 103.0), (103.0, 106.0, 101.0, 105.0))

    def test_market_orders_fill_at_the_deciding_close(self) -> None:
        script: Script = {0: buys(), 1: sells(), 2: closes("S")}
        rows: list[Row] = [(0, 1.0, 100.0), (1, -2.0, 103.0), (2, 1.0, 105.0)]
        assert filled(self.BARS, script, AT_CLOSE) == rows

    def test_market_orders_slip_at_the_close(self) -> None:
        assert filled(self.BARS, {1: buys()}, AT_CLOSE, SLIPPED) == [(1, 1.0, 103.2)]

    def test_priced_order_that_the_close_has_passed_fills_at_the_close(self) -> None:
        assert filled(self.BARS, {1: buys(limit=104.0)}, AT_CLOSE) == [(1, 1.0, 103.0)]
        assert filled(self.BARS, {1: buys(stop=102.0)}, AT_CLOSE) == [(1, 1.0, 103.0)]
        assert filled(self.BARS, {1: buys(stop=103.0)}, AT_CLOSE) == [(1, 1.0, 103.0)]

    def test_priced_order_that_it_has_not_passed_waits(self) -> None:
        assert filled(self.BARS, {1: buys(limit=102.0)}, AT_CLOSE) == [(2, 1.0, 102.0)]

    def test_bracket_works_from_the_next_bar(self) -> None:
        script: Script = {0: (buys(), exits("X", "L", limit=102.0, stop=90.0))}
        assert filled(self.BARS, script, AT_CLOSE) == [(0, 1.0, 100.0), (1, -1.0, 102.0)]

    def test_bracket_that_the_close_has_passed_fills_with_it(self) -> None:
        script: Script = {0: (buys(), exits("X", "L", limit=99.0, stop=90.0))}
        assert filled(self.BARS, script, AT_CLOSE) == [(0, 1.0, 100.0), (0, -1.0, 100.0)]

    def test_excursions_begin_with_the_next_bar(self) -> None:
        result = play(self.BARS, {1: buys(), 2: closes("L")}, AT_CLOSE)
        (trade,) = result.trades
        assert (trade.entry_price, trade.exit_price) == (103.0, 105.0)
        assert (trade.mfe_quote, trade.mae_quote) == pytest.approx((3.0, 2.0))


class TestCloseRule:
    """Which rows of the trade list a reduction consumes."""

    BARS = (FLAT, FLAT, still(101.0), still(102.0), still(103.0))

    def trades(self, rule: CloseRule, *, name: str = "B") -> list[tuple[str, float]]:
        script: Script = {0: buys("A"), 1: buys("B", qty=2.0), 2: closes(name)}
        plan = plan_with(pyramiding=2, close_rule=rule)
        return [(t.entry_name, t.qty) for t in closed(play(self.BARS, script, plan))]

    def test_fifo_consumes_the_oldest_whichever_is_named(self) -> None:
        assert self.trades(CloseRule.FIFO) == [("A", 1.0), ("B", 1.0)]
        assert self.trades(CloseRule.FIFO, name="A") == [("A", 1.0)]

    def test_lifo_consumes_the_newest(self) -> None:
        assert self.trades(CloseRule.LIFO) == [("B", 2.0)]
        assert self.trades(CloseRule.LIFO, name="A") == [("B", 1.0)]

    def test_any_consumes_the_one_that_is_named(self) -> None:
        assert self.trades(CloseRule.ANY) == [("B", 2.0)]
        assert self.trades(CloseRule.ANY, name="A") == [("A", 1.0)]

    def test_all_closes_the_whole_position(self) -> None:
        assert self.trades(CloseRule.ALL, name="A") == [("A", 1.0), ("B", 2.0)]

    def test_raw_order_consumes_the_oldest_even_under_any(self) -> None:
        script: Script = {0: buys("A"), 1: buys("B", qty=2.0), 2: orders("O", SELL, qty=2.0)}
        plan = plan_with(pyramiding=2, close_rule=CloseRule.ANY)
        result = play(self.BARS, script, plan)
        assert [(t.entry_name, t.qty) for t in closed(result)] == [("A", 1.0), ("B", 1.0)]

    def test_exit_of_a_consumed_row_still_closes_the_quantity_of_its_entry(self) -> None:
        # B's close consumes A's row and one of B's; A's own bracket is still bound to 1.
        script: Script = {
            0: (buys("A"), exits("X", "A", limit=103.0)),
            1: (buys("B", qty=2.0),),
            2: (closes("B"),),
        }
        result = play(self.BARS, script, plan_with(pyramiding=2))
        assert fills(result)[2:] == [(3, -2.0, 102.0), (4, -1.0, 103.0)]
        assert [(t.entry_name, t.exit_name) for t in result.trades][-1] == ("B", "X")


class TestPyramiding:
    """How many entries of one side a position takes."""

    @pytest.mark.parametrize(("allowed", "taken"), [(0, 1), (1, 1), (2, 2), (3, 3)])
    def test_entries_of_one_side_are_limited(self, allowed: int, taken: int) -> None:
        script: Script = {bar: buys(f"L{bar}") for bar in range(5)}
        result = play([FLAT] * 6, script, plan_with(pyramiding=allowed))
        assert len(result.fills) == taken
        assert sum(result.refusals.values()) == 5 - taken

    def test_entries_of_one_pass_are_counted_when_they_fill(self) -> None:
        script: Script = {0: (buys("A"), buys("B"), buys("C"))}
        assert len(filled([FLAT] * 3, script, plan_with(pyramiding=2))) == 2

    def test_priced_entries_issued_while_flat_all_fill(self) -> None:
        script: Script = {0: (buys("A", stop=101.0), buys("B", stop=102.0))}
        rows = filled([FLAT, (100.0, 103.0, 100.0, 103.0)], script)
        assert rows == [(1, 1.0, 101.0), (1, 1.0, 102.0)]

    def test_partly_closed_entry_keeps_its_place(self) -> None:
        script: Script = {0: buys(qty=2.0), 1: closes("L", qty=1.0), 2: buys("M"), 3: buys("N")}
        assert [row[1] for row in filled([FLAT] * 5, script)] == [2.0, -1.0]

    def test_raw_orders_are_not_limited(self) -> None:
        script: Script = {bar: orders("O", SELL) for bar in range(4)}
        assert len(filled([FLAT] * 6, script)) == 4

    def test_close_before_a_new_entry_makes_room(self) -> None:
        script: Script = {0: (buys(),), 1: (closes_all(), buys("M"))}
        assert [row[1] for row in filled([FLAT] * 3, script)] == [1.0, -1.0, 1.0]
