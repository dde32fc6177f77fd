"""Market filters: conditions on the bars under which an entry wish counts.

Theory. A filter is a pair of columns, may go long and may go short, computed at every close from
the traded bars or from another series of them (`source`, a name in `klines.others`), perhaps on a
longer interval (`interval`), of which only bars that have closed count. A value is seen until a
newer bar closes; that of another series ends a week after the newer one was due. An undefined value
allows nothing. Filters never close a position. `engines/rules` computes them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from engines.errors import KlineFault, PlanFault
from engines.klines import parse_interval_ms
from engines.plan.checks import between, contradict, member, number, whole

BARS_MAX = 100_000


class AverageKind(StrEnum):
    """Which moving average."""

    SMA = "sma"
    EMA = "ema"


class TrendMode(StrEnum):
    """Whether entries follow the trend or go against it."""

    WITH = "with"
    AGAINST = "against"


class Regime(StrEnum):
    """Which kind of market entries are meant for."""

    TREND = "trend"
    RANGE = "range"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """What every filter has: the series it looks at ("": the traded bars), on which interval."""

    source: str = ""
    interval: str | None = None

    def __post_init__(self) -> None:
        if self.interval is not None:
            try:
                parse_interval_ms(self.interval)
            except KlineFault:
                raise PlanFault(
                    "filters.interval", "an interval such as 4h", repr(self.interval)
                ) from None


def _check_sourced(filter: Sourced) -> None:
    # A slotted subclass cannot use zero-argument super(): dataclass(slots=True) makes a new class.
    Sourced.__post_init__(filter)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatilityFilter(Sourced):
    """The rank of ATR / close must lie between `low` and `high` (0-1, both included).

    The rank is the share of the `bars` values before that are not above the present one.
    """

    kind: Literal["volatility"] = "volatility"
    low: float = 0.1
    high: float = 0.9
    bars: int = 100
    atr_period: int = 14

    def __post_init__(self) -> None:
        _check_sourced(self)
        number("filters.volatility.low", self.low, 0, 1)
        number("filters.volatility.high", self.high, 0, 1)
        if self.low >= self.high:
            found = f"{self.low:g} and {self.high:g}"
            contradict("filters.volatility.low", "filters.volatility.high", "low below high", found)
        whole("filters.volatility.bars", self.bars, 2, BARS_MAX)
        whole("filters.volatility.atr_period", self.atr_period, 2, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeFilter(Sourced):
    """The rank of volume among the `bars` values before must be `low` (0-1) or above."""

    kind: Literal["volume"] = "volume"
    low: float = 0.2
    bars: int = 50

    def __post_init__(self) -> None:
        _check_sourced(self)
        number("filters.volume.low", self.low, 0, 1)
        whole("filters.volume.bars", self.bars, 2, BARS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendFilter(Sourced):
    """The close must lie more than `neutral_ratio` beyond its average: long above, short below.

    AGAINST turns the sides round. The average is of the bars of `interval`, the close always the
    newest of the series' own bars: with a longer interval price need not wait for a longer bar.
    """

    kind: Literal["trend"] = "trend"
    average: AverageKind = AverageKind.SMA
    period: int = 200
    mode: TrendMode = TrendMode.WITH
    neutral_ratio: float = 0.0

    def __post_init__(self) -> None:
        _check_sourced(self)
        average = member("filters.trend.average", AverageKind, self.average)
        object.__setattr__(self, "average", average)
        object.__setattr__(self, "mode", member("filters.trend.mode", TrendMode, self.mode))
        whole("filters.trend.period", self.period, 2, BARS_MAX)
        number("filters.trend.neutral_ratio", self.neutral_ratio, 0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RsiFilter(Sourced):
    """No long at or above `overbought`, no short at or below `oversold`."""

    kind: Literal["rsi"] = "rsi"
    period: int = 14
    oversold: float = 30.0
    overbought: float = 70.0

    def __post_init__(self) -> None:
        _check_sourced(self)
        whole("filters.rsi.period", self.period, 2, 1000)
        between("filters.rsi.oversold", self.oversold, 0, 100)
        between("filters.rsi.overbought", self.overbought, 0, 100)
        if self.oversold >= self.overbought:
            found = f"{self.oversold:g} and {self.overbought:g}"
            contradict(
                "filters.rsi.oversold",
                "filters.rsi.overbought",
                "the first below the second",
                found,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeFilter(Sourced):
    """(Highest high - lowest low) / close of the last `bars` must be `ratio_min` or more."""

    kind: Literal["range"] = "range"
    ratio_min: float = 0.01
    bars: int = 20

    def __post_init__(self) -> None:
        _check_sourced(self)
        between("filters.range.ratio_min", self.ratio_min, 0, 100)
        whole("filters.range.bars", self.bars, 1, BARS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeFilter(Sourced):
    """The Hurst exponent of the last `bars` must be above `trend_min`, or below `range_max`."""

    kind: Literal["regime"] = "regime"
    regime: Regime = Regime.TREND
    trend_min: float = 0.55
    range_max: float = 0.45
    bars: int = 100

    def __post_init__(self) -> None:
        _check_sourced(self)
        object.__setattr__(self, "regime", member("filters.regime.regime", Regime, self.regime))
        between("filters.regime.trend_min", self.trend_min, 0, 1)
        between("filters.regime.range_max", self.range_max, 0, 1)
        whole("filters.regime.bars", self.bars, 20, BARS_MAX)


Filter: TypeAlias = (
    VolatilityFilter | VolumeFilter | TrendFilter | RsiFilter | RangeFilter | RegimeFilter
)
