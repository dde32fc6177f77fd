"""The compiled pass of the campaigns: the figures of sets, one after the other."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from engines.kernels import (
    campaign_columns,
    campaign_fills,
    campaign_links,
    campaign_tally,
    campaign_walk,
    chain_columns,
    desk,
    money,
    passage_columns,
    passage_events,
    passage_lanes,
    passage_walk,
    rounding,
    rungs,
    search,
    slots,
    summary,
)
from engines.kernels._compiled import driver, shared, stamp_of
from engines.kernels.campaign_columns import IS_UNSURE, LADDER_FROM, ROW
from engines.kernels.campaign_links import Market, play_campaigns
from engines.kernels.chain_columns import I32_1D, Decides
from engines.kernels.columns import F64_2D, I64_2D
from engines.kernels.passage_columns import Fixed
from engines.kernels.slots import SUMS, TERMS
from engines.kernels.summary import FIGURES, finish
from engines.types import F64_1D

# A set: where its wishes begin and end.
SET_START, SET_STOP = range(2)

Run: TypeAlias = Callable[[Market, I32_1D, I64_2D, F64_1D, Decides, Fixed, F64_2D], None]

play = shared(play_campaigns)


def _runner(stamp: int) -> Run:
    """Return the pass for sets of one plan; what it closes over is a part of its cache's key."""

    def run_all(
        market: Market, wishes: I32_1D, sets: I64_2D, terms: F64_1D, decides: Decides,
        fixed: Fixed, found: F64_2D,
    ) -> None:  # fmt: skip # one list
        run = np.zeros(ROW if stamp != 0 else 0)
        run[:TERMS] = terms[:TERMS]
        run[LADDER_FROM : LADDER_FROM + len(terms) - TERMS] = terms[TERMS:]
        for item in range(len(found)):
            own = wishes[sets[item, SET_START] : sets[item, SET_STOP]]
            play(run, market, own, decides, fixed.months)
            finish(run, SUMS, fixed.days, fixed.bars, found[item], 0)
            found[item, FIGURES] = run[IS_UNSURE]

    return driver(run_all)


STAMP = stamp_of(
    campaign_columns, campaign_fills, campaign_links, campaign_tally, campaign_walk, chain_columns,
    desk, money, passage_columns, passage_events, passage_lanes, passage_walk, rounding, rungs,
    search, slots, summary,
)  # fmt: skip # all that a pass calls
run_campaigns = _runner(STAMP)
