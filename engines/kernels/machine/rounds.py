"""Positions from flat to flat, and what is made of them: Kelly's sizing (`position`, `sizing`).

Theory. A round's result is the exact sum of its trades, rounded once, as in the reference; its
ratio weighs theirs by what their entries cost. Kelly's sizing looks at the last of them, which lie
in a ring: the round that ended as number n has the place n modulo the ring's length.
"""

from engines.kernels._compiled import inlined, rule
from engines.kernels.columns import Run
from engines.kernels.machine.exact import add_exactly, total_of
from engines.kernels.machine.gates import count_round
from engines.kernels.slots import (
    BAR,
    BY_KELLY,
    KELLY_AT,
    KELLY_ROOM,
    KELLY_TRADES_MIN,
    LAST_END_BAR,
    LAST_ROUND,
    ROUND_PNL,
    ROUND_RATIO,
    ROUND_TRADES,
    ROUND_WEIGHED,
    ROUND_WEIGHTS,
    ROUNDS,
    SHARE_MAX,
    SHARE_MIN,
    SIZING_KIND,
    SIZING_VALUE,
    TOTAL,
)


@inlined
def add_to_round(run: Run, pnl: float, cost: float, weight: float) -> None:
    """Add a trade that has closed: its result, and what its entry cost with fees and without."""
    run[ROUND_TRADES] += 1
    add_exactly(run, ROUND_PNL, pnl)
    if run[SIZING_KIND] == BY_KELLY:
        run[ROUND_RATIO] = pnl / cost
        add_exactly(run, ROUND_WEIGHED, pnl / cost * weight)
        add_exactly(run, ROUND_WEIGHTS, weight)


@inlined
def end_round(run: Run) -> None:
    """Note the position that has just ended."""
    run[LAST_ROUND], run[LAST_END_BAR] = total_of(run, ROUND_PNL), run[BAR]
    if run[SIZING_KIND] == BY_KELLY:
        ratio = run[ROUND_RATIO]
        if run[ROUND_TRADES] > 1:
            ratio = total_of(run, ROUND_WEIGHED) / total_of(run, ROUND_WEIGHTS)
        run[int(run[KELLY_AT]) + int(run[ROUNDS]) % int(run[KELLY_ROOM])] = ratio
        run[ROUND_WEIGHED] = run[ROUND_WEIGHTS] = 0
    count_round(run, run[LAST_ROUND])
    run[ROUNDS] += 1
    run[ROUND_TRADES] = run[ROUND_PNL] = 0


@rule
def kelly_share(run: Run) -> float:
    """Return the share of equity that Kelly's sizing spends."""
    count = int(min(run[ROUNDS], run[KELLY_ROOM]))
    wins, gain = _mean_of(run, count, 1.0)
    losses, loss = _mean_of(run, count, -1.0)
    if count < run[KELLY_TRADES_MIN] or wins == 0:
        share = run[SHARE_MIN]
    elif losses == 0:
        share = run[SIZING_VALUE] * (wins / count)
    else:
        win_ratio = wins / count
        share = run[SIZING_VALUE] * (win_ratio - (1 - win_ratio) / (gain / loss))
    return min(max(share, run[SHARE_MIN]), run[SHARE_MAX])


@rule
def _mean_of(run: Run, count: int, sign: float) -> tuple[float, float]:
    """Return how many of the last rounds have this sign, and the mean of their ratios' size."""
    found = 0.0
    run[TOTAL] = 0
    for place in range(count):
        ratio = sign * run[int(run[KELLY_AT]) + place]
        if ratio > 0:
            found += 1
            add_exactly(run, TOTAL, ratio)
    return found, total_of(run, TOTAL) / max(1.0, found)
