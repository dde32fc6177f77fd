"""The compiled pass of the campaigns: the figures of sets, one after the other."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels._compiled import driver, rule, shared, stamp_of
from engines.kernels.campaigns.awaited import play_awaited
from engines.kernels.campaigns.columns import (
    BARS,
    IS_UNSURE,
    KNOWS,
    LADDER_FROM,
    LAG,
    PAY_PRICE,
    PAY_RATE,
    PAY_SIZE,
    PAY_TIME,
    PAYS_END,
    PAYS_FROM,
)
from engines.kernels.campaigns.courses import COUNTS, LINES_KNOWN, course_size, prepare_courses
from engines.kernels.campaigns.gates import Closes
from engines.kernels.campaigns.limits import prepare_limits
from engines.kernels.campaigns.links import begin_set, end_set, play_set
from engines.kernels.campaigns.moves import prepare_moves
from engines.kernels.campaigns.sizes import prepare_sizes
from engines.kernels.chains.columns import I32_1D, Decides, Opens
from engines.kernels.columns import F64_2D, I64_2D, Run
from engines.kernels.machine.liquidation import put_tiers
from engines.kernels.passage.columns import Fixed, Payments
from engines.kernels.slots import (
    AT_MARKET,
    ENTRY_KIND,
    KELLY_AT,
    KELLY_ROOM,
    RUNGS,
    SUMS,
    TERMS,
    TIER,
    TIERS_AT,
)
from engines.kernels.stacks.kelly import KELLY_SUMS
from engines.kernels.summary import FIGURES, finish
from engines.types import F64_1D

# A set: where its wishes begin and end.
SET_START, SET_STOP = range(2)
# Sets that come to the end of a span of bars before any goes on: the lines of the span and the rows
# of the sets stay in the second-level cache, which all bars of a market do not. Of 512 bars to 8192
# 1024 were the fastest.
SETS, SPAN = 64, 1024

RunAll: TypeAlias = Callable[
    [Opens, F64_2D, Payments, I32_1D, I64_2D, F64_1D, Decides, Fixed, F64_2D, Closes, int, F64_2D],
    None,
]

play, play_after = shared(play_set), shared(play_awaited)


@rule
def _put_plan(
    run: Run, terms: F64_1D, opens: Opens, payments: Payments, tiers: F64_2D, may_share: bool
) -> None:
    """Put a plan into a row, and behind it the settlements, margin tiers, and room for rounds."""
    for place in range(TERMS):
        run[place] = terms[place]
    for place in range(TERMS, len(terms)):
        run[LADDER_FROM + place - TERMS] = terms[place]
    prepare_sizes(run)
    at, bar, count = PAYS_FROM, 0, len(payments.rates)
    for place in range(count):
        while payments.before[bar + 1] <= place:
            bar += 1
        is_late = place >= payments.after[bar]
        run[at + PAY_TIME] = 2.0 * bar + (1.0 if is_late else 0.0)
        run[at + PAY_PRICE], run[at + PAY_RATE] = payments.prices[place], payments.rates[place]
        at += PAY_SIZE
    run[TIERS_AT], run[KELLY_AT] = at, at + TIER * len(tiers)
    put_tiers(run, tiers)
    run[BARS], run[LAG], run[PAYS_END] = opens.bars, opens.lag, at if count > 0 else 0.0
    prepare_limits(run)
    prepare_moves(run)
    prepare_courses(run, may_share)


def _runner(stamp: int) -> RunAll:
    """Return the pass for sets of one plan; what it closes over is a part of its cache's key."""

    def run_all(
        opens: Opens, prices: F64_2D, payments: Payments, wishes: I32_1D, sets: I64_2D,
        terms: F64_1D, decides: Decides, fixed: Fixed, tiers: F64_2D, asked: Closes, span: int,
        found: F64_2D,
    ) -> None:  # fmt: skip # one list
        count = len(found) if stamp != 0 else 0
        size = PAYS_FROM + PAY_SIZE * len(payments.rates) + TIER * len(tiers)
        size += int(terms[KELLY_ROOM]) + KELLY_SUMS
        rows = np.zeros((min(count, SETS), size))
        for row in range(len(rows)):
            _put_plan(rows[row], terms, opens, payments, tiers, count > 1)
        waits = terms[ENTRY_KIND] != AT_MARKET
        knows = len(rows) > 0 and rows[0, KNOWS] != 0
        size = 2 * LINES_KNOWN * course_size(int(terms[RUNGS])) if knows else 0
        known = np.zeros(size + COUNTS)
        for first in range(0, count, SETS):
            own = min(SETS, count - first)
            for row in range(own):
                begin_set(rows[row], asked)
            for until in range(span, opens.bars + span, span):
                for row in range(own):
                    own_wishes = wishes[sets[first + row, SET_START] : sets[first + row, SET_STOP]]
                    if waits:
                        play_after(
                            rows[row], opens.lines, prices, opens.reach, own_wishes, decides, asked,
                            known, min(until, opens.bars),
                        )  # fmt: skip # one call
                    else:
                        play(
                            rows[row], opens.lines, prices, opens.reach, own_wishes, decides, asked,
                            known, min(until, opens.bars),
                        )  # fmt: skip # one call
            for row in range(own):
                end_set(rows[row], opens.lines, opens.reach, fixed.months)
                finish(rows[row], SUMS, fixed.days, fixed.bars, found[first + row], 0)
                found[first + row, FIGURES] = rows[row, IS_UNSURE]

    return driver(run_all)


STAMP = stamp_of(globals())
run_campaigns = _runner(STAMP)
