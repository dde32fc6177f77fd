"""Random valid plans over every feature, for hypothesis: `plans()` and `costs()`.

Each record has a strategy of its own, named after it, so that a test can hold a plan to a part of
them: `plans(ladder=st.none())`. Values stay where a few hundred bars can feel them.
"""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from engines.costs import TERMS_OF, CommissionKind, Costs, SlippageKind
from engines.plan import (
    AverageClose,
    AverageKind,
    Basis,
    Breakeven,
    ChannelClose,
    ChannelKind,
    CloseRule,
    CustomLadder,
    DcaLadder,
    Direction,
    DistanceUnit,
    EntryKind,
    EntryTerms,
    Exits,
    Growth,
    Hours,
    LateTarget,
    LevelSource,
    MarginMode,
    Market,
    Plan,
    PositionMode,
    PsarClose,
    RangeFilter,
    Reentry,
    Regime,
    RegimeFilter,
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
    TrendMode,
    VolatilityFilter,
    VolumeFilter,
)

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata")
NET_ONLY = ("intraday_fills_max", "intraday_loss_ratio_max", "intraday_loss_quote_max")
INTERVALS = (None, "1h", "4h", "1d")


def floats(low: float, high: float) -> st.SearchStrategy[float]:
    """Return finite floats from low to high."""
    return st.floats(low, high, allow_nan=False, allow_infinity=False)


def maybe(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return values or, half of the time, None."""
    return st.none() | values


def wholes(low: int, high: int) -> st.SearchStrategy[int]:
    """Return whole numbers from low to high."""
    return st.integers(low, high)


@st.composite
def sizings(draw: st.DrawFn) -> Sizing:
    """Return a size of each kind, within an account of some thousands."""
    kind = draw(st.sampled_from(SizingKind))
    low, high = {
        SizingKind.QTY: (0.001, 100.0),
        SizingKind.CASH: (1.0, 1000.0),
        SizingKind.EQUITY_RATIO: (0.001, 3.0),
        SizingKind.RISK: (0.001, 0.2),
        SizingKind.KELLY: (0.05, 1.0),
        SizingKind.VOLATILITY: (0.001, 0.2),
    }[kind]
    ratio_min = draw(floats(0.0, 0.5))
    trades_min = draw(wholes(1, 10))
    return Sizing(
        kind,
        draw(floats(low, high)),
        ratio_min=ratio_min,
        ratio_max=draw(floats(ratio_min, 1.0)),
        trades=draw(wholes(trades_min, 30)),
        trades_min=trades_min,
        atr_period=draw(wholes(2, 30)),
    )


@st.composite
def targets(draw: st.DrawFn) -> tuple[Target, ...]:
    """Return one to four targets, ascending, whose portions sum to 1."""
    ratios = sorted(draw(st.sets(wholes(1, 100), min_size=1, max_size=4)))
    portion = {1: 1.0, 2: 0.5, 3: 1 / 3, 4: 0.25}[len(ratios)]
    return tuple(Target(ratio / 1000, portion) for ratio in ratios)


@st.composite
def exits(draw: st.DrawFn) -> Exits:
    """Return stops and targets that do not contradict each other."""
    kind = draw(st.sampled_from(["none", "ratio", "atr", "targets"]))
    several = draw(targets()) if kind == "targets" else ()
    profit = draw(floats(0.002, 0.2)) if kind == "ratio" else None
    farthest = several[-1].ratio if several else profit or 0.2
    unit = draw(st.sampled_from(DistanceUnit))
    arms = floats(0.0, farthest * 0.99) if unit is DistanceUnit.RATIO else floats(0.0, 500.0)
    follows = floats(0.0, 0.1) if unit is DistanceUnit.RATIO else floats(0.0, 500.0)
    gained = draw(floats(0.001, (profit or 0.1) * 0.99))
    locked = min(gained, several[0].ratio) if several else gained
    return Exits(
        stop_loss_ratio=draw(maybe(floats(0.001, 0.3))),
        take_profit_ratio=profit,
        stop_atr=draw(maybe(floats(0.2, 10.0))),
        target_atr=draw(floats(0.2, 10.0)) if kind == "atr" else None,
        atr_period=draw(wholes(2, 30)),
        targets=several,
        trailing=Trailing(draw(arms), draw(follows), unit) if draw(st.booleans()) else None,
        breakeven=Breakeven(gained, draw(floats(-0.01, locked * 0.9)))
        if draw(st.booleans())
        else None,
        basis=draw(st.sampled_from(Basis)),
        levels=draw(st.sampled_from(LevelSource)),
        only_in_profit=draw(st.booleans()),
        drawdown_ratio_max=draw(maybe(floats(0.01, 0.9))),
    )


def entries() -> st.SearchStrategy[EntryTerms]:
    """Return the terms of an entry."""
    kinds = st.sampled_from(EntryKind)
    return st.builds(EntryTerms, kinds, floats(0.0001, 0.05), wholes(1, 20))


def reentries() -> st.SearchStrategy[Reentry]:
    """Return rules of re-entry."""
    return st.builds(
        Reentry,
        wholes(0, 10),
        wholes(0, 20),
        maybe(wholes(1, 10)),
        maybe(wholes(1, 30)),
        maybe(wholes(1, 5)),
    )


@st.composite
def hours(draw: st.DrawFn) -> Hours:
    """Return time rules that leave some time to trade."""
    session = None
    if draw(st.booleans()):
        start, end = draw(st.lists(wholes(0, 47), min_size=2, max_size=2, unique=True))
        session = Session(*(f"{half // 2:02}:{half % 2 * 30:02}" for half in (start, end)))
    outside = [
        hour
        for hour in range(24)
        if session and not any(session.holds(hour * 60 + minute) for minute in (0, 30))
    ]
    shut = st.lists(st.sampled_from(outside or [*range(20)]), max_size=4, unique=True)
    days = st.lists(wholes(1, 6), max_size=4, unique=True)  # Monday stays open
    return Hours(
        time_zone=draw(st.sampled_from(ZONES)),
        no_trade_hours=tuple(draw(shut)),
        no_trade_days=tuple(draw(days)),
        session=session,
        weekend_exit_hour=draw(maybe(wholes(0, 23))),
        bars_held_max=draw(maybe(wholes(1, 100))),
    )


def filters(source: str = "") -> st.SearchStrategy[Any]:
    """Return one filter of the traded bars, or of a series of theirs."""
    terms: dict[str, Any] = {"source": st.just(source), "interval": st.sampled_from(INTERVALS)}
    bars, period = wholes(20, 60), wholes(2, 40)
    return st.one_of(
        st.builds(
            VolatilityFilter,
            low=floats(0, 0.4),
            high=floats(0.5, 1),
            bars=bars,
            atr_period=period,
            **terms,
        ),
        st.builds(VolumeFilter, low=floats(0, 1), bars=bars, **terms),
        st.builds(
            TrendFilter,
            average=st.sampled_from(AverageKind),
            period=period,
            mode=st.sampled_from(TrendMode),
            neutral_ratio=floats(0, 0.05),
            **terms,
        ),
        st.builds(
            RsiFilter, period=period, oversold=floats(1, 49), overbought=floats(51, 99), **terms
        ),
        st.builds(RangeFilter, ratio_min=floats(0.001, 0.1), bars=period, **terms),
        st.builds(
            RegimeFilter,
            regime=st.sampled_from(Regime),
            trend_min=floats(0.1, 0.9),
            range_max=floats(0.1, 0.9),
            bars=bars,
            **terms,
        ),
    )


def closes() -> st.SearchStrategy[Any]:
    """Return one close rule."""
    period, low, high = wholes(2, 40), floats(0, 49), floats(51, 100)
    return st.one_of(
        st.builds(RsiClose, period=period, oversold=low, overbought=high),
        st.builds(
            StochasticClose,
            k_period=period,
            smooth=wholes(1, 5),
            d_period=wholes(1, 5),
            oversold=low,
            overbought=high,
        ),
        st.builds(
            ChannelClose,
            channel=st.sampled_from(ChannelKind),
            period=period,
            multiplier=floats(0.5, 4),
        ),
        st.builds(
            AverageClose,
            average=st.sampled_from(AverageKind),
            fast=wholes(1, 19),
            slow=wholes(20, 50),
        ),
        st.builds(
            PsarClose, start=floats(0.001, 0.1), step=floats(0.001, 0.1), highest=floats(0.1, 0.5)
        ),
    )


@st.composite
def custom_ladders(draw: st.DrawFn) -> CustomLadder:
    """Return a ladder that averages in, scales in or both."""
    offsets = draw(st.lists(floats(-0.2, 0.2), min_size=1, max_size=5))
    rungs = tuple(Rung(offset, 1 / (len(offsets) + 1)) for offset in (0.0, *offsets))
    return CustomLadder(rungs=rungs, refill=draw(st.booleans()), late_target=draw(late_targets()))


def late_targets() -> st.SearchStrategy[LateTarget | None]:
    """Return a late target or none."""
    return maybe(st.builds(LateTarget, wholes(1, 5), floats(0.001, 0.2)))


def ladders() -> st.SearchStrategy[Any]:
    """Return a ladder of each kind, within the capital."""
    ends: dict[str, Any] = {"refill": st.booleans(), "late_target": late_targets()}
    return st.one_of(
        st.builds(
            DcaLadder,
            orders=wholes(2, 15),
            range_ratio=floats(0.001, 0.3),
            martingale=floats(1, 3),
            growth=st.sampled_from(Growth),
            log_step=floats(0.5, 2),
            **ends,
        ),
        st.builds(
            SafetyOrders,
            base_ratio=floats(0.01, 0.1),
            safety_ratio=floats(0.01, 0.1),
            orders=wholes(1, 5),
            deviation_ratio=floats(0.001, 0.03),
            step=floats(0.5, 1.5),
            volume=floats(0.5, 1.2),
            **ends,
        ),
        custom_ladders(),
    )


def _agreeing(chosen: dict[str, Any]) -> dict[str, Any]:
    """Return settings with what would contradict another one changed."""
    if chosen["exits"].targets and chosen["ladder"] is not None:
        chosen["ladder"] = replace(chosen["ladder"], late_target=None)
    if chosen["position_mode"] is PositionMode.HEDGE:
        # Limits and margins of the whole account need one net position.
        chosen |= dict.fromkeys(NET_ONLY) | {"margin_mode": MarginMode.ISOLATED}
        chosen["exits"] = replace(chosen["exits"], drawdown_ratio_max=None)
    if chosen["exits"].targets and chosen["close_rule"] is CloseRule.ALL:
        chosen["close_rule"] = CloseRule.FIFO
    size = chosen["sizing"]
    if chosen["ladder"] is not None and size.kind is SizingKind.EQUITY_RATIO:
        chosen["sizing"] = replace(size, value=min(size.value, 1.0))
    if chosen["leverage"] > 1:
        chosen["margin_long_ratio"] = chosen["margin_short_ratio"] = 1.0
    return chosen


@st.composite
def plans(draw: st.DrawFn, /, **held: st.SearchStrategy[Any]) -> Plan:
    """Return a whole plan; `held` takes the place of the strategies of the fields it names."""
    market = draw(held.pop("market", st.sampled_from(Market)))
    is_spot = market is Market.SPOT
    terms: dict[str, st.SearchStrategy[Any]] = {
        "capital_quote": floats(1000, 1_000_000),
        "sizing": sizings(),
        "pyramiding": wholes(0, 5),
        "close_rule": st.sampled_from(CloseRule),
        "direction": st.just(Direction.LONG) if is_spot else st.sampled_from(Direction),
        "leverage": st.just(1.0) if is_spot else st.just(1.0) | floats(1, 50),
        "margin_mode": st.sampled_from(MarginMode),
        "position_mode": st.just(PositionMode.NET) if is_spot else st.sampled_from(PositionMode),
        "exits": exits(),
        "entry": entries(),
        "reentry": reentries(),
        "hours": hours(),
        "filters": st.lists(filters(), max_size=2).map(tuple),
        "closes": st.lists(closes(), max_size=2).map(tuple),
        "ladder": maybe(ladders()),
        "margin_long_ratio": st.just(1.0) if is_spot else floats(0, 1),
        "margin_short_ratio": st.just(1.0) if is_spot else floats(0, 1),
        "process_on_close": st.booleans(),
        "limit_verify_ticks": wholes(0, 3),
        "position_qty_max": maybe(floats(0.01, 1000)),
        "intraday_fills_max": maybe(wholes(1, 50)),
        "intraday_loss_ratio_max": maybe(floats(0.001, 0.9)),
        "intraday_loss_quote_max": maybe(floats(1, 10_000)),
        **held,
    }
    chosen = {name: draw(values) for name, values in terms.items()}
    return Plan(market=market, **_agreeing(chosen))


@st.composite
def costs(draw: st.DrawFn) -> Costs:
    """Return what a fill costs."""
    kind, slips = draw(st.sampled_from(CommissionKind)), draw(st.sampled_from(SlippageKind))
    high = 0.01 if kind is CommissionKind.RATIO else 5.0
    return Costs(
        commission=draw(floats(0, high)),
        commission_kind=kind,
        slippage_ticks=draw(wholes(0, 20)) if slips is SlippageKind.TICKS else 0,
        slippage_kind=slips,
        slippage_period=draw(wholes(1, 30)),
        liquidation_fee_ratio=draw(maybe(floats(0, 0.05))),
        **{name: draw(maybe(floats(0, 0.01))) for name in TERMS_OF[slips]},
    )
