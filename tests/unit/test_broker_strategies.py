"""What a strategy sees and says: signals, memory, series, other intervals and symbols, faults."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from engines.backtest import run_backtest
from engines.context import Context
from engines.costs import FREE
from engines.errors import LookAhead, OrderFault, StrategyFault
from engines.klines import HOUR_MS, MINUTE_MS, Klines
from engines.plan import CloseRule, Exits
from engines.resample import aggregate, last_closed, project
from engines.signals import Signals
from engines.types import F64_1D
from strategies.base import OrderStrategy
from tests.unit.market import (
    BUY,
    ONE_LOT,
    SELL,
    START_MS,
    TENTHS,
    Bar,
    Command,
    Row,
    Script,
    Scripted,
    Wishes,
    buys,
    closes,
    exits,
    fills,
    klines_of,
    orders,
    plan_with,
    play,
    sells,
    still,
)

FLAT = still(100.0)
QUARTER_MS = 15 * MINUTE_MS


class TestSignals:
    """Wishes at a close act from the next bar on."""

    UP: Bar = (100.0, 106.0, 99.9, 105.0)
    DOWN: Bar = (100.0, 100.1, 94.0, 95.0)

    def test_wishes_enter_reverse_and_leave_at_the_next_open(self) -> None:
        bars = [FLAT, FLAT, still(101.0), still(102.0), still(103.0)]
        result = play(bars, Wishes({0: 1, 1: -1, 2: 0}))
        assert fills(result) == [(1, 1.0, 100.0), (2, -2.0, 101.0), (3, 1.0, 102.0)]
        assert [(t.entry_name, t.exit_name) for t in result.trades] == [
            ("long", "short"),
            ("short", "signal"),
        ]

    def test_repeated_wish_is_limited_by_pyramiding(self) -> None:
        wishes = Wishes(dict.fromkeys(range(4), 1))
        assert len(play([FLAT] * 6, wishes).fills) == 1
        assert len(play([FLAT] * 6, wishes, plan_with(pyramiding=3)).fills) == 3

    @pytest.mark.parametrize(
        ("bar", "price", "name"), [(UP, 103.0, "take_profit"), (DOWN, 98.0, "stop_loss")]
    )
    def test_plan_puts_a_bracket_around_each_entry(self, bar: Bar, price: float, name: str) -> None:
        plan = plan_with(exits=Exits(take_profit_ratio=0.03, stop_loss_ratio=0.02))
        result = play([FLAT, FLAT, bar], Wishes({0: 1}), plan)
        assert fills(result) == [(1, 1.0, 100.0), (2, -1.0, price)]
        assert result.trades[0].exit_name == name

    def test_bracket_works_inside_the_entry_bar(self) -> None:
        plan = plan_with(exits=Exits(take_profit_ratio=0.03, stop_loss_ratio=0.02))
        assert fills(play([FLAT, self.DOWN], Wishes({0: 1}), plan))[1] == (1, -1.0, 98.0)
        assert fills(play([FLAT, self.UP], Wishes({0: -1}), plan))[1] == (1, 1.0, 102.0)

    def test_prices_of_the_bar_take_the_place_of_the_plan(self) -> None:
        plan = plan_with(exits=Exits(take_profit_ratio=0.03, stop_loss_ratio=0.02))
        wishes = Wishes({0: 1}, stop={0: 96.0}, target={0: 104.0})
        assert fills(play([FLAT, FLAT, self.UP], wishes, plan))[1] == (2, -1.0, 104.0)
        assert fills(play([FLAT, FLAT, self.DOWN], wishes, plan))[1] == (2, -1.0, 96.0)
        none = Wishes({0: 1}, stop={1: 96.0}, target={1: 104.0})
        assert fills(play([FLAT, FLAT, self.UP], none, plan))[1] == (2, -1.0, 103.0)

    def test_size_of_the_bar_takes_the_place_of_the_plan(self) -> None:
        wishes = Wishes({0: 1, 1: 0, 2: 1}, size={0: 2.5})
        rows = fills(play([FLAT] * 4, wishes))
        assert [row[1] for row in rows] == [2.5, -2.5, 1.0]

    @pytest.mark.parametrize("size", [0.0, -1.0, math.inf])
    def test_size_that_is_no_quantity_is_a_fault(self, size: float) -> None:
        with pytest.raises(OrderFault, match="above zero"):
            play([FLAT] * 3, Wishes({0: 1}, size={0: size}))

    def test_each_entry_keeps_its_own_bracket(self) -> None:
        bars: list[Bar] = [FLAT, FLAT, still(102.0), (102.0, 104.0, 102.0, 104.0), still(106.0)]
        plan = plan_with(
            pyramiding=2, exits=Exits(take_profit_ratio=0.03), close_rule=CloseRule.ANY
        )
        result = play(bars, Wishes({0: 1, 1: 1}), plan)
        # 100 x 1.03 = 103.0; 102 x 1.03 = 105.06, rounded up to 105.1, passed by the open of 106.
        assert fills(result)[2:] == [(3, -1.0, 103.0), (4, -1.0, 106.0)]

    def test_on_close_plan_fills_at_the_deciding_close(self) -> None:
        bars = [FLAT, still(101.0), still(102.0)]
        rows: list[Row] = [(0, 1.0, 100.0), (2, -1.0, 102.0)]
        assert fills(play(bars, Wishes({0: 1, 2: 0}), plan_with(process_on_close=True))) == rows

    def test_wish_on_the_last_bar_fills_nothing(self) -> None:
        assert not play([FLAT] * 3, Wishes({2: 1})).fills

    def test_columns_of_another_length_are_a_fault(self) -> None:
        class Short(Wishes):
            def signals(self, klines: Klines) -> Signals:
                return super().signals(klines.between(0, 2))

        with pytest.raises(StrategyFault, match="one a bar"):
            play([FLAT] * 3, Short())


class TestContext:
    """The present, and nothing after it."""

    def test_series_look_back_only(self) -> None:
        seen: list[float] = []
        script: Script = {1: lambda ctx: seen.extend([ctx.close[0], ctx.close[1], ctx.high[2]])}
        play([still(1.0), still(2.0), still(3.0)], script)
        assert seen[:2] == [2.0, 1.0]
        assert math.isnan(seen[2])

    @pytest.mark.parametrize("series", ["open", "high", "low", "close", "volume"])
    def test_index_below_zero_is_a_look_ahead(self, series: str) -> None:
        with pytest.raises(LookAhead, match="0 or more"):
            play([FLAT] * 3, {1: lambda ctx: getattr(ctx, series)[-1]})

    def test_memory_lasts_between_bars_and_not_between_runs(self) -> None:
        seen: list[float] = []

        def count(ctx: Context) -> None:
            ctx.memory["bars"] = ctx.memory.get("bars", 0.0) + 1
            seen.append(ctx.memory["bars"])

        script: Script = dict.fromkeys(range(3), count)
        for _ in range(2):
            play([FLAT] * 3, script)
        assert seen == [1.0, 2.0, 3.0] * 2

    def test_position_is_told_as_it_is_at_the_close(self) -> None:
        seen: list[tuple[float, bool, bool, bool]] = []
        look: Command = lambda ctx: seen.append(  # noqa: E731 - it is said at every bar
            (ctx.position_qty, ctx.is_flat, ctx.is_long, ctx.is_short)
        )
        script: Script = {0: (buys(), look), 1: (sells(qty=2.0), look), 2: (look,)}
        play([FLAT] * 3, script)
        assert seen == [
            (0.0, True, False, False),
            (1.0, False, True, False),
            (-2.0, False, False, True),
        ]

    def test_average_price_is_that_of_the_open_lots(self) -> None:
        seen: list[float] = []
        look: Command = lambda ctx: seen.append(ctx.entry_price_avg)  # noqa: E731 - said thrice
        script: Script = {0: (buys(), look), 1: (buys("M", qty=3.0), look), 2: (look,)}
        play([FLAT, FLAT, still(104.0)], script, plan_with(pyramiding=2))
        assert math.isnan(seen[0])
        assert seen[1:] == [100.0, 103.0]

    def test_closed_trades_are_there_at_once(self) -> None:
        seen: list[int] = []
        script: Script = {
            0: buys(),
            1: (closes("L"), lambda ctx: seen.append(len(ctx.trades))),
            2: lambda ctx: seen.append(len(ctx.trades)),
        }
        play([FLAT] * 3, script)
        assert seen == [0, 1]


@pytest.mark.parametrize("qty", [0.0, -1.0, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("make", [buys, sells])
def test_entry_with_no_size_is_a_fault(make: type, qty: float) -> None:
    with pytest.raises(
        OrderFault, match=r"quantity of entry . at 2025-01-01 00:00Z: .* above zero"
    ):
        play([FLAT] * 2, {0: make(qty=qty)})


@pytest.mark.parametrize("qty", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize(
    "make",
    [
        lambda qty: orders("O", SELL, qty=qty),
        lambda qty: exits("X", "L", qty=qty, limit=101.0),
        lambda qty: closes("L", qty=qty),
        lambda qty: closes("L", qty=qty, immediately=True),
        lambda qty: closes("L", qty_ratio=qty),
        lambda qty: exits("X", "L", qty_ratio=qty, limit=101.0),
    ],
)
def test_order_with_no_size_is_a_fault(make: type, qty: float) -> None:
    with pytest.raises(OrderFault):
        play([FLAT] * 3, {0: buys(), 1: make(qty)})


@dataclass(frozen=True)
class HourlyClose(OrderStrategy):
    """Buys once the close of the hour before is known, and keeps what it saw."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        hours = aggregate(klines, HOUR_MS)
        return {"hour": project(hours.close, last_closed(hours, klines))}

    def on_bar(self, ctx: Context) -> None:
        if ctx.is_flat and not math.isnan(ctx["hour"][0]):
            ctx.entry("L", BUY, qty=ctx["hour"][0])


def test_longer_interval_is_seen_with_its_last_bar_and_not_before() -> None:
    klines = klines_of([still(float(n)) for n in range(1, 11)], QUARTER_MS)
    # The first hour closes with bar 3 at a price of 4: bought at the open of bar 4.
    assert fills(play(klines, HourlyClose())) == [(4, 4.0, 5.0)]
    assert not play(klines.between(0, 4), HourlyClose()).fills
    with pytest.raises(StrategyFault):
        play(klines, Unknown())


@dataclass(frozen=True)
class Unknown(OrderStrategy):
    """Reads a feature that it does not have."""

    def on_bar(self, ctx: Context) -> None:
        ctx.entry("L", BUY, qty=ctx["hour"][0])


@dataclass(frozen=True)
class Follows(OrderStrategy):
    """Is long while the other symbol rises."""

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        other = klines.others["spot"]
        return {"spot": project(other.close, last_closed(other, klines))}

    def on_bar(self, ctx: Context) -> None:
        if ctx["spot"][0] > ctx["spot"][1]:
            ctx.entry("L", BUY)
        elif ctx["spot"][0] < ctx["spot"][1]:
            ctx.close_all()


def test_another_symbol_decides_and_ours_is_traded() -> None:
    spot = klines_of([still(p) for p in (5.0, 5.0, 6.0, 6.0, 4.0)], symbol="S/USDT")
    ours = klines_of([still(100.0 + n) for n in range(6)], others={"spot": spot})
    assert fills(play(ours, Follows())) == [(3, 1.0, 103.0), (5, -1.0, 105.0)]


def test_error_inside_a_strategy_names_the_bar() -> None:
    with pytest.raises(StrategyFault, match=r"on_bar of Scripted at 2025-01-01 02:00Z"):
        play([FLAT] * 3, {2: lambda ctx: 1 / 0})


def test_trading_starts_with_the_first_bar_that_opens_at_since() -> None:
    klines = klines_of([FLAT] * 5)
    since_ms = START_MS + 2 * HOUR_MS
    wishes = Wishes({0: 1, 2: 1})
    result = run_backtest(wishes, klines, TENTHS, ONE_LOT, FREE, since_ms=since_ms)
    assert fills(result) == [(3, 1.0, 100.0)]
    script = Scripted({0: buys(), 2: buys()})
    result = run_backtest(script, klines, TENTHS, ONE_LOT, FREE, since_ms=since_ms)
    assert fills(result) == [(3, 1.0, 100.0)]
