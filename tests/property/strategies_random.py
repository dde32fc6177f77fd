"""Random markets and strategies that say anything a strategy may say, made from one seed.

Hypothesis draws the seed and the number of bars; everything else follows from them, a bar and what
is said at it from (seed, bar) alone, so that a shorter case is a true prefix of a longer one.
Signal names tell the kind of order and, in half of the cases, the bar that decided it: "E1@7".
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from engines.backtest import Backtest, run_backtest
from engines.context import Context
from engines.costs import CommissionKind, Costs
from engines.instrument import Instrument
from engines.klines import HOUR_MS, Klines
from engines.orders import OcaKind
from engines.plan import Basis, CloseRule, Direction, Exits, Plan, Sizing, SizingKind
from engines.resample import aggregate
from engines.signals import Signals
from engines.trades import Side
from engines.types import F64_1D
from strategies.base import Strategy

START_MS = 1_735_689_600_000  # 2025-01-01T00:00Z
SUB_BARS = 4
BAR_MS = SUB_BARS * HOUR_MS
BARS_MAX = 40
TICK = 0.1
GROUPS = ("", "", "", "g", "h")
ENTRIES, RAWS, EXITS = ("E1", "E2", "E3"), ("O1", "O2"), ("X1", "X2", "X3")
RATCHETS = (
    ((0.005, 0.0),),
    ((0.01, -0.01), (0.02, 0.015)),
    ((0.002, 0.001), (0.004, 0.002), (0.03, 0.01)),
)

# A random source whose draws are plain Python values.
Source = np.random.Generator


def one_of(source: Source, options: Sequence[Any]) -> Any:
    """Return one of the options."""
    return options[int(source.integers(len(options)))]


@dataclass(frozen=True)
class Said:
    """One command as a value; `levels` are ticks from the close at which it is said (NaN: NaN)."""

    name: str
    args: tuple[Any, ...]
    terms: Mapping[str, Any]
    levels: Mapping[str, float]

    def __call__(self, ctx: Context) -> None:
        """Say it."""
        prices = {name: ctx.close[0] + ticks * TICK for name, ticks in self.levels.items()}
        getattr(ctx, self.name)(*self.args, **self.terms, **prices)


@dataclass(frozen=True)
class Chatter(Strategy):
    """Says what is written for each bar and notes the position that it is told."""

    says: Mapping[int, Sequence[Said]] = field(default_factory=dict)
    seen_qty: list[float] = field(default_factory=list)

    @classmethod
    def parameters(cls) -> tuple[()]:
        """Return none: chatter is not swept."""
        return ()

    def features(self, klines: Klines) -> Mapping[str, F64_1D]:
        """Return none."""
        return {}

    def on_bar(self, ctx: Context) -> None:
        """Say what is written for this bar."""
        self.seen_qty.append(ctx.position_qty)
        for said in self.says.get(ctx.bar_index, ()):
            said(ctx)


@dataclass(frozen=True)
class Wishes(Strategy):
    """Wants what the seed makes it want, by bar."""

    seed: int = 0

    def signals(self, klines: Klines) -> Signals:
        """Return random wishes; some come with a size, a stop or a target."""
        source = np.random.default_rng([self.seed, 4])
        rows = source.random((BARS_MAX, 8))[: len(klines)]
        enters, is_long = rows[:, 0] < 0.3, rows[:, 1] < 0.5

        def some(column: int, values: F64_1D) -> F64_1D:
            return np.where(rows[:, column] < 0.3, values, np.nan)

        return Signals(
            entry_long=enters & is_long,
            exit_long=rows[:, 2] < 0.1,
            entry_short=enters & ~is_long,
            exit_short=rows[:, 3] < 0.1,
            stop_price=some(4, klines.close * (0.97 + 0.06 * rows[:, 7])),
            target_price=some(5, klines.close * (1.03 - 0.06 * rows[:, 7])),
            size=some(6, 4 * rows[:, 7] + 0.01),
        )


@dataclass(frozen=True)
class Case:
    """One random run: bars, settings and what is said."""

    klines: Klines
    magnifier: Klines | None
    instrument: Instrument
    plan: Plan
    costs: Costs
    rates: F64_1D | None
    says: Mapping[int, Sequence[Said]]
    wishes: Wishes | None = None  # instead of what is said

    def run(self) -> Backtest:
        """Trade it."""
        return self.run_watched()[0]

    def run_watched(self) -> tuple[Backtest, list[float]]:
        """Trade it; return the positions seen at each close as well."""
        strategy = Chatter(self.says)
        result = run_backtest(
            self.wishes or strategy, self.klines, self.instrument, self.plan, self.costs,
            magnifier=self.magnifier, rates=self.rates,
        )  # fmt: skip # who and where, then the two that may be missing
        return result, strategy.seen_qty

    def first(self, bars: int) -> "Case":
        """Return the same run on the first `bars` bars."""
        fine = self.magnifier
        return replace(
            self,
            klines=self.klines.between(0, bars),
            magnifier=None if fine is None else fine.between(0, bars * SUB_BARS),
            rates=None if self.rates is None else self.rates[:bars],
        )

    @property
    def settles(self) -> bool:
        """Return whether anything may fill at the close that decided it."""
        said = [said for pass_ in self.says.values() for said in pass_]
        return self.plan.process_on_close or any(s.terms.get("immediately") for s in said)


def _sub_bars(source: Source, count: int) -> Klines:
    """Return bars on the tick: calm and wild ones, flat ones, gaps, equal prices."""
    rows = np.empty((count, 4))
    ticks = 1_000
    for row in rows:
        gap = one_of(source, (0, 0, 0, 0, 0, 3, -3, 20, -20, 60, -60))
        reach = one_of(source, (0, 1, 5, 5, 10, 20, 80))
        start = max(100, ticks + gap)
        end = max(100, start + int(source.integers(-reach, reach + 1)))
        above, below = source.integers(0, reach + 1, 2).tolist()
        row[:] = start, max(start, end) + above, max(50, min(start, end) - below), end
        ticks = end
    prices = np.ascontiguousarray(rows.T) / 10
    return Klines(
        "R/USDT:USDT",
        HOUR_MS,
        START_MS + HOUR_MS * np.arange(count, dtype=np.int64),
        open=prices[0],
        high=prices[1],
        low=prices[2],
        close=prices[3],
        volume=np.ones(count),
    )


def _plan(source: Source) -> Plan:
    kinds = {SizingKind.QTY: 2.0, SizingKind.CASH: 700.0, SizingKind.EQUITY_RATIO: 0.4}
    kind = one_of(source, list(kinds))
    return Plan(
        capital_quote=one_of(source, (1_000.0, 1_000.0, 5_000.0, 1e6)),
        sizing=Sizing(kind, kinds[kind]),
        pyramiding=one_of(source, (0, 1, 2, 3, 9)),
        close_rule=one_of(source, list(CloseRule)),
        direction=one_of(source, [Direction.BOTH] * 4 + list(Direction)),
        margin_long_ratio=one_of(source, (1.0, 1.0, 0.5, 0.1, 0.0)),
        margin_short_ratio=one_of(source, (1.0, 1.0, 0.5, 0.1, 0.0)),
        process_on_close=one_of(source, (False, False, False, True)),
        limit_verify_ticks=one_of(source, (0, 0, 0, 2)),
        exits=Exits(  # for wishes only
            stop_loss_ratio=one_of(source, (None, 0.02)),
            take_profit_ratio=one_of(source, (None, 0.03)),
        ),
        position_qty_max=one_of(source, (None, None, None, 6.0)),
        intraday_fills_max=one_of(source, (None, None, None, None, 2, 5)),
        intraday_loss_ratio_max=one_of(source, (None, None, None, None, 0.02)),
        intraday_loss_quote_max=one_of(source, (None, None, None, None, 200.0)),
    )


def _costs(source: Source) -> Costs:
    kind = one_of(source, list(CommissionKind))
    commission = {"ratio": 0.001, "per_contract": 0.5, "per_order": 2.0}[kind]
    return Costs(one_of(source, (0.0, commission)), kind, one_of(source, (0, 0, 1, 7)))


def _level(source: Source) -> float:
    """Return a distance in ticks; some are undefined, some between two ticks."""
    return float(
        one_of(source, (math.nan, 0, 0.5, int(source.integers(-15, 16)))) if source.random() < 0.3
        else source.integers(-60, 61)
    )  # fmt: skip # a sentence


def _prices(source: Source, *names: str) -> dict[str, float]:
    return {name: _level(source) for name in names if source.random() < 0.5}


def _size(source: Source) -> Any:
    return one_of(source, ({}, {}, {"qty": one_of(source, (0.0004, 0.5, 1.0, 1.2345, 3.0, 8.0))}))


def _part(source: Source) -> Any:
    return one_of(source, ({}, {}, _size(source), {"qty_ratio": one_of(source, (0.1, 0.5, 1.0))}))


def _group(source: Source) -> dict[str, Any]:
    name = one_of(source, GROUPS)
    return {"oca_name": name, "oca_kind": one_of(source, list(OcaKind))} if name else {}


def _exit(source: Source, named: Mapping[str, str], id: str) -> Said:
    distances = {
        "profit_ticks": (5, 30), "loss_ticks": (5, 30), "profit_ratio": (0.01, 0.05),
        "loss_ratio": (0.01, 0.05), "trail_points": (0, 5.5, 20), "trail_offset": (0, 3, 10.9),
    }  # fmt: skip # what may be given, and the values
    terms = {n: one_of(source, v) for n, v in distances.items() if source.random() < 0.3}
    if group := one_of(source, GROUPS):
        terms["oca_name"] = group
    levels = _prices(source, "limit", "stop")
    if source.random() < 0.15:
        levels["trail_price"] = _level(source)
    elif source.random() < 0.3:
        terms = {n: v for n, v in terms.items() if not n.startswith("trail")}
        unit, values = one_of(source, (("ratio", (0, 0.004, 0.02)), ("quote", (0, 0.55, 2.0))))
        terms[f"trail_activation_{unit}"] = one_of(source, values)
        terms[f"trail_distance_{unit}"] = one_of(source, values)
    if source.random() < 0.3:
        terms["ratchets"] = one_of(source, RATCHETS)
    if source.random() < 0.3:
        terms["basis"] = one_of(source, list(Basis))
    args = (id, one_of(source, ("", *ENTRIES, *ENTRIES, "O1")))
    return Said("exit", args, {**terms, **_part(source), **named}, levels)


def _said(source: Source, bar: int) -> Said:
    """Return one command."""
    tag = one_of(source, ("", f"@{bar}"))
    kind = one_of(source, ("entry",) * 5 + ("order",) * 3 + ("exit",) * 6 + ("close", "all", "cut"))
    if kind in ("entry", "order"):
        id = one_of(source, ENTRIES if kind == "entry" else RAWS)
        terms = {**_size(source), **_group(source), "comment": id + tag}
        levels = _prices(source, "limit", "stop")
        if kind == "entry" and source.random() < 0.15:
            terms["with_position"] = True
        if kind == "entry" and "qty" not in terms and source.random() < 0.1:
            terms["equity_ratio"] = one_of(source, (0.05, 0.5, 1.2))
        return Said(kind, (id, one_of(source, list(Side))), terms, levels)
    if kind == "exit":
        id = one_of(source, EXITS)
        return _exit(source, {"comment": id + tag}, id)
    at_once = {"comment": "C" + tag, "immediately": source.random() < 0.2}
    if kind == "close":
        return Said("close_entry", (one_of(source, ENTRIES),), {**_part(source), **at_once}, {})
    if kind == "all":
        return Said("close_all", (), at_once, {})
    if source.random() < 0.5:
        return Said("cancel_all", (), {}, {})
    return Said("cancel", (one_of(source, [*ENTRIES, *RAWS, *EXITS]),), {}, {})


def case_of(seed: int, bars: int) -> Case:
    """Return the case of a seed, cut to `bars` bars."""
    source = np.random.default_rng([seed, 0])
    fine = _sub_bars(source, BARS_MAX * SUB_BARS)
    steps = np.random.default_rng([seed, 1]).normal(0.0, 0.01, BARS_MAX)
    setting = np.random.default_rng([seed, 2])
    talk = one_of(setting, (0.3, 0.6, 0.9))
    says: dict[int, Sequence[Said]] = {}
    for bar in range(bars):
        source = np.random.default_rng([seed, 3, bar])
        if source.random() < talk:
            says[bar] = tuple(_said(source, bar) for _ in range(int(source.integers(1, 4))))
    instrument = Instrument(
        "R/USDT:USDT", TICK, one_of(setting, (0.001, 0.001, 0.5)),
        point_value=one_of(setting, (1.0, 1.0, 5.0)),
        time_zone=one_of(setting, ("UTC", "UTC", "America/New_York")),
    )  # fmt: skip # the two that vary stand apart
    case = Case(
        klines=aggregate(fine, BAR_MS),
        magnifier=one_of(setting, (None, None, fine)),
        instrument=instrument,
        plan=_plan(setting),
        costs=_costs(setting),
        rates=one_of(setting, (None, None, None, np.exp(np.cumsum(steps)))),
        says=says,
        wishes=one_of(setting, (None, None, None, None, Wishes(seed))),
    )
    if case.wishes is None:  # The plan's stops are for wishes; what is said brings its own.
        case = replace(case, plan=replace(case.plan, exits=Exits()))
    return case.first(bars)


CASES = st.builds(case_of, st.integers(0, 2**32 - 1), st.integers(2, BARS_MAX))
