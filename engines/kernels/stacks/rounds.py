"""The rounds of a stack, and Kelly's share, by sums that keep what their additions lose.

Theory. The machine's sums are exact (`machine.rounds`, `machine.exact`), which costs more than the
trades themselves. Here each sum lies in two numbers, the second of which collects what additions to
the first have lost: together they are right nearly to the last bit, however many they add up. Where
a sign or a whole step may hang on that bit, the set is left to the machine: a round of several
trades that brings next to nothing, a share that is almost nothing, and entries for which a share
within SLACK buys different steps. A round of one trade has that trade's result, exactly.

The sums of a round take the first two places of the machine's. Kelly's follow the window of rounds:
as one ratio comes in and the oldest goes out, how many won and lost and what their ratios add up to
go along. They lie behind the ring of ratios, whose rounds each count once, however long it is.
Source: Knuth, "The Art of Computer Programming", volume 2, 4.2.2: what an addition loses.
"""

import math

from engines.kernels._compiled import inlined, rule
from engines.kernels.columns import Run
from engines.kernels.gates.columns import Days
from engines.kernels.machine.gates import count_round
from engines.kernels.slots import (
    BAR,
    CAPITAL,
    HALTED_DAY,
    KELLY_AT,
    KELLY_ROOM,
    KELLY_TRADES_MIN,
    LAST_END_BAR,
    LAST_ROUND,
    NEEDS_REFERENCE,
    OPEN_DAY,
    ROUND_PNL,
    ROUND_RATIO,
    ROUND_TRADES,
    ROUND_WEIGHED,
    ROUND_WEIGHTS,
    ROUNDS,
    RUN,
    SHARE_MAX,
    SHARE_MIN,
    SIZING_VALUE,
    TERMS,
)
from engines.types import F64_1D

# Of Kelly's fraction: by how much more than rounding a share may differ from the machine's.
SLACK = 1e-13
NEXT_TO_NOTHING = 1e-24  # of what a round turned over: less than any sum of its trades can be

# Behind the ring, of the rounds that won and then of those that lost: how many, and their sum.
COUNT, SUM, REST = range(3)
KIND = REST + 1
KELLY_SUMS = 2 * KIND


@rule
def slack_of(run: Run) -> float:
    """Return by how much the share that an entry may spend may differ from the machine's."""
    return SLACK * run[SIZING_VALUE] if run[KELLY_ROOM] > 0 else 0.0


@inlined
def begin_rounds(run: Run, terms: F64_1D) -> None:
    """Put a row of the machine's numbers into the state before a first position."""
    for place in range(len(run)):
        run[place] = terms[place] if place < TERMS else 0.0
    run[LAST_END_BAR], run[HALTED_DAY], run[KELLY_AT] = -math.inf, -1.0, RUN


@inlined
def first_share(terms: F64_1D, share: float) -> float:
    """Return the share of equity that a first entry may spend; `share` is the plan's."""
    return float(share if terms[KELLY_ROOM] == 0 else terms[SHARE_MIN])


@inlined
def weigh_trade(run: Run, pnl: float, cost: float, weight: float) -> None:
    """Add a trade that has closed: its result, and what its entry cost with fees and without."""
    run[ROUND_TRADES] += 1
    _add(run, ROUND_PNL, pnl)
    if run[KELLY_ROOM] > 0:
        run[ROUND_RATIO] = pnl / cost
        _add(run, ROUND_WEIGHED, pnl / cost * weight)
        _add(run, ROUND_WEIGHTS, weight)


@inlined
def end_round_at(run: Run, days: Days, bar: int, share: float) -> float:
    """Note that a position has ended in `bar`; return the share that the next one may spend.

    Until now that was `share`.
    """
    run[BAR] = bar
    if len(days.opens) > 0:
        run[OPEN_DAY] = days.opens[bar]
    if run[KELLY_ROOM] > 0:
        share = share_after(run)
    _end_round(run)
    return share


@rule
def _end_round(run: Run) -> None:
    run[LAST_ROUND] = _total(run, ROUND_PNL)
    run[LAST_END_BAR] = run[BAR]
    _judge(run, run[LAST_ROUND], run[CAPITAL])
    count_round(run, run[LAST_ROUND])
    run[ROUND_TRADES] = run[ROUND_PNL] = run[ROUND_PNL + 1] = 0.0


@rule
def share_after(run: Run) -> float:
    """Return the share of equity that the next entry may spend; `_end_round` is to follow."""
    ratio = run[ROUND_RATIO]
    if run[ROUND_TRADES] > 1:
        weighed, weights = _total(run, ROUND_WEIGHED), _total(run, ROUND_WEIGHTS)
        _judge(run, weighed, weights)
        ratio = weighed / weights
    for place in (ROUND_WEIGHED, ROUND_WEIGHTS):
        run[place] = run[place + 1] = 0.0
    room = int(run[KELLY_ROOM])
    place = int(run[KELLY_AT]) + int(run[ROUNDS]) % room
    _count(run, run[place], -1.0)  # the oldest; nothing, while the ring fills
    _count(run, ratio, 1.0)
    run[place] = ratio
    run[ROUNDS] += 1
    return _share(run, min(run[ROUNDS], float(room)))


@rule
def _judge(run: Run, total: float, turnover: float) -> None:
    """Leave the set to the machine where the sign of a sum of several trades may be another."""
    if run[ROUND_TRADES] > 1 and abs(total) <= NEXT_TO_NOTHING * turnover:
        run[NEEDS_REFERENCE] = 1.0


@rule
def _count(run: Run, ratio: float, sign: float) -> None:
    """Add a ratio to the sums of its kind, or take it away."""
    kind = int(run[KELLY_AT]) + int(run[KELLY_ROOM]) + (0 if ratio > 0 else KIND)
    if ratio != 0:
        run[kind + COUNT] += sign
        _add(run, kind + SUM, sign * abs(ratio))


@rule
def _share(run: Run, count: float) -> float:
    """Return the share of equity by the last rounds, in the machine's order of operations."""
    won = int(run[KELLY_AT]) + int(run[KELLY_ROOM])
    wins, losses, value = run[won + COUNT], run[won + KIND + COUNT], run[SIZING_VALUE]
    share = run[SHARE_MIN]
    if count >= run[KELLY_TRADES_MIN] and wins > 0:
        win_ratio = wins / count
        share = value * win_ratio
        if losses > 0:
            gain, loss = _total(run, won + SUM) / wins, _total(run, won + KIND + SUM) / losses
            share = value * (win_ratio - (1 - win_ratio) / (gain / loss))
            if abs(share) <= SLACK * value:
                run[NEEDS_REFERENCE] = 1.0
    return min(max(share, run[SHARE_MIN]), run[SHARE_MAX])


@rule
def _add(run: Run, place: int, value: float) -> None:
    total = run[place]
    added = total + value
    part = added - total
    run[place + 1] += (total - (added - part)) + (value - part)
    run[place] = added


@rule
def _total(run: Run, place: int) -> float:
    return run[place] + run[place + 1]
