"""The settings of a plan one by one, and each pair of them that makes a plan.

Tests and benchmarks that ask something of "any plan" ask it of these: what a plan can say, said
alone beside a stop, and put together two by two where the two do not contradict each other.
"""

from dataclasses import fields, is_dataclass, replace
from functools import cache
from itertools import combinations
from typing import Any

from engines.errors import PlanFault
from engines.plan import (
    AverageClose,
    Basis,
    Breakeven,
    ChannelClose,
    CloseRule,
    CustomLadder,
    DcaLadder,
    Direction,
    EntryKind,
    EntryTerms,
    Exits,
    Hours,
    Ladder,
    MarginMode,
    Market,
    Plan,
    PositionMode,
    PsarClose,
    RangeFilter,
    Reentry,
    RsiClose,
    RsiFilter,
    Rung,
    SafetyOrders,
    Session,
    Sizing,
    SizingKind,
    StochasticClose,
    Target,
    Trailing,
    TrendFilter,
    VolatilityFilter,
    VolumeFilter,
)

ENTRIES = 3
TARGETS = Target(0.004, 0.5), Target(0.01, 0.3), Target(0.03, 0.2)
RUNGS = Rung(0.0, 0.1), Rung(0.01, 0.2), Rung(0.02, 0.3), Rung(0.04, 0.4)

SETTINGS = {
    "sizing: quantity": Plan(sizing=Sizing(SizingKind.QTY, 0.01)),
    "sizing: cash": Plan(sizing=Sizing(SizingKind.CASH, 1000.0)),
    "sizing: risk": Plan(sizing=Sizing(SizingKind.RISK, 0.005)),
    "sizing: volatility": Plan(sizing=Sizing(SizingKind.VOLATILITY, 0.0005)),
    "sizing: Kelly": Plan(sizing=Sizing(SizingKind.KELLY, 0.5)),
    "sizing: all of equity": Plan(sizing=Sizing(SizingKind.EQUITY_RATIO, 1.0)),
    "direction: long": Plan(direction=Direction.LONG),
    "market: spot": Plan(direction=Direction.LONG, market=Market.SPOT),
    "leverage of 5: isolated": Plan(leverage=5.0),
    "leverage of 5: cross": Plan(leverage=5.0, margin_mode=MarginMode.CROSS),
    "margin: none": Plan(margin_long_ratio=0.0, margin_short_ratio=0.0),
    "margin: half, 1.5 of equity": Plan(
        margin_long_ratio=0.5,
        margin_short_ratio=0.5,
        sizing=Sizing(SizingKind.EQUITY_RATIO, 1.5),
    ),
    "hedge": Plan(position_mode=PositionMode.HEDGE),
    "fills at the close": Plan(process_on_close=True),
    "limits by 2 ticks": Plan(exits=Exits(take_profit_ratio=0.03), limit_verify_ticks=2),
    "position at most": Plan(position_qty_max=0.05),
    "4 fills a day": Plan(intraday_fills_max=4),
    "loss of 1 % a day": Plan(intraday_loss_ratio_max=0.01),
    "loss of 100 a day": Plan(intraday_loss_quote_max=100.0),
    "exit: target": Plan(exits=Exits(take_profit_ratio=0.03)),
    "exit: stop by ATR": Plan(exits=Exits(stop_atr=2.0)),
    "exit: target by ATR": Plan(exits=Exits(target_atr=3.0)),
    "exit: three targets": Plan(exits=Exits(targets=TARGETS)),
    "exit: trailing": Plan(exits=Exits(trailing=Trailing(0.01, 0.01))),
    "exit: breakeven": Plan(exits=Exits(breakeven=Breakeven(0.01, 0.001))),
    "exit: only in profit": Plan(exits=Exits(only_in_profit=True)),
    "exit: drawdown of 30 %": Plan(exits=Exits(drawdown_ratio_max=0.3)),
    "exit: from the average": Plan(exits=Exits(basis=Basis.AVERAGE)),
    "entry: limit": Plan(entry=EntryTerms(EntryKind.LIMIT, 0.001, 5)),
    "entry: stop": Plan(entry=EntryTerms(EntryKind.STOP, 0.001, 5)),
    "reentry: delay": Plan(reentry=Reentry(delay_bars=2)),
    "reentry: cooldown": Plan(reentry=Reentry(cooldown_bars=8)),
    "reentry: 3 a day": Plan(reentry=Reentry(trades_per_day_max=3)),
    "reentry: 6 a week": Plan(reentry=Reentry(trades_per_week_max=6)),
    "reentry: 3 losses": Plan(reentry=Reentry(losses_in_a_row_max=3)),
    "hours: none from 1 to 4": Plan(hours=Hours(no_trade_hours=(1, 2, 3))),
    "hours: no Sundays": Plan(hours=Hours(no_trade_days=(6,))),
    "hours: session": Plan(hours=Hours(session=Session("08:00", "16:00"))),
    "hours: out at weekends": Plan(hours=Hours(weekend_exit_hour=20)),
    "hours: 20 bars at most": Plan(hours=Hours(bars_held_max=20)),
    "close: RSI": Plan(closes=(RsiClose(),)),
    "close: stochastic": Plan(closes=(StochasticClose(),)),
    "close: channel": Plan(closes=(ChannelClose(),)),
    "close: averages": Plan(closes=(AverageClose(),)),
    "close: PSAR": Plan(closes=(PsarClose(),)),
    "filter: volatility": Plan(filters=(VolatilityFilter(),)),
    "filter: trend": Plan(filters=(TrendFilter(),)),
    "filter: RSI": Plan(filters=(RsiFilter(),)),
    "filter: volume": Plan(filters=(VolumeFilter(),)),
    "filter: range": Plan(filters=(RangeFilter(),)),
    "pyramid: FIFO": Plan(pyramiding=ENTRIES),
    "pyramid: LIFO": Plan(pyramiding=ENTRIES, close_rule=CloseRule.LIFO),
    "pyramid: any": Plan(pyramiding=ENTRIES, close_rule=CloseRule.ANY),
    "pyramid: all": Plan(pyramiding=ENTRIES, close_rule=CloseRule.ALL),
    "pyramid: from the average": Plan(pyramiding=ENTRIES, exits=Exits(basis=Basis.AVERAGE)),
}
LADDERS: dict[str, Ladder] = {
    "ladder: DCA": DcaLadder(),
    "ladder: safety orders": SafetyOrders(),
    "ladder: custom": CustomLadder(rungs=RUNGS),
    "ladder: custom, refilled": CustomLadder(rungs=RUNGS, refill=True),
}
SETTINGS |= {
    name: Plan(pyramiding=len(ladder.rungs), ladder=ladder) for name, ladder in LADDERS.items()
}
NESTED = "exits", "hours", "reentry"  # records whose settings are put together one by one


def with_stop(plan: Plan, stop: float) -> Plan:
    return replace(plan, exits=replace(plan.exits, stop_loss_ratio=stop))


def said(record: Any, plain: Any) -> dict[str, Any]:
    """Return what a record says that a plain one does not, nested records by their own."""
    found = dict[str, Any]()
    for item in fields(record):
        own, other = getattr(record, item.name), getattr(plain, item.name)
        if item.init and own != other:
            nests = item.name in NESTED and is_dataclass(own)
            found[item.name] = said(own, other) if nests else own
    return found


def together(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any] | None:
    """Return what both say, None if they contradict each other."""
    found = dict(one)
    for name, value in other.items():
        if name in found and isinstance(value, dict):
            found[name] = together(found[name], value)
            if found[name] is None:
                return None
        elif found.setdefault(name, value) != value:
            return None
    return found


def plan_of(settings: dict[str, Any]) -> Plan:
    plain = Plan()
    return replace(
        plain,
        **{
            name: replace(getattr(plain, name), **value) if isinstance(value, dict) else value
            for name, value in settings.items()
        },
    )


@cache
def pairs() -> dict[str, Plan]:
    """Return the plan of each pair of settings that makes one."""
    found, plain = dict[str, Plan](), Plan()
    for (name, one), (other_name, other) in combinations(SETTINGS.items(), 2):
        both = together(said(one, plain), said(other, plain))
        if both is None:
            continue
        try:
            found[f"{name}, {other_name}"] = with_stop(plan_of(both), 0.02)
        except PlanFault:
            continue
    return found
