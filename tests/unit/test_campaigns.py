"""Ladders at work, by hand: averaging in, scaling in, safety orders, refills, several targets.

Bars are of an hour, without costs; three contracts a campaign unless said otherwise.
"""

from dataclasses import replace
from typing import Any

import pytest

from engines.plan import (
    Basis,
    Breakeven,
    CloseRule,
    CustomLadder,
    DcaLadder,
    EntryKind,
    EntryTerms,
    Exits,
    Ladder,
    LateTarget,
    Plan,
    Rung,
    SafetyOrders,
    Sizing,
    SizingKind,
    Target,
    Trailing,
)
from engines.trades import ExitReason
from tests.unit.market import Bar, Wishes, fills, plan_with, play, still

FLAT = still(100.0)
THREE = Sizing(SizingKind.QTY, 3.0)
# One contract each at the close, 1 % and 2 % below it.
EVEN = DcaLadder(orders=3, range_ratio=0.02, martingale=1.0, log_step=1.0)
DIP: Bar = (100.0, 100.0, 99.0, 99.2)


def ladder_plan(ladder: Ladder = EVEN, **changes: Any) -> Plan:
    """Return a plan of three contracts shared out by a ladder."""
    return plan_with(**{"ladder": ladder, "sizing": THREE, "close_rule": CloseRule.ANY, **changes})


class TestAveragingIn:
    """The first order at market, limits below it for a long."""

    FALL: Bar = (100.0, 100.0, 97.9, 98.0)
    AVERAGE = Exits(take_profit_ratio=0.01, basis=Basis.AVERAGE)

    def test_rungs_fill_on_the_way_down(self) -> None:
        result = play([FLAT, self.FALL], Wishes({0: 1}), ladder_plan())
        assert fills(result) == [(1, 1.0, 100.0), (1, 1.0, 99.0), (1, 1.0, 98.0)]

    def test_short_ladder_is_the_mirror(self) -> None:
        rise: Bar = (100.0, 102.1, 100.0, 102.0)
        result = play([FLAT, rise], Wishes({0: -1}), ladder_plan())
        assert fills(result) == [(1, -1.0, 100.0), (1, -1.0, 101.0), (1, -1.0, 102.0)]

    def test_target_of_the_average_moves_down_with_every_fill(self) -> None:
        # 100 and 99: average 99.5, target 99.5 x 1.01 = 100.495, up to the tick: 100.5.
        bars: list[Bar] = [FLAT, DIP, (99.2, 100.6, 99.2, 100.5)]
        result = play(bars, Wishes({0: 1}), ladder_plan(exits=self.AVERAGE))
        assert fills(result)[2:] == [(2, -1.0, 100.5), (2, -1.0, 100.5)]

    def test_rung_and_average_target_meet_in_one_bar(self) -> None:
        # Down to 99 first (nearer to the open), then up through 100.5.
        bars: list[Bar] = [FLAT, FLAT, (100.0, 101.2, 99.0, 101.0)]
        result = play(bars, Wishes({0: 1}), ladder_plan(exits=self.AVERAGE))
        assert fills(result)[1:] == [(2, 1.0, 99.0), (2, -1.0, 100.5), (2, -1.0, 100.5)]

    def test_stop_below_the_ladder_closes_all_of_it(self) -> None:
        plan = ladder_plan(exits=Exits(stop_loss_ratio=0.05, basis=Basis.AVERAGE))
        # Average of 100, 99, 98 is 99; its stop 94.05, down to 94.0.
        result = play([FLAT, (100.0, 100.0, 93.0, 93.5)], Wishes({0: 1}), plan)
        assert fills(result)[3:] == [(1, -1.0, 94.0)] * 3
        assert {t.exit_reason for t in result.trades} == {ExitReason.STOP_LOSS}

    def test_rungs_go_with_their_position(self) -> None:
        # Up to the target at 101 first, then far down: nothing may be bought any more.
        bars: list[Bar] = [FLAT, (100.0, 101.0, 95.0, 95.0), still(95.0)]
        result = play(bars, Wishes({0: 1}), ladder_plan(exits=self.AVERAGE))
        assert fills(result) == [(1, 1.0, 100.0), (1, -1.0, 101.0)]

    def test_wish_of_its_side_is_passed_over_while_it_is_open(self) -> None:
        result = play([FLAT] * 5, Wishes({0: 1, 1: 1, 2: 1}), ladder_plan())
        assert fills(result) == [(1, 1.0, 100.0)]
        assert result.refusals == {}

    def test_opposite_wish_turns_it_round_with_a_ladder_of_its_own(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, FLAT, (100.0, 100.0, 97.5, 97.6), (97.6, 102.0, 97.6, 102.0)]
        result = play(bars, Wishes({0: 1, 2: -1}), ladder_plan())
        # The long rungs at 99 and 98 are gone; the short ones at 101 and 102 fill.
        short = [(4, -1.0, 101.0), (4, -1.0, 102.0)]
        assert fills(result) == [(1, 1.0, 100.0), (3, -2.0, 100.0), *short]

    def test_martingale_makes_each_order_larger(self) -> None:
        ladder = DcaLadder(orders=3, range_ratio=0.02, martingale=2.0, log_step=1.0)
        plan = ladder_plan(ladder, sizing=Sizing(SizingKind.QTY, 7.0))
        result = play([FLAT, self.FALL], Wishes({0: 1}), plan)
        assert [row[1] for row in fills(result)] == [1.0, 2.0, 4.0]

    def test_budget_of_the_plan_is_shared_out(self) -> None:
        plan = ladder_plan(sizing=Sizing(SizingKind.EQUITY_RATIO, 0.3))
        # A tenth of 1,000,000 each, at 100, 99 and 98, down to the step.
        result = play([FLAT, self.FALL], Wishes({0: 1}), plan)
        assert [row[1] for row in fills(result)] == [1000.0, 1010.101, 1020.408]

    def test_entry_by_limit_takes_its_rungs_with_it_when_it_times_out(self) -> None:
        plan = ladder_plan(entry=EntryTerms(EntryKind.LIMIT, offset_ratio=0.005, timeout_bars=2))
        result = play([FLAT, FLAT, FLAT, self.FALL], Wishes({0: 1}), plan)
        assert fills(result) == []
        assert result.refusals == {"entries that timed out": 1}

    def test_plan_makes_room_for_its_ladder(self) -> None:
        result = play([FLAT] * 3, Wishes({0: 1}), ladder_plan(pyramiding=1))
        assert result.plan.pyramiding == 3

    @pytest.mark.parametrize("ladder", [EVEN, replace(EVEN, refill=True)])
    def test_next_wish_after_the_end_starts_anew(self, ladder: DcaLadder) -> None:
        bars: list[Bar] = [FLAT, (100.0, 101.0, 100.0, 100.0), FLAT, FLAT, FLAT, DIP]
        result = play(bars, Wishes({0: 1, 3: 1}), ladder_plan(ladder, exits=self.AVERAGE))
        first = [(1, 1.0, 100.0), (1, -1.0, 101.0)]
        assert fills(result) == [*first, (4, 1.0, 100.0), (5, 1.0, 99.0)]


class TestBasis:
    """What levels count from where the plan does not say."""

    BARS = (FLAT, DIP, (99.2, 100.6, 99.2, 100.5))  # 100 and 99 bought, then up

    @pytest.mark.parametrize(
        ("refills", "basis", "sold"),
        [
            (False, Basis.AVERAGE, [100.5, 100.5]),  # 99.5 x 1.01 = 100.495
            (True, Basis.ENTRY, [100.0]),  # 99 x 1.01 = 99.99, and 101 for the other
        ],
    )
    def test_a_ladder_counts_from_its_average_unless_its_rungs_refill(
        self, refills: bool, basis: Basis, sold: list[float]
    ) -> None:
        ladder = replace(EVEN, refill=refills)
        for said in (None, basis):
            plan = ladder_plan(ladder, exits=Exits(take_profit_ratio=0.01, basis=said))
            result = play(self.BARS, Wishes({0: 1}), plan)
            assert plan.basis is basis
            assert [price for _, qty, price in fills(result) if qty < 0] == sold

    def test_a_plan_without_a_ladder_counts_from_each_entry(self) -> None:
        assert Plan(pyramiding=3).basis is Basis.ENTRY

    def test_what_the_plan_says_goes_before(self) -> None:
        for basis in Basis:
            assert ladder_plan(exits=Exits(basis=basis)).basis is basis


class TestScalingIn:
    def test_rungs_with_the_position_are_stops(self) -> None:
        ladder = CustomLadder(rungs=(Rung(0.0, 0.5), Rung(-0.01, 0.25), Rung(-0.02, 0.25)))
        plan = ladder_plan(ladder, sizing=Sizing(SizingKind.QTY, 4.0))
        result = play([FLAT, (100.0, 102.5, 100.0, 102.0)], Wishes({0: 1}), plan)
        assert fills(result) == [(1, 2.0, 100.0), (1, 1.0, 101.0), (1, 1.0, 102.0)]


class TestSafetyOrders:
    def test_orders_are_ratios_of_equity(self) -> None:
        ladder = SafetyOrders(
            base_ratio=0.1, safety_ratio=0.1, orders=2, deviation_ratio=0.01, step=1.5, volume=1.1
        )
        # 1 % and 1 % + 1.5 % below; 10 %, 10 % and 11 % of 1,000,000.
        result = play([FLAT, (100.0, 100.0, 97.0, 97.5)], Wishes({0: 1}), ladder_plan(ladder))
        assert [row[2] for row in fills(result)] == [100.0, 99.0, 97.5]
        assert [row[1] for row in fills(result)] == [1000.0, 1010.101, 1128.205]


class TestGrid:
    """Even rungs, each with a target of its own one step up, put back when it has paid."""

    PLAN = ladder_plan(replace(EVEN, refill=True), exits=Exits(take_profit_ratio=0.01))
    BARS = (
        FLAT,
        DIP,  # first at 100, rung at 99
        (99.2, 100.1, 99.2, 100.0),  # the rung's target 99 x 1.01 = 99.99 -> 100.0
        (100.0, 100.0, 98.9, 99.0),  # bought again at 99
    )

    def test_rung_waits_again_after_its_target(self) -> None:
        result = play(self.BARS, Wishes({0: 1}), self.PLAN)
        round_trip = [(1, 1.0, 99.0), (2, -1.0, 100.0), (3, 1.0, 99.0)]
        assert fills(result) == [(1, 1.0, 100.0), *round_trip]

    def test_without_refill_it_does_not(self) -> None:
        exits = replace(self.PLAN.exits, basis=Basis.ENTRY)
        plan = replace(self.PLAN, ladder=EVEN, exits=exits)
        assert len(play(self.BARS, Wishes({0: 1}), plan).fills) == 3

    def test_refilled_rung_shares_its_targets_out_as_before(self) -> None:
        targets = (Target(0.01, 0.5), Target(0.03, 0.5))
        plan = ladder_plan(
            replace(EVEN, refill=True),
            sizing=Sizing(SizingKind.QTY, 6.0),
            exits=Exits(targets=targets),
            capital_quote=350.0,
        )
        bars: list[Bar] = [
            FLAT,
            (100.0, 101.0, 100.0, 100.9),  # two bought, one sold at its first target
            (100.9, 100.9, 99.0, 99.2),  # a rung of two at 99
            (99.2, 100.0, 99.2, 99.9),  # its first target
            (99.9, 99.9, 98.0, 98.2),  # 350 cannot carry the last rung: nothing opens
            (98.2, 102.0, 98.2, 101.9),  # the rung's last target: it waits again
            (101.9, 101.9, 99.0, 99.2),  # and is bought again
            (99.2, 100.0, 99.2, 99.9),
        ]
        result = play(bars, Wishes({0: 1}), plan)
        assert fills(result)[2:5] == [(2, 2.0, 99.0), (3, -1.0, 100.0), (5, -1.0, 102.0)]
        assert fills(result)[5:] == [(6, 2.0, 99.0), (7, -1.0, 100.0)]


class TestLateTarget:
    def test_target_changes_once_enough_entries_are_open(self) -> None:
        ladder = replace(EVEN, late_target=LateTarget(entries=2, ratio=0.005))
        exits = Exits(take_profit_ratio=0.02, basis=Basis.AVERAGE)
        # Average of 100 and 99 is 99.5: late target 99.9975 -> 100.0, the plan's 101.49 -> 101.5.
        bars: list[Bar] = [FLAT, DIP, (99.2, 100.2, 99.2, 100.1)]
        result = play(bars, Wishes({0: 1}), ladder_plan(ladder, exits=exits))
        assert fills(result)[2:] == [(2, -1.0, 100.0), (2, -1.0, 100.0)]
        plain = play(bars, Wishes({0: 1}), ladder_plan(exits=exits))
        assert len(plain.fills) == 2


class TestSeveralTargets:
    """Half at 1 %, half at 2 %; two contracts from 100."""

    TARGETS = (Target(0.01, 0.5), Target(0.02, 0.5))
    HIT: Bar = (100.5, 101.5, 100.5, 101.0)
    CRASH: Bar = (101.0, 101.0, 96.0, 96.5)

    def plan(self, breakeven: Breakeven | None = None) -> Plan:
        """Return a plan with both targets and a stop 3 % away."""
        exits = Exits(targets=self.TARGETS, stop_loss_ratio=0.03, breakeven=breakeven)
        return plan_with(sizing=Sizing(SizingKind.QTY, 2.0), exits=exits)

    def test_each_target_takes_its_portion(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, self.HIT, (101.0, 102.5, 101.0, 102.0)]
        result = play(bars, Wishes({0: 1}), self.plan())
        assert fills(result)[1:] == [(2, -1.0, 101.0), (3, -1.0, 102.0)]

    def test_stop_holds_for_what_is_left(self) -> None:
        result = play([FLAT, FLAT, self.HIT, self.CRASH], Wishes({0: 1}), self.plan())
        assert fills(result)[1:] == [(2, -1.0, 101.0), (3, -1.0, 97.0)]

    def test_breakeven_moves_the_stop_to_the_entry_after_the_first_target(self) -> None:
        result = play([FLAT, FLAT, self.HIT, self.CRASH], Wishes({0: 1}), self.plan(Breakeven()))
        assert fills(result)[1:] == [(2, -1.0, 101.0), (3, -1.0, 100.0)]
        reasons = [trade.exit_reason for trade in result.trades]
        assert reasons == [ExitReason.TAKE_PROFIT, ExitReason.BREAKEVEN_SL]

    def test_target_and_the_stop_it_moved_meet_in_one_bar(self) -> None:
        # Up to 101 first, then down through the entry: the rest leaves at breakeven in that bar.
        bars: list[Bar] = [FLAT, FLAT, (100.0, 101.0, 96.0, 96.5)]
        result = play(bars, Wishes({0: 1}), self.plan(Breakeven()))
        assert fills(result)[1:] == [(2, -1.0, 101.0), (2, -1.0, 100.0)]

    def test_three_targets_move_the_stop_to_the_target_before(self) -> None:
        targets = (Target(0.01, 0.25), Target(0.02, 0.25), Target(0.03, 0.5))
        plan = plan_with(
            sizing=Sizing(SizingKind.QTY, 4.0),
            exits=Exits(targets=targets, stop_loss_ratio=0.03, breakeven=Breakeven()),
        )
        bars: list[Bar] = [FLAT, FLAT, (100.5, 102.5, 100.5, 102.0), (102.0, 102.0, 99.0, 99.5)]
        result = play(bars, Wishes({0: 1}), plan)
        assert fills(result)[1:] == [(2, -1.0, 101.0), (2, -1.0, 102.0), (3, -2.0, 101.0)]

    def test_of_trailing_stop_and_target_the_nearer_acts(self) -> None:
        exits = Exits(take_profit_ratio=0.03, trailing=Trailing(activation=0.01, distance=0.005))
        # Armed at 101, best 102: stop 102 - 0.5 = 101.5 before the target at 103.
        bars: list[Bar] = [FLAT, FLAT, (100.0, 102.0, 100.0, 101.8), (101.8, 101.8, 101.0, 101.0)]
        result = play(bars, Wishes({0: 1}), plan_with(exits=exits))
        assert fills(result)[1:] == [(3, -1.0, 101.5)]
        assert result.trades[0].exit_reason is ExitReason.TRAILING_STOP
        assert result.trades[0].exit_name == "trailing_stop"
