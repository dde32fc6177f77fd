"""How wishes become orders: the frozen, validated settings of one run."""

from engines.plan.checks import member
from engines.plan.closes import (
    AverageClose,
    ChannelClose,
    ChannelKind,
    Close,
    PsarClose,
    RsiClose,
    StochasticClose,
)
from engines.plan.entry import EntryKind, EntryTerms, Reentry
from engines.plan.exits import (
    Basis,
    Breakeven,
    DistanceUnit,
    Exits,
    LevelSource,
    Target,
    Trailing,
)
from engines.plan.filters import (
    AverageKind,
    Filter,
    RangeFilter,
    Regime,
    RegimeFilter,
    RsiFilter,
    TrendFilter,
    TrendMode,
    VolatilityFilter,
    VolumeFilter,
)
from engines.plan.hours import Hours, Session
from engines.plan.ladder import (
    CustomLadder,
    DcaLadder,
    Growth,
    Ladder,
    LateTarget,
    Rung,
    SafetyOrders,
)
from engines.plan.plan import CloseRule, Direction, MarginMode, Market, Plan, PositionMode
from engines.plan.sizing import Sizing, SizingKind

__all__ = [
    "AverageClose",
    "AverageKind",
    "Basis",
    "Breakeven",
    "ChannelClose",
    "ChannelKind",
    "Close",
    "CloseRule",
    "CustomLadder",
    "DcaLadder",
    "Direction",
    "DistanceUnit",
    "EntryKind",
    "EntryTerms",
    "Exits",
    "Filter",
    "Growth",
    "Hours",
    "Ladder",
    "LateTarget",
    "LevelSource",
    "MarginMode",
    "Market",
    "Plan",
    "PositionMode",
    "PsarClose",
    "RangeFilter",
    "Reentry",
    "Regime",
    "RegimeFilter",
    "RsiClose",
    "RsiFilter",
    "Rung",
    "SafetyOrders",
    "Session",
    "Sizing",
    "SizingKind",
    "StochasticClose",
    "Target",
    "Trailing",
    "TrendFilter",
    "TrendMode",
    "VolatilityFilter",
    "VolumeFilter",
    "member",
]
