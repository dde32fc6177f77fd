"""The rules of a plan as columns, computed once before the first bar is traded.

Theory. A rule of `engines/plan` that looks only at the market or at the clock does not depend on
what was traded, so all of them become columns [T], known at the close of each bar and causal: bars
that come later never change a value. What no rule asks for is None, so that a plan without rules
pays nothing. `filters` decides who may enter, `hours` when, `closes` what ends a position; an
undefined value allows nothing and closes nothing.
"""

from dataclasses import dataclass

from engines.features.volatility import atr
from engines.klines import Klines
from engines.plan import Plan
from engines.rules.closes import close_columns
from engines.rules.filters import filter_columns
from engines.rules.hours import hour_columns
from engines.types import BOOL_1D, F64_1D


@dataclass(frozen=True, slots=True, eq=False)
class RuleColumns:
    """What the rules say at the close of each bar, [T] each, None where no rule asks for it.

    `may_long`, `may_short`: an entry wish of this close counts (filters and hours together; both
    are None or none is). `close_long`, `close_short`: a close rule ends such a position.
    `session_close`, `weekend_close`: a position must not be held past this close. `atr` in quote,
    of the period of the exits; `atr_ratio` of the close, of the period of the sizing; NaN during
    warm-up.
    """

    may_long: BOOL_1D | None = None
    may_short: BOOL_1D | None = None
    close_long: BOOL_1D | None = None
    close_short: BOOL_1D | None = None
    session_close: BOOL_1D | None = None
    weekend_close: BOOL_1D | None = None
    atr: F64_1D | None = None
    atr_ratio: F64_1D | None = None


def rule_columns(plan: Plan, klines: Klines) -> RuleColumns:
    """Return the columns of the plan's filters, hours, close rules and volatilities.

    Raises: PlanFault if a filter names a series that `klines.others` lacks, or an interval that is
    no multiple of the interval of its series.
    """
    hours = hour_columns(plan.hours, klines)
    sides = filter_columns(plan.filters, klines)
    may_long = may_short = hours.may_enter
    if sides is not None:
        is_open = hours.may_enter
        may_long = sides.long if is_open is None else sides.long & is_open
        may_short = sides.short if is_open is None else sides.short & is_open
    closes = close_columns(plan.closes, klines)
    ranges = _atr(klines, plan.sizing.atr_period) if plan.uses_volatility else None
    return RuleColumns(
        may_long=may_long,
        may_short=may_short,
        close_long=None if closes is None else closes.long,
        close_short=None if closes is None else closes.short,
        session_close=hours.session_close,
        weekend_close=hours.weekend_close,
        atr=_atr(klines, plan.exits.atr_period) if plan.exits.uses_atr else None,
        atr_ratio=None if ranges is None else ranges / klines.close,
    )


def _atr(klines: Klines, period: int) -> F64_1D:
    return atr(klines.high, klines.low, klines.close, period)
