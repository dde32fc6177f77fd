"""Whether a campaign whose course is known keeps all limits, without a look at its bars.

Theory. Its lots are known, and between which prices each of them is the last. So what equity may
fall to is bounded, lot by lot, and what it was where a trading day began is reckoned from the lots
held then; closes are looked up only where its highest price may raise the peak of equity. If no
fill is the last of its day, nothing comes near to a limit of the days of its time, and nothing to
what the last peak allows, which is the highest, the campaign is played as if there were none, and
days and peak go by. Else nothing has changed, and its bars are walked. The end itself is judged as
any other is.
"""

import math

from engines.kernels._compiled import apart, rule
from engines.kernels.campaigns.columns import (
    DAY_END,
    L_BAR,
    L_FEE,
    L_PRICE,
    L_STEPS,
    LOT_SIZE,
    LOTS_FROM,
    STEP_SIZE,
    TARGET_AWAY,
)
from engines.kernels.campaigns.courses import (
    C_END,
    C_TOP,
    COURSE_HEAD,
    DOUBT,
    K_FROM,
    K_LOWEST,
    KNOWN_LOT,
    has_target,
)
from engines.kernels.campaigns.gates import Closes
from engines.kernels.campaigns.guards import noise_of
from engines.kernels.campaigns.limits import best_close, least_of_day
from engines.kernels.chains.columns import LINE, O_CLOSE
from engines.kernels.columns import Run
from engines.kernels.slots import (
    CAPITAL,
    DAY_FILLS,
    DRAWDOWN_MAX,
    EQUITY_MIN,
    FILLS_MAX,
    FLOOR,
    NET,
    PEAK,
    POINT_VALUE,
    PROFIT_RATIO,
    TICK_SIZE,
)
from engines.types import F64_1D


@apart
def keeps_limits(
    run: Run, lines: F64_1D, asked: Closes, known: F64_1D, at: int, lots: int, last: int,
    side: float,
) -> bool:  # fmt: skip # one list
    """Return whether so many lots of a course keep all limits up to bar `last`, or until its end.

    If so, days and peak go by.
    """
    owned, unit = run[CAPITAL] + run[NET], run[STEP_SIZE] * run[POINT_VALUE]
    end, ended = min(known[at + C_END], float(last)), min(known[at + C_END], last + 1.0)
    day, fills, least = run[DAY_END], run[DAY_FILLS], run[EQUITY_MIN]
    counts_peak, peak = run[DRAWDOWN_MAX] == run[DRAWDOWN_MAX], run[PEAK]
    steps = paid = fees = 0.0
    lowest, noise = math.inf, noise_of(run)
    for number in range(lots):
        lot, course = LOTS_FROM + number * LOT_SIZE, at + COURSE_HEAD + number * KNOWN_LOT
        is_last = number == lots - 1
        begun, until = run[lot + L_BAR], end if is_last else run[lot + LOT_SIZE + L_BAR]
        steps, fees = steps + run[lot + L_STEPS], fees + run[lot + L_FEE]
        paid += side * run[lot + L_PRICE] * run[lot + L_STEPS]
        # What equity is at a signed price: the cash that is left and what is held there.
        cash, held = owned - fees - paid * unit, steps * unit
        fills += 1.0 if number > 0 else 0.0
        day_then = day
        day, least, highest = _pass_days(run, lines, asked, day, until, least, cash, side * held)
        low = cash + known[course + K_LOWEST] * held
        if fills >= run[FILLS_MAX] or not low > highest + noise:
            return False
        lowest, fills = min(lowest, low), fills if day == day_then else 0.0
        seen = ended if is_last else until
        high = cash + _highest(run, known, at, course, side) * held
        if counts_peak and begun < seen and high > peak:
            best = best_close(run, asked, int(begun), int(seen), side)
            peak = max(peak, cash + best * held)
    if counts_peak:
        floor = peak * (1 - run[DRAWDOWN_MAX])
        if not lowest > floor + noise:
            return False
        run[PEAK], run[FLOOR] = peak, floor
    run[DAY_END], run[DAY_FILLS], run[EQUITY_MIN] = day, fills, least
    return True


@rule
def _pass_days(
    run: Run, lines: F64_1D, asked: Closes, day: float, until: float, least: float, cash: float,
    held: float,
) -> tuple[float, float, float]:  # fmt: skip # one list
    """Begin days up to a bar; return the next, what the last one allows, the most that any does."""
    highest = least
    while day <= until:
        least = least_of_day(run, cash + lines[int(day) * LINE + O_CLOSE] * held)
        highest, day = max(highest, least), float(asked.next_day[int(day)])
    return day, least, highest


@rule
def _highest(run: Run, known: F64_1D, at: int, course: int, side: float) -> float:
    """Return a signed price that no close is above while this lot is the last."""
    if not has_target(run):
        return float(known[at + C_TOP])
    ratio, base = run[PROFIT_RATIO], known[course + K_FROM]
    target = base * (1 + side * ratio) if ratio == ratio else base + run[TARGET_AWAY]
    return float(target + DOUBT * run[TICK_SIZE])
