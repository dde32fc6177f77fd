"""Our trades against a list's: equal means equal to the last digit shown, and a cause is named."""

import math
from dataclasses import replace
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.tv_export import read_trade_list
from engines.klines import HOUR_MS
from engines.parity import ListedTrade, MoneyTolerance, Shown, Terms, compare
from engines.trades import Side, Trade

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth"
needs_truth = pytest.mark.skipif(not TRUTH.is_dir(), reason="../shared/truth is absent")
START_MS = 1_735_689_600_000
CAPITAL = 10_000.0


def our_trade(i: int) -> Trade:
    entry, leave = 100.0 + i, 101.5 + i / 2
    side = Side.BUY if i % 2 == 0 else Side.SELL
    pnl = (leave - entry) * 2.5 * side - 0.3
    return Trade(
        side=side,
        qty=2.5,
        entry_bar=3 * i,
        entry_time_ms=START_MS + 3 * i * HOUR_MS,
        entry_price=entry,
        entry_name="In",
        exit_bar=3 * i + 2,
        exit_time_ms=START_MS + (3 * i + 2) * HOUR_MS,
        exit_price=leave,
        exit_name="Out",
        pnl_quote=pnl,
        pnl_ratio=pnl / (entry * 2.5),
        fee_quote=0.3,
        fee_entry_quote=0.1,
        mfe_quote=5.123,
        mfe_ratio=5.123 / (entry * 2.5),
        mae_quote=1.987,
        mae_ratio=1.987 / (entry * 2.5),
        cumulative_quote=0.0,
    )


def with_sums(trades: list[Trade]) -> list[Trade]:
    """Return the trades with the running sum of their results."""
    sums = accumulate(trade.pnl_quote for trade in trades)
    return [t._replace(cumulative_quote=total) for t, total in zip(trades, sums, strict=True)]


def money(value: float) -> Shown:
    return Shown(round(value, 2) or 0.0)


def percent(value: float) -> Shown:
    return Shown(round(value, 2) or 0.0, 2, False)


def listed_of(ours: list[Trade]) -> list[ListedTrade]:
    listed, total = [], 0.0
    for i, trade in enumerate(ours):
        total += trade.pnl_quote
        listed.append(
            ListedTrade(
                number=i + 1,
                side=trade.side,
                qty=trade.qty,
                entry_time_ms=trade.entry_time_ms,
                entry_price=trade.entry_price,
                entry_name=trade.entry_name,
                exit_time_ms=trade.exit_time_ms,
                exit_price=trade.exit_price,
                exit_name=trade.exit_name,
                position_value=money(trade.entry_price * trade.qty),
                pnl=money(trade.pnl_quote),
                pnl_pct=percent(trade.pnl_ratio * 100),
                mfe=money(trade.mfe_quote),
                mfe_pct=percent(trade.mfe_ratio * 100),
                mae=money(-trade.mae_quote),
                mae_pct=percent(-trade.mae_ratio * 100),
                cumulative=money(total),
                cumulative_pct=percent(total / CAPITAL * 100),
            )
        )
    return listed


OURS = with_sums([our_trade(i) for i in range(12)])
LISTED = listed_of(OURS)


def test_a_list_of_our_own_trades_matches_in_full() -> None:
    report = compare(LISTED, OURS, Terms(capital_quote=CAPITAL))
    assert report.is_equal
    assert (report.matched, report.total, report.total_ours) == (12, 12, 12)
    assert report.text() == "12 of 12 trades match"


@pytest.mark.parametrize(
    ("change", "fields", "cause"),
    [
        ({"entry_price": 105.01}, {"entry_price", "position_value"}, "one tick apart"),
        ({"exit_price": 104.07}, {"exit_price"}, "7 ticks apart"),
        ({"exit_time_ms": START_MS}, {"exit_time"}, "same entry, another exit"),
        ({"qty": 2.6}, {"qty", "position_value"}, "another quantity"),
        ({"entry_name": "Buy"}, {"entry_name"}, "only signal names differ"),
        ({"exit_name": "Stop"}, {"exit_name"}, "only signal names differ"),
        ({"mfe_quote": 5.13}, {"mfe"}, "only excursions differ"),
        ({"mae_quote": 2.0}, {"mae"}, "only excursions differ"),
        ({"pnl_ratio": 0.5}, {"pnl_pct"}, "only money differs"),
        ({"is_open": True}, {"is_open"}, "same entry, another exit"),
    ],
)
def test_each_difference_is_found_and_its_cause_named(
    change: dict[str, object], fields: set[str], cause: str
) -> None:
    ours = [*OURS]
    ours[5] = ours[5]._replace(**change)  # type: ignore[arg-type]  # fields by name, any of them
    report = compare(LISTED, ours, Terms(tick_size=0.01, capital_quote=CAPITAL))
    assert report.matched == 11
    assert {d.field for d in report.differences} == fields
    assert all(d.number == 6 for d in report.differences)
    assert cause in report.cause
    assert "trade 6 differs" in report.text()
    assert "list: short 2.5 in" in report.text()
    assert "ours: " in report.text()


def test_other_results_are_found_in_the_sums_too() -> None:
    ours = [*OURS]
    ours[10] = ours[10]._replace(pnl_quote=ours[10].pnl_quote + 0.02)
    report = compare(LISTED, with_sums(ours))
    assert [(d.number, d.field) for d in report.differences] == [
        (11, "pnl"),
        (11, "cumulative"),
        (12, "cumulative"),
    ]
    assert "commission" in report.cause


def test_times_shifted_by_a_constant_are_a_time_zone() -> None:
    shift = {"entry_time_ms": 3 * HOUR_MS, "exit_time_ms": 3 * HOUR_MS}
    ours = [
        t._replace(
            entry_time_ms=t.entry_time_ms + shift["entry_time_ms"],
            exit_time_ms=t.exit_time_ms + shift["exit_time_ms"],
        )
        for t in OURS
    ]
    report = compare(LISTED, ours)
    assert report.matched == 0
    assert "+180 minutes" in report.cause
    assert "time zone" in report.cause


def test_a_constant_ratio_of_quantities_is_sizing() -> None:
    ours = [t._replace(qty=t.qty * 2) for t in OURS]
    assert "2 times the list's" in compare(LISTED, ours).cause


def test_trades_over_on_either_side_are_named() -> None:
    fewer = compare(LISTED, OURS[:-1])
    assert (fewer.matched, fewer.total, fewer.total_ours) == (11, 12, 11)
    assert "fewer trades" in fewer.cause
    more = compare(LISTED[:-1], OURS)
    assert (more.matched, more.total, more.total_ours) == (11, 11, 12)
    assert "more trades" in more.cause
    assert not more.is_equal
    assert "the list has a trade that we have not" in compare(LISTED, OURS[1:]).cause
    assert "we have a trade that the list has not" in compare(LISTED[1:], OURS).cause


def test_nothing_against_nothing_is_equal() -> None:
    assert compare([], []).is_equal


def test_tolerance_takes_another_currency_but_no_other_price() -> None:
    listed = listed_of([t._replace(pnl_quote=t.pnl_quote * 1.002) for t in OURS])
    assert not compare(listed, OURS).is_equal
    terms = Terms(money=MoneyTolerance())
    assert compare(listed, OURS, terms).is_equal
    ours = [*OURS]
    ours[3] = ours[3]._replace(exit_price=ours[3].exit_price + 0.01)
    assert compare(listed, ours, terms).matched == 11


def test_excursions_can_be_left_out() -> None:
    ours = [t._replace(mfe_quote=0.0, mae_ratio=1.0) for t in OURS]
    assert compare(LISTED, ours).matched == 0
    assert compare(LISTED, ours, Terms(compare_excursions=False)).is_equal


def test_names_are_compared_through_the_map() -> None:
    listed = [replace(t, exit_name="TP Достигнут") for t in LISTED]
    assert compare(listed, OURS).matched == 0
    assert compare(listed, OURS, Terms(name_map={"Out": "TP Достигнут"})).is_equal


def test_open_trade_is_compared_without_the_moment_of_export() -> None:
    ours = [*OURS[:-1], OURS[-1]._replace(is_open=True, exit_name="Open")]
    last = replace(LISTED[-1], is_open=True, exit_name="", exit_time_ms=START_MS + 5)
    assert compare([*LISTED[:-1], last], ours).is_equal
    valued = replace(last, exit_price=1.0, pnl=Shown(7.0))
    assert compare([*LISTED[:-1], valued], ours).matched == 11
    assert compare([*LISTED[:-1], valued], ours, Terms(compare_open=False)).is_equal
    cut = replace(last, exit_time_ms=None, exit_price=None)
    assert compare([*LISTED[:-1], cut], ours).is_equal


@pytest.mark.parametrize(
    ("exact", "shown"),
    [
        (21.6149, 21.61),
        (21.599, 21.6),
        (0.00127, 0.001),
        (0.00536, 0.01),
        (0.00499, 0.005),
        (-0.00499, -0.005),
        (0.00046, 0.0005),
        (0.00087, 0.001),
        (-0.00072, -0.001),
        (0.00003, 0.00003),
        (0.0, 0.0),
    ],
)
def test_money_is_shown_as_tradingview_rounds_it(exact: float, shown: float) -> None:
    assert Shown(shown).admits(exact)
    for wrong in (shown + 0.01, shown - 0.01, shown * 3 + 0.001):
        assert not Shown(wrong).admits(exact)


def test_an_exact_half_may_fall_either_way() -> None:
    for shown in (0.12, 0.13):
        assert Shown(shown).admits(0.125)
    assert Shown(0.01).admits(0.005)
    assert Shown(0.005).admits(0.005)
    assert not Shown(0.11).admits(0.125)


def test_percent_shows_zero_as_zero() -> None:
    assert Shown(0.0, 2, False).admits(0.0027)
    assert not Shown(0.003, 2, False).admits(0.0027)
    assert not Shown(0.0, 2).admits(0.0027)


def tradingview_text(exact: Decimal) -> Decimal:
    """Return what TradingView shows: JavaScript's Math.round at growing decimals."""
    for decimals in range(2, 12):
        scaled = (exact * 10**decimals + Decimal("0.5")).to_integral_value(ROUND_FLOOR)
        if scaled:
            return Decimal(scaled).scaleb(-decimals)
    return Decimal(0)


@given(st.decimals(-1000, 1000, places=6))
def test_every_number_is_admitted_as_it_is_shown(exact: Decimal) -> None:
    assert Shown(float(tradingview_text(exact))).admits(float(exact))


@needs_truth
@pytest.mark.parametrize("name", ["bollinger", "macd", "rsi", "channelbreakout"])
def test_display_rule_holds_for_every_result_of_real_lists(name: str) -> None:
    total = Decimal(0)
    for trade in read_trade_list(TRUTH / "tv_eurusd_1h" / f"{name}_trades.csv").trades:
        move = Decimal(repr(trade.exit_price)) - Decimal(repr(trade.entry_price))
        exact = move * int(trade.side) * Decimal(repr(trade.qty))
        total += exact
        assert trade.pnl is not None
        assert trade.pnl.admits(float(exact)), trade
        assert math.isclose(trade.pnl.value, float(tradingview_text(exact))) or (
            abs(exact * 1000 % 1) == Decimal("0.5") or abs(exact * 10**4 % 1) == Decimal("0.5")
        ), trade
        assert trade.cumulative is not None
        assert trade.cumulative.admits(float(total)), trade
        percent_exact = exact / Decimal(repr(trade.entry_price)) * 100
        assert trade.pnl_pct is not None
        assert trade.pnl_pct.admits(float(percent_exact)), trade
        rounded = percent_exact.quantize(Decimal("0.01"), ROUND_HALF_UP)
        assert abs(trade.pnl_pct.value - float(rounded)) < 1e-9


@needs_truth
def test_every_real_list_equals_itself_as_our_trades() -> None:
    for path in sorted(TRUTH.glob("tv_ethusdt_15m/trades/*.csv"))[:6]:
        listed = read_trade_list(path).trades
        ours = with_sums([as_ours(trade) for trade in listed])
        assert compare(listed, ours, Terms(money=MoneyTolerance())).is_equal


def as_ours(trade: ListedTrade) -> Trade:
    assert trade.exit_time_ms is not None
    assert trade.exit_price is not None

    def value(shown: Shown | None) -> float:
        return 0.0 if shown is None else shown.value

    return OURS[0]._replace(
        side=trade.side,
        qty=trade.qty,
        entry_time_ms=trade.entry_time_ms,
        entry_price=trade.entry_price,
        entry_name=trade.entry_name,
        exit_time_ms=trade.exit_time_ms,
        exit_price=trade.exit_price,
        exit_name=trade.exit_name,
        pnl_quote=value(trade.pnl),
        pnl_ratio=value(trade.pnl_pct) / 100,
        mfe_quote=value(trade.mfe),
        mae_quote=abs(value(trade.mae)),
        is_open=trade.is_open,
    )
