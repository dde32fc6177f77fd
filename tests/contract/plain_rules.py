"""The eleven strategies once more: their rules in pandas, as straightforward as they can be said.

Each rule takes bars and the parameters by name and returns the wishes: columns long, short,
exit_long, exit_short, stop, target and ratio (of equity), NaN where a bar has none. Bars that are
`undecided` hang on the last digit of a sum.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from tests.contract.plain_indicators import (
    Column,
    atr,
    before,
    crosses_above,
    crosses_below,
    deviation,
    ema,
    mean,
    rsi,
)

Terms = dict[str, Any]
Rule = Callable[[pd.DataFrame, Terms], pd.DataFrame]


def wishes(
    bars: pd.DataFrame,
    long: Column,
    short: Column,
    stops: tuple[Column, Column],
    reward: float | None,
    exits: tuple[Column, Column] | None = None,
) -> pd.DataFrame:
    """Return a table of wishes; those without a stop on the losing side are passed over."""
    long, short = long & ~short, short & ~long
    long, short = long & (stops[0] < bars.close), short & (stops[1] > bars.close)
    stop = stops[0].where(long, stops[1].where(short))
    target = bars.close * np.nan if reward is None else bars.close + reward * (bars.close - stop)
    never = long & False
    exit_long, exit_short = exits or (never, never)
    columns = {"long": long, "short": short, "exit_long": exit_long, "exit_short": exit_short}
    return pd.DataFrame(columns | {"stop": stop, "target": target, "ratio": np.nan})


def atr_stops(bars: pd.DataFrame, p: Terms, multiplier: str = "atr_multiplier") -> Any:
    """Return the stop of a long and of a short decided on each bar."""
    distance = p[multiplier] * atr(bars, p["atr_period"])
    return bars.close - distance, bars.close + distance


def ema_crossover(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    fast, slow = ema(bars.close, p["fast"]), ema(bars.close, p["slow"])
    long, short = crosses_above(fast, slow), crosses_below(fast, slow)
    if p["require_trend"]:
        trend = ema(bars.close, p["trend_period"])
        long, short = long & (bars.close > trend), short & (bars.close < trend)
    return wishes(bars, long, short, atr_stops(bars, p), p["reward_ratio"])


def macd_trend(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    line = ema(bars.close, p["fast"]) - ema(bars.close, p["slow"])
    signal = ema(line, p["signal"])
    long, short = crosses_above(line, signal), crosses_below(line, signal)
    if p["require_histogram"]:
        long, short = long & (line - signal > 0), short & (line - signal < 0)
    return wishes(bars, long, short, atr_stops(bars, p), p["reward_ratio"])


def triple_ema(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    fast, mid, slow = (ema(bars.close, p[name]) for name in ("fast", "mid", "slow"))
    rises, falls = (fast > mid) & (mid > slow), (fast < mid) & (mid < slow)
    known = slow.shift().notna()
    long = rises & ~before(rises) & known & (bars.close > fast)
    short = falls & ~before(falls) & known & (bars.close < fast)
    return wishes(bars, long, short, atr_stops(bars, p), p["reward_ratio"])


def rsi_mean_reversion(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    value = rsi(bars.close, p["rsi_period"])
    long, short = crosses_below(value, p["oversold"]), crosses_above(value, p["overbought"])
    if p["trend_filter"]:
        trend = ema(bars.close, p["trend_period"])
        long, short = long & (bars.close > trend), short & (bars.close < trend)
    exits = (value >= p["exit_level"], value <= p["exit_level"])
    return wishes(bars, long, short, atr_stops(bars, p), p["reward_ratio"], exits)


def bollinger_bands(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    middle = mean(bars.close, p["period"])
    reach = p["deviations"] * deviation(bars.close, p["period"])
    long, short = bars.low <= middle - reach, bars.high >= middle + reach
    if p["require_rsi"]:
        value = rsi(bars.close, p["rsi_period"])
        long, short = long & (value <= p["oversold"]), short & (value >= p["overbought"])
    exits = (bars.close > middle, bars.close < middle)
    return wishes(bars, long, short, atr_stops(bars, p), None, exits)


def rsi_momentum(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    value = rsi(bars.close, p["rsi_period"])
    up, down = crosses_above(value, p["threshold"]), crosses_below(value, p["threshold"])
    long, short = up, down
    if p["require_trend"]:
        trend = ema(bars.close, p["trend_period"])
        up_known, down_known = up & trend.notna(), down & trend.notna()
        long = up_known & ((bars.close > trend) | (value >= p["strong"]))
        short = down_known & ((bars.close < trend) | (value <= 100 - p["strong"]))
    return wishes(bars, long, short, atr_stops(bars, p), p["reward_ratio"], (down, up))


def stochastic_momentum(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    bottom = bars.low.rolling(p["k_period"]).min()
    span = bars.high.rolling(p["k_period"]).max() - bottom
    k = mean(100 * (bars.close - bottom) / span.where(span > 0), p["smooth"])
    d = mean(k, p["d_period"])
    in_low, in_high = k <= p["oversold"], k >= p["overbought"]
    long, short = crosses_above(k, d) & in_low, crosses_below(k, d) & in_high
    table = wishes(bars, long, short, atr_stops(bars, p), p["reward_ratio"], (in_high, in_low))
    # Three equal %K make %D the same number but for the last digit, which decides a crossing.
    is_tie = (k - d).abs() < 1e-9
    return table.assign(undecided=is_tie | before(is_tie))


def atr_breakout(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    middle = mean(bars.close, p["lookback"])
    reach = p["atr_multiplier"] * atr(bars, p["atr_period"])
    above, below = bars.high >= middle + reach, bars.low <= middle - reach
    may = (middle + reach).shift().notna() & ~(above & below)
    if p["volume_confirm"]:
        may &= bars.volume >= p["volume_threshold"] * mean(bars.volume, p["lookback"])
    long, short = above & ~before(above) & may, below & ~before(below) & may
    stops = atr_stops(bars, p, "stop_multiplier")
    return wishes(bars, long, short, stops, p["reward_ratio"], (below, above))


def donchian_breakout(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    n, m = p["channel_period"], p["exit_period"]
    top, bottom = bars.high.shift().rolling(n).max(), bars.low.shift().rolling(n).min()
    falls = bars.low <= bars.low.shift().rolling(m).min()
    rises = bars.high >= bars.high.shift().rolling(m).max()
    long, short = (bars.high >= top) & ~falls, (bars.low <= bottom) & ~rises
    least = atr(bars, p["atr_period"])
    long_stop = pd.concat([bottom, bars.close - least], axis=1).min(axis=1, skipna=False)
    short_stop = pd.concat([top, bars.close + least], axis=1).max(axis=1, skipna=False)
    return wishes(bars, long, short, (long_stop, short_stop), p["reward_ratio"], (falls, rises))


def dca(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    top = bars.high.rolling(50).max()
    count = pd.Series(range(len(bars)), index=bars.index)
    long = (count % p["interval"] == 0) & top.notna()
    if p["rsi_filter"]:
        long &= rsi(bars.close, 14) <= p["rsi_max"]
    fall_pct = 100 * (1 - bars.close / top)
    times = np.where(fall_pct >= p["dip_threshold_pct"], p["dip_multiplier"], 1.0)
    table = pd.DataFrame({"long": long, "short": False, "exit_long": False, "exit_short": False})
    ratio = pd.Series(times * p["base_pct"] / 100, index=bars.index).where(long)
    return table.assign(stop=np.nan, target=np.nan, ratio=ratio)


def grid_trading(bars: pd.DataFrame, p: Terms) -> pd.DataFrame:
    """Walk the closes with the grid's levels as a list of prices, its bottom and top included."""
    reach = (p["range_multiple"] * atr(bars, p["atr_period"])).tolist()
    levels: list[float] = []
    if p["upper"] > 0:
        levels = levels_between(p["lower"], p["upper"], p["grids"])
    taken: dict[int, tuple[bool, float]] = {}
    start, last = np.nan, np.nan
    rows = []
    for now, high, low, half in zip(bars.close, bars.high, bars.low, reach, strict=True):
        row = {"long": False, "short": False, "stop": np.nan, "target": np.nan}
        rows.append(row)
        came_from, last = last, now
        if not (levels and levels[0] < now < levels[-1]):
            taken = {}
            if not p["upper"]:
                levels = levels_between(now - half, now + half, p["grids"]) if half < now else []
                start = now
            continue
        start = now if np.isnan(start) else start
        taken = {k: at for k, at in taken.items() if not is_free_again(at, high, low, levels)}
        buys = [k for k, price in enumerate(levels) if now <= price < came_from and price < start]
        sells = [k for k, price in enumerate(levels) if now >= price > came_from and price > start]
        is_long = bool(buys)
        free = [
            k for k in (buys or sells[::-1]) if k not in taken and price_differs(levels, k, start)
        ]
        if free:
            k = free[0]
            target = (
                (levels[k + 1] if is_long else levels[k - 1]) if p["target_per_grid"] else start
            )
            row |= {"long": is_long, "short": not is_long, "target": target}
            row["stop"] = levels[0] if is_long else levels[-1]
            taken[k] = (is_long, target)
    table = pd.DataFrame(rows, index=bars.index)
    return table.assign(exit_long=False, exit_short=False, ratio=np.nan)


def levels_between(lower: float, upper: float, grids: int) -> list[float]:
    return [lower + k * (upper - lower) / grids for k in range(grids + 1)]


def price_differs(levels: list[float], k: int, start: float) -> bool:
    """Return whether a level is not the start price itself, which floats may miss by a hair."""
    return abs(levels[k] - start) > 1e-6 * (levels[1] - levels[0])


def is_free_again(at: tuple[bool, float], high: float, low: float, levels: list[float]) -> bool:
    """Return whether the target or the stop of a taken level was reached."""
    is_long, target = at
    if is_long:
        return high >= target or low <= levels[0]
    return low <= target or high >= levels[-1]


RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        ema_crossover,
        macd_trend,
        triple_ema,
        rsi_mean_reversion,
        bollinger_bands,
        rsi_momentum,
        stochastic_momentum,
        atr_breakout,
        donchian_breakout,
        dca,
        grid_trading,
    )
}
