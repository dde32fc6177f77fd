"""What the commands of one pass mean to each other, and what a wrong command says."""

import math
from typing import Any

import numpy as np
import pytest

from engines.costs import CommissionKind, Costs
from engines.errors import Fault, KlineFault, OrderFault, PlanFault
from engines.klines import DAY_MS
from engines.plan import CloseRule, Direction, Plan, Sizing, SizingKind
from tests.unit.market import (
    BUY,
    SELL,
    Command,
    Script,
    buys,
    cancels_all,
    closes,
    closes_all,
    exits,
    filled,
    klines_of,
    orders,
    plan_with,
    play,
    sells,
    still,
)

QUIET = still(100.0)


class TestImmediateCloses:
    def test_priced_entry_after_an_immediate_close_carries_no_flip(self) -> None:
        script: Script = {0: buys(), 1: (closes_all(immediately=True), sells(stop=95.0))}
        found = filled([QUIET, QUIET, (100.0, 100.0, 94.0, 94.0)], script)
        assert found == [(1, 1.0, 100.0), (1, -1.0, 100.0), (2, -1.0, 95.0)]

    def test_entry_of_the_same_side_after_an_immediate_close_is_accepted(self) -> None:
        script: Script = {0: buys(), 1: (closes_all(immediately=True), buys("M"))}
        found = filled([QUIET] * 3, script)
        assert found == [(1, 1.0, 100.0), (1, -1.0, 100.0), (2, 1.0, 100.0)]

    def test_cancel_all_takes_back_an_immediate_close(self) -> None:
        script: Script = {0: buys(), 1: (closes_all(immediately=True), cancels_all())}
        assert filled([QUIET] * 3, script) == [(1, 1.0, 100.0)]


class TestBracketsForAllEntries:
    def test_bracket_ends_with_the_position_it_belonged_to_at_a_reversal(self) -> None:
        script: Script = {0: (buys(), exits("x", stop=95.0, limit=105.0)), 2: sells()}
        found = filled([QUIET] * 5, script)
        assert found == [(1, 1.0, 100.0), (3, -2.0, 100.0)]

    def test_bracket_ends_with_a_liquidated_position(self) -> None:
        plan = Plan(capital_quote=10_000.0, margin_long_ratio=0.1)
        script = {0: buys(qty=950.0), 1: exits("x", stop=50.0), 3: buys("M", qty=1.0)}
        bars = [QUIET, QUIET, still(90.0), still(91.0), still(91.0), (91.0, 91.0, 40.0, 40.0)]
        found = filled(bars, script, plan)
        assert found[0] == (1, 950.0, 100.0)
        assert found[-1] == (4, 1.0, 91.0)


def test_realised_loss_beyond_the_cap_ends_the_day_although_nothing_is_held() -> None:
    script: Script = {0: (buys(qty=10.0), exits("x", stop=95.0)), 3: buys("M")}
    plan = plan_with(intraday_loss_quote_max=100.0)
    found = filled([QUIET, QUIET, still(80.0), still(80.0), still(80.0)], script, plan)
    assert found == [(1, 10.0, 100.0), (2, -10.0, 80.0)]


def test_undefined_trail_price_leaves_the_trail_as_it_was() -> None:
    again = exits("x", "L", trail_points=50, trail_offset=30, trail_price=math.nan)
    script = {0: buys(), 1: again, 2: again, 3: again}
    bars = [QUIET, QUIET, (100.0, 106.0, 100.0, 104.0), (104.0, 104.0, 102.0, 102.0), QUIET]
    assert filled(bars, script)[1:] == [(3, -1.0, 103.0)]


def test_order_issued_again_with_another_group_rule_takes_it() -> None:
    def pair(kind: str) -> tuple[Command, Command]:
        terms: dict[str, Any] = {"oca_name": "g", "oca_kind": kind, "qty": 1.0}
        return (
            orders("A", BUY, stop=101.0, **terms),
            orders("C", BUY, stop=102.0, **{**terms, "qty": 2.0}),
        )

    bars = [QUIET, QUIET, (100.0, 103.0, 100.0, 103.0)]
    reduced = filled(bars, {0: pair("reduce")})
    cancelled = filled(bars, {0: pair("reduce"), 1: pair("cancel")})
    assert [row[1] for row in reduced] == [1.0, 1.0]
    assert [row[1] for row in cancelled] == [1.0]


@pytest.mark.parametrize(
    "command",
    [
        buys(""),
        orders("", SELL),
        exits("", "L", stop=95.0),
        closes(""),
        exits("x", "L", loss_ticks=-100),
        exits("x", "L", trail_points=10, trail_offset=-5),
        exits("x", qty=-1.0),
        closes("n", qty=-5.0),
        buys(limit=0.001),
        sells(stop=-3.0),
    ],
)
def test_command_that_cannot_be_meant_is_refused_even_while_flat(command: Command) -> None:
    with pytest.raises(OrderFault):
        filled([QUIET] * 3, {0: command})


class TestSettings:
    def test_plain_text_means_the_member_it_names(self) -> None:
        plan = Plan(direction="long", close_rule="any")  # type: ignore[arg-type] # what users write
        assert plan.direction is Direction.LONG
        assert plan.close_rule is CloseRule.ANY
        kind = Costs(0.001, "per_order").commission_kind  # type: ignore[arg-type] # as above
        assert kind is CommissionKind.PER_ORDER
        assert Sizing("cash", 5.0).kind is SizingKind.CASH  # type: ignore[arg-type] # as above

    @pytest.mark.parametrize(
        "wrong",
        [
            {"direction": "up"},
            {"close_rule": "newest"},
            {"pyramiding": 1.5},
            {"capital_quote": math.inf},
            {"position_qty_max": math.nan},
            {"intraday_fills_max": 1.5},
        ],
    )
    def test_plan_refuses_what_it_cannot_mean(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(PlanFault):
            Plan(**wrong)

    @pytest.mark.parametrize(
        "rates", [[1.0, math.nan, 1.0], [1.0, 0.0, 1.0], [1.0, -1.0, 1.0], [1.0]]
    )
    def test_rates_that_are_no_prices_of_money_are_refused(self, rates: list[float]) -> None:
        with pytest.raises(Fault, match="rates"):
            play([QUIET] * 3, {0: buys()}, rates=np.array(rates))


class TestKlinesAreProtected:
    def test_column_cannot_be_written_to(self) -> None:
        klines = klines_of([QUIET] * 3)
        with pytest.raises(ValueError, match="read-only"):
            klines.close[0] = 1.0

    def test_part_of_good_bars_is_good_however_few_they_are(self) -> None:
        days = klines_of([QUIET] * 5, DAY_MS)
        gap = days.open_time_ms.copy()
        gap[1:] += 2 * DAY_MS
        klines = type(days)("D", DAY_MS, gap, *(days.open,) * 4, days.volume)
        assert len(klines.between(0, 2)) == 2
        with pytest.raises(KlineFault, match="at least one bar"):
            klines.between(0, 0)

    def test_interval_is_a_whole_number(self) -> None:
        with pytest.raises(KlineFault, match="whole number"):
            klines_of([QUIET], 900_000.0)  # type: ignore[arg-type] # the mistake under test
