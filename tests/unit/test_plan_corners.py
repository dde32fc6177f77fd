"""Where settings of a plan meet: corners that an unfriendly reader found, each worked by hand.

Bars of an hour, without costs. Wishes are by bar: +1 long, -1 short, 0 out.
"""

import pytest

from engines.errors import PlanFault
from engines.instrument import Instrument
from engines.plan import (
    Basis,
    Breakeven,
    CloseRule,
    CustomLadder,
    DcaLadder,
    Direction,
    EntryKind,
    EntryTerms,
    Exits,
    LateTarget,
    Market,
    Plan,
    Reentry,
    Rung,
    Sizing,
    SizingKind,
    Target,
)
from engines.trades import ExitReason
from tests.unit.market import TENTHS, Bar, Wishes, buys, plan_with, play, still

FLAT = still(100.0)
LIMIT = EntryTerms(EntryKind.LIMIT, offset_ratio=0.02, timeout_bars=5)
WHOLE = Instrument(TENTHS.symbol, tick_size=0.1, qty_step=1.0)


def pairs_of(qty: float) -> Sizing:
    """Return a fixed quantity."""
    return Sizing(SizingKind.QTY, qty)


def test_kelly_without_a_loss_bets_its_fraction_of_the_win_rate() -> None:
    sizing = Sizing(SizingKind.KELLY, 0.5, trades=3, trades_min=2)
    plan = Plan(sizing=sizing, exits=Exits(take_profit_ratio=0.005))
    bars: list[Bar] = [(100.0, 101.0, 100.0, 100.0)] * 6
    trades = play(bars, Wishes(dict.fromkeys(range(1, 5), 1)), plan).trades
    # Two wins of two: half of 10,000 (and the two profits) at 100.
    assert trades[2].qty == pytest.approx(50.0, rel=0.001)


@pytest.mark.parametrize(("qty", "refusals"), [(1.0, 1), (4.0, 1)])
def test_ladder_without_room_for_its_entry_is_not_placed(qty: float, refusals: int) -> None:
    # Five orders share 1 or 4 whole contracts by 1 : 1.5 : 2.25 : ...: the entry gets none.
    plan = plan_with(sizing=pairs_of(qty), ladder=DcaLadder(range_ratio=0.05))
    result = play([FLAT] * 6, Wishes({1: 1}), plan, instrument=WHOLE)
    assert not result.fills
    assert result.refusals == {
        "ladders whose entry is smaller than one quantity step": refusals
    }  # fmt: skip # one reason


def test_rungs_below_a_step_are_counted() -> None:
    ladder = CustomLadder(rungs=(Rung(0.0, 0.75), Rung(0.01, 0.25)))
    plan = plan_with(sizing=pairs_of(2.0), ladder=ladder)
    result = play([FLAT] * 4, Wishes({1: 1}), plan, instrument=WHOLE)
    assert [fill.qty for fill in result.fills] == [1.0]
    assert result.refusals == {"rungs smaller than one quantity step": 1}


def test_breakeven_acts_where_the_target_of_the_signal_takes_the_place_of_several() -> None:
    exits = Exits(
        stop_loss_ratio=0.02,
        targets=(Target(0.01, 0.5), Target(0.02, 0.5)),
        breakeven=Breakeven(0.005),
    )
    # Up to 102 passes the activation at 100.5; back at 100 the stop has followed.
    bars: list[Bar] = [FLAT, FLAT, FLAT, (100.0, 102.0, 100.0, 102.0), (102.0, 102.0, 97.0, 97.0)]
    result = play(bars, Wishes({1: 1}, target={1: 110.0}), plan_with(exits=exits))
    (trade,) = result.trades
    assert (trade.exit_price, trade.exit_reason) == (100.0, ExitReason.BREAKEVEN_SL)


def test_ladder_is_tended_after_fills_at_the_deciding_close() -> None:
    ladder = CustomLadder(rungs=(Rung(0.0, 0.5), Rung(0.05, 0.5)), late_target=LateTarget(1, 0.02))
    plan = plan_with(
        sizing=pairs_of(2.0),
        exits=Exits(take_profit_ratio=0.2),
        ladder=ladder,
        process_on_close=True,
    )
    quiet: Bar = (100.0, 100.5, 100.0, 100.0)
    bars: list[Bar] = [FLAT, FLAT, FLAT, quiet, quiet, (100.0, 103.0, 100.0, 103.0)]
    assert [t.exit_price for t in play(bars, Wishes({1: 1}), plan).trades] == [102.0]


def test_waiting_reversal_leaves_the_open_ladder_its_late_target() -> None:
    ladder = CustomLadder(rungs=(Rung(0.0, 0.5), Rung(0.03, 0.5)), late_target=LateTarget(2, 0.01))
    plan = plan_with(
        sizing=pairs_of(2.0),
        entry=EntryTerms(EntryKind.LIMIT, 0.02, 3),
        ladder=ladder,
        exits=Exits(take_profit_ratio=0.2, basis=Basis.AVERAGE),
    )
    bars: list[Bar] = [
        FLAT, FLAT, (100.0, 100.0, 97.5, 98.0), still(98.0), (98.0, 98.0, 96.0, 96.0),
        still(96.0), (96.0, 99.0, 96.0, 99.0), *[still(99.0)] * 4,
    ]  # fmt: skip # in pairs
    alone = play(bars, Wishes({1: 1}), plan)
    beside = play(bars, Wishes({1: 1, 3: -1}), plan)  # the reversal at 99.96 times out
    assert [t.exit_bar for t in alone.trades] == [6, 6]
    assert [t.exit_bar for t in beside.trades] == [6, 6]


def test_wish_that_cannot_matter_changes_and_counts_nothing() -> None:
    exits = Exits(only_in_profit=True)
    plan = plan_with(exits=exits)
    wants = dict.fromkeys(range(1, 9), 1)
    assert play([FLAT] * 10, Wishes(wants), plan).refusals == {}
    # Every bar from 3 on wants out too, which `only_in_profit` forbids at no profit.
    result = play([FLAT] * 10, Wishes({**wants, **dict.fromkeys(range(3, 9), 0)}), plan)
    assert (len(result.fills), result.refusals) == (1, {})


def test_reversal_that_would_wait_is_passed_over_with_exits_only_in_profit() -> None:
    plan = plan_with(entry=EntryTerms(EntryKind.STOP, 0.02, 9), exits=Exits(only_in_profit=True))
    up, crash = (100.0, 103.0, 100.0, 103.0), (103.0, 103.0, 90.0, 90.0)
    bars: list[Bar] = [FLAT, FLAT, up, still(103.0), crash]
    result = play([*bars, still(90.0)], Wishes({1: 1, 3: -1}), plan)
    assert len(result.fills) == 1
    assert result.refusals == {"reversals that would wait, with exits only in profit": 1}


class TestPositionsInPieces:
    def test_one_position_left_in_pieces_is_one_loss(self) -> None:
        plan = plan_with(
            sizing=pairs_of(5.0),
            ladder=DcaLadder(range_ratio=0.02, orders=3),
            exits=Exits(stop_loss_ratio=0.05, basis=Basis.AVERAGE),
            reentry=Reentry(losses_in_a_row_max=3),
        )
        bars: list[Bar] = [FLAT, FLAT, FLAT, (100.0, 100.0, 90.0, 90.0), *[still(90.0)] * 6]
        result = play(bars, Wishes({1: 1, 6: 1}), plan)
        assert sum(trade.pnl_quote < 0 for trade in result.trades) >= 3
        assert result.refusals == {}

    def test_winning_position_starts_no_cooldown_for_the_piece_that_lost(self) -> None:
        plan = plan_with(
            exits=Exits(targets=(Target(0.02, 0.9), Target(0.05, 0.1)), stop_loss_ratio=0.01),
            reentry=Reentry(cooldown_bars=4),
        )
        up, down = (100.0, 102.0, 100.0, 102.0), (102.0, 102.0, 99.0, 99.0)
        result = play([FLAT, FLAT, FLAT, up, down, *[still(99.0)] * 6], Wishes({1: 1, 5: 1}), plan)
        assert [trade.pnl_quote > 0 for trade in result.trades[:2]] == [True, False]
        assert result.refusals == {}


def test_atr_stop_that_is_not_known_yet_makes_no_unprotected_entry() -> None:
    result = play([FLAT] * 6, Wishes({1: 1}), plan_with(exits=Exits(stop_atr=1.5)))
    assert not result.fills
    assert result.refusals == {"entries before the ATR of their exits is known": 1}


def test_size_of_a_signal_needs_no_risk_to_be_known() -> None:
    plan = plan_with(sizing=Sizing(SizingKind.RISK, 0.01))
    assert play([FLAT] * 6, Wishes({1: 1}, size={1: 0.5}), plan).fills[0].qty == 0.5


def test_limit_below_the_first_tick_waits_at_the_first_tick() -> None:
    plan = plan_with(entry=EntryTerms(EntryKind.LIMIT, 0.6, 2))
    result = play([still(0.1)] * 4, Wishes({1: 1}), plan)
    assert [fill.price for fill in result.fills] == [0.1]


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        ({"market": Market.SPOT, "margin_long_ratio": 0.0}, "market and margin_long_ratio"),
        (
            {"ladder": DcaLadder(), "sizing": Sizing(SizingKind.EQUITY_RATIO, 3.0)},
            "ladder and sizing.value",
        ),
        (
            {"close_rule": CloseRule.ALL, "exits": Exits(targets=(Target(0.01, 1.0),))},
            "close_rule and exits.targets",
        ),
    ],
)
def test_plan_refuses_what_it_could_not_keep(settings: dict[str, object], fields: str) -> None:
    with pytest.raises(PlanFault, match=fields):
        Plan(direction=Direction.LONG, **settings)  # type: ignore[arg-type] # fields by name, any


def test_order_strategy_is_not_sized_by_the_risk_of_a_signal() -> None:
    with pytest.raises(PlanFault, match=r"sizing\.kind and strategy Scripted"):
        play([FLAT] * 3, {0: buys()}, plan_with(sizing=Sizing(SizingKind.RISK, 0.01)))


def test_margin_is_said_by_leverage_or_by_ratios_but_not_by_both() -> None:
    with pytest.raises(PlanFault, match="leverage and margin_short_ratio"):
        Plan(leverage=5.0, margin_short_ratio=0.1)
