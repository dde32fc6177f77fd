"""Bars of a market that does not exist, with the habits of those that do.

Theory. Log returns of small steps inside each bar are noise times a volatility that is a product
of three: a slow one that clusters (GARCH(1,1) by bar), one by the hour of the day, and one by the
regime. A Markov chain switches the regime between trend up, trend down and range; trends add a
drift, a range pulls the price back to where it began. Jumps are rare, sized in volatilities. The
price path of the steps makes open, high, low and close, so highs and lows are reached and not
drawn; the next open is the last close except after a rare small gap. Volume rises with the range.
Nothing here is fitted to a symbol, and the name says SYNTHETIC so that no report can be mistaken.
"""

import math
from dataclasses import dataclass
from numbers import Integral

import numpy as np

from engines.errors import ParameterFault
from engines.instrument import Instrument
from engines.klines import DAY_MS, HOUR_MS, Klines
from engines.types import F64_1D, I64_1D

STEPS_PER_BAR = 8
YEAR_MS = 365 * DAY_MS


@dataclass(frozen=True, slots=True)
class Habits:
    """What the market is like; volatilities per year, probabilities per bar."""

    volatility_annual: float = 0.6
    shock_weight: float = 0.08  # GARCH alpha: how much one bar's surprise adds.
    persistence: float = 0.9  # GARCH beta: how slowly it fades.
    jump_probability: float = 0.001
    jump_volatilities: float = 6.0
    gap_probability: float = 0.01
    gap_volatilities: float = 0.2
    regime_bars_mean: float = 300.0
    drift_volatilities: float = 0.06
    range_pull: float = 0.01
    day_amplitude: float = 0.4
    volume_mean: float = 1000.0


def synthetic_klines(
    bars: int,
    interval_ms: int,
    seed: int,
    start_ms: int = 1_704_067_200_000,
    start_price: float = 30_000.0,
    tick_size: float = 0.1,
    *,
    habits: Habits | None = None,
    symbol: str = "SYNTHETIC",
) -> Klines:
    """Return `bars` bars on the tick from `start_ms` on, the same for the same seed.

    Raises: ParameterFault naming the argument of which no market can be made.
    """
    _require_counts(bars=bars, interval_ms=interval_ms, seed=seed, start_ms=start_ms)
    for name, value in (("start_price", start_price), ("tick_size", tick_size)):
        if not 0 < value < math.inf:
            raise ParameterFault(name, "a number above zero", f"{value}")
    if start_price < 100 * tick_size:
        raise ParameterFault("start_price", "100 ticks or more", f"{start_price:g}")
    if not symbol.startswith("SYNTHETIC"):
        symbol = f"SYNTHETIC {symbol}"
    habits = habits or Habits()
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    open_time_ms = start_ms + interval_ms * np.arange(bars, dtype=np.int64)
    regime = _regimes(bars, habits, rng)
    volatility = _volatility(open_time_ms, interval_ms, regime, habits, rng)  # [T]
    opens, steps = _path(volatility, regime, habits, rng)
    path = np.concatenate([opens[:, None], opens[:, None] + np.cumsum(steps, axis=1)], axis=1)
    prices = start_price * np.exp(path)  # [T, steps + 1]
    ticks = np.maximum(np.rint(prices / tick_size), 1.0)
    volume = _volume(ticks, volatility, habits, rng)
    columns = [ticks[:, 0], ticks.max(axis=1), ticks.min(axis=1), ticks[:, -1]]
    opened, high, low, close = (_on_tick(column, tick_size) for column in columns)
    return Klines(symbol, interval_ms, open_time_ms, opened, high, low, close, volume)


def _require_counts(**counts: int) -> None:
    """Refuse what is no whole number: above zero, but zero or more for a seed or a time."""
    for name, value in counts.items():
        least = 0 if name in ("seed", "start_ms") else 1
        if not isinstance(value, Integral) or value < least:
            raise ParameterFault(name, f"a whole number from {least} on", f"{value}")


def _regimes(bars: int, habits: Habits, rng: np.random.Generator) -> I64_1D:
    """Return the regime of each bar [T]: +1 trend up, -1 trend down, 0 range."""
    switches = rng.random(bars) < 1.0 / habits.regime_bars_mean
    spell = np.cumsum(switches)
    # Moving one or two on, never none, makes every switch one to another regime.
    states = np.cumsum(rng.integers(1, 3, size=int(spell[-1]) + 1)) % 3 - 1
    return states[spell].astype(np.int64)


def _volatility(
    open_time_ms: I64_1D,
    interval_ms: int,
    regime: I64_1D,
    habits: Habits,
    rng: np.random.Generator,
) -> F64_1D:
    """Return the volatility of each bar's log return [T]."""
    bars = len(open_time_ms)
    usual = habits.volatility_annual * math.sqrt(interval_ms / YEAR_MS)
    shocks = np.square(rng.standard_t(5, size=bars) * math.sqrt(3 / 5)).tolist()
    alpha, beta = habits.shock_weight, habits.persistence
    base = 1.0 - alpha - beta
    variance = 1.0
    variances = []
    for shock in shocks:
        variances.append(variance)
        variance = base + (alpha * shock + beta) * variance
    hours = (open_time_ms % DAY_MS) / HOUR_MS
    # Busiest when Europe and America are both awake, about 15:00 UTC.
    by_hour = 1.0 + habits.day_amplitude * np.cos((hours - 15.0) * (2 * math.pi / 24))
    by_regime = np.where(regime == 0, 0.8, 1.1)
    volatility: F64_1D = usual * np.sqrt(np.array(variances)) * by_hour * by_regime
    return volatility


def _path(
    volatility: F64_1D, regime: I64_1D, habits: Habits, rng: np.random.Generator
) -> tuple[F64_1D, F64_1D]:
    """Return the log open of each bar [T] and the log steps inside it [T, steps]."""
    bars = len(volatility)
    noise = rng.standard_normal((bars, STEPS_PER_BAR))
    steps = noise * (volatility / math.sqrt(STEPS_PER_BAR))[:, None]
    steps += (regime * volatility * habits.drift_volatilities / STEPS_PER_BAR)[:, None]
    jumps = np.flatnonzero(rng.random(bars) < habits.jump_probability)
    places = rng.integers(0, STEPS_PER_BAR, size=len(jumps))
    sizes = rng.normal(0.0, habits.jump_volatilities, size=len(jumps))
    steps[jumps, places] += sizes * volatility[jumps]
    has_gap = rng.random(bars) < habits.gap_probability
    gaps = has_gap * rng.normal(0.0, habits.gap_volatilities, size=bars) * volatility
    moves = steps.sum(axis=1).tolist()
    pulls = np.empty(bars)
    opens = np.empty(bars)
    level = anchor = 0.0
    was_range = False
    for t, (move, gap, state) in enumerate(zip(moves, gaps.tolist(), regime.tolist(), strict=True)):
        level += gap
        if state == 0 and not was_range:
            anchor = level
        was_range = state == 0
        opens[t] = level
        # The pull to the anchor is part of the bar's own path, not a gap before the next one.
        pull = habits.range_pull * (anchor - level) if was_range else 0.0
        pulls[t] = pull
        level += move + pull
    steps += (pulls / STEPS_PER_BAR)[:, None]
    return opens, steps


def _volume(ticks: F64_1D, volatility: F64_1D, habits: Habits, rng: np.random.Generator) -> F64_1D:
    """Return base volume [T], larger in bars of wide range."""
    span = (ticks.max(axis=1) - ticks.min(axis=1)) / ticks[:, 0]
    relative = span / max(float(np.mean(volatility)), 1e-12)
    noise = np.exp(rng.normal(0.0, 0.4, size=len(span)))
    volume: F64_1D = np.round(habits.volume_mean * (0.2 + relative) * noise, 3)
    return volume


def _on_tick(ticks: F64_1D, tick_size: float) -> F64_1D:
    """Return the prices of whole ticks, each the double nearest to its decimal."""
    grid = Instrument("SYNTHETIC", tick_size=tick_size, qty_step=1.0)
    return np.array([grid.price_of(int(tick)) for tick in ticks.tolist()])
