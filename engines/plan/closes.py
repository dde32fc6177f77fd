"""Rules that close a position at market when an indicator says so.

Theory. A close rule is a pair of columns, close a long and close a short, known at each close; the
position closes at the next open under the reason `signal`. `engines/rules` computes them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

from engines.plan.checks import between, contradict, member, number, whole
from engines.plan.filters import AverageKind

BARS_MAX = 100_000


class ChannelKind(StrEnum):
    """Which channel."""

    BOLLINGER = "bollinger"
    KELTNER = "keltner"
    DONCHIAN = "donchian"


@dataclass(frozen=True, slots=True, kw_only=True)
class RsiClose:
    """Close a long when RSI is at or above `overbought`, a short at or below `oversold`."""

    kind: Literal["rsi"] = "rsi"
    period: int = 14
    oversold: float = 30.0
    overbought: float = 70.0

    def __post_init__(self) -> None:
        whole("closes.rsi.period", self.period, 2, 1000)
        _check_zones("closes.rsi", self.oversold, self.overbought)


@dataclass(frozen=True, slots=True, kw_only=True)
class StochasticClose:
    """Close a long when %K crosses below %D and is still at or above `overbought`.

    A short mirrored: above %D, at or below `oversold`.
    """

    kind: Literal["stochastic"] = "stochastic"
    k_period: int = 14
    smooth: int = 3
    d_period: int = 3
    oversold: float = 20.0
    overbought: float = 80.0

    def __post_init__(self) -> None:
        for name in ("k_period", "smooth", "d_period"):
            whole(f"closes.stochastic.{name}", getattr(self, name), 1, 1000)
        _check_zones("closes.stochastic", self.oversold, self.overbought)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelClose:
    """Close a long when the close is at or above the upper band, a short at or below the lower.

    Donchian's channel is of the bars before, and has no multiplier.
    """

    kind: Literal["channel"] = "channel"
    channel: ChannelKind = ChannelKind.BOLLINGER
    period: int = 20
    multiplier: float = 2.0

    def __post_init__(self) -> None:
        channel = member("closes.channel.channel", ChannelKind, self.channel)
        object.__setattr__(self, "channel", channel)
        whole("closes.channel.period", self.period, 2, BARS_MAX)
        between("closes.channel.multiplier", self.multiplier, 0, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageClose:
    """Close a long when the fast average crosses below the slow one, a short above."""

    kind: Literal["average"] = "average"
    average: AverageKind = AverageKind.EMA
    fast: int = 10
    slow: int = 30

    def __post_init__(self) -> None:
        average = member("closes.average.average", AverageKind, self.average)
        object.__setattr__(self, "average", average)
        whole("closes.average.fast", self.fast, 1, BARS_MAX)
        whole("closes.average.slow", self.slow, 2, BARS_MAX)
        if self.fast >= self.slow:
            found = f"{self.fast} and {self.slow}"
            contradict("closes.average.fast", "closes.average.slow", "fast below slow", found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PsarClose:
    """Close a position when the parabolic SAR turns against it."""

    kind: Literal["psar"] = "psar"
    start: float = 0.02
    step: float = 0.02
    highest: float = 0.2

    def __post_init__(self) -> None:
        for name in ("start", "step", "highest"):
            between(f"closes.psar.{name}", getattr(self, name), 0, 1)
        if self.start > self.highest:
            found = f"{self.start:g} and {self.highest:g}"
            contradict(
                "closes.psar.start", "closes.psar.highest", "the first not above the second", found
            )


Close: TypeAlias = RsiClose | StochasticClose | ChannelClose | AverageClose | PsarClose


def _check_zones(name: str, oversold: float, overbought: float) -> None:
    number(f"{name}.oversold", oversold, 0, 100)
    number(f"{name}.overbought", overbought, 0, 100)
    if oversold >= overbought:
        contradict(
            f"{name}.oversold",
            f"{name}.overbought",
            "the first below the second",
            f"{oversold:g} and {overbought:g}",
        )
