"""Kelly's share of a stack, by sums that follow its window of rounds (`machine.rounds`).

Theory. The share is made of how many of the last rounds won and lost, and of the means of their
ratios. The sums are kept exactly (`machine.exact`): as one ratio comes in and the oldest goes out,
what is left is exactly the sum of those in between, so that rounded once it is the machine's. They
lie behind the ring of ratios, whose rounds each count once, however long it is.
"""

from engines.kernels._compiled import rule
from engines.kernels.columns import Run
from engines.kernels.machine.exact import add_exactly, total_of
from engines.kernels.machine.rounds import end_round
from engines.kernels.slots import (
    KELLY_AT,
    KELLY_ROOM,
    KELLY_TRADES_MIN,
    PARTS_MAX,
    ROUNDS,
    SHARE_MAX,
    SHARE_MIN,
    SIZING_VALUE,
)

# Behind the ring, of the rounds that won and then of those that lost: how many, and their sum.
COUNT, SUM = range(2)
KIND = SUM + 1 + PARTS_MAX
KELLY_SUMS = 2 * KIND


@rule
def end_weighed_round(run: Run) -> float:
    """Note the position that has just ended; return the share that the next one may spend."""
    room = int(run[KELLY_ROOM])
    place = int(run[KELLY_AT]) + int(run[ROUNDS]) % room
    oldest = run[place]  # nothing, while the ring fills
    end_round(run)
    _count(run, oldest, -1.0)
    _count(run, run[place], 1.0)
    return _share(run, min(run[ROUNDS], float(room)))


@rule
def _count(run: Run, ratio: float, sign: float) -> None:
    """Add a ratio to the sums of its kind, or take it away."""
    kind = int(run[KELLY_AT]) + int(run[KELLY_ROOM]) + (0 if ratio > 0 else KIND)
    if ratio != 0:
        run[kind + COUNT] += sign
        add_exactly(run, kind + SUM, sign * abs(ratio))


@rule
def _share(run: Run, count: float) -> float:
    """Return the share of equity by the last rounds, in the machine's order of operations."""
    won = int(run[KELLY_AT]) + int(run[KELLY_ROOM])
    wins, losses = run[won + COUNT], run[won + KIND + COUNT]
    share = run[SHARE_MIN]
    if count >= run[KELLY_TRADES_MIN] and wins > 0:
        win_ratio = wins / count
        share = run[SIZING_VALUE] * win_ratio
        if losses > 0:
            gain, loss = total_of(run, won + SUM) / wins, total_of(run, won + KIND + SUM) / losses
            share = run[SIZING_VALUE] * (win_ratio - (1 - win_ratio) / (gain / loss))
    return min(max(share, run[SHARE_MIN]), run[SHARE_MAX])
