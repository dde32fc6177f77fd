"""`phalanx backtest`: trade strategies on bars from files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from serve.flags import BarFlags, JsonFlags, OutFlags, PlanFlags


@dataclass(frozen=True, kw_only=True)
class BacktestFlags(JsonFlags, OutFlags, PlanFlags, BarFlags):
    """What `phalanx backtest` takes."""

    strategies: Annotated[
        list[str],
        typer.Argument(
            metavar="STRATEGY", help="Names (see `phalanx strategies`) or path/to/file.py:Class."
        ),
    ]
    bars: Annotated[
        list[Path], typer.Option(help="File of bars: CSV or Parquet; repeat for further ones.")
    ]


def backtest(flags: BacktestFlags) -> int:
    """Trade strategies on bars from files."""
    from serve.output import print_notes, print_runs
    from serve.progress import progress
    from serve.runs import check_out, find_all, parse_settings, run_one, write_out
    from serve.terms import costs_of, market_of, plan_of

    check_out(flags.out, force=flags.force)
    plan, costs = plan_of(flags), costs_of(flags)
    found = find_all(flags.strategies)
    settings = parse_settings(flags.settings, found)
    market = market_of(flags.bars, flags)
    with progress() as place:
        runs = [
            run_one(
                item, settings, market, plan, costs, place, causality_check=flags.causality_check
            )
            for item in found
        ]
    if flags.out is not None:
        write_out(flags.out, runs, force=flags.force)
    print_notes(market.notes)
    print_runs(runs, flags.out, json=flags.json)
    return 0
