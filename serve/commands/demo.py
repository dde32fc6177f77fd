"""`phalanx demo`: a small sweep on a local Ray cluster, from bars to the report of its best set.

The bars are made up unless a file is named. The folder holds a study as `phalanx sweep` leaves it:
`report.html` first, beside it the best set's own report and the table.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serve.flags import BarFlags, JsonFlags, PlanFlags

if TYPE_CHECKING:
    from cluster.study import Study
    from cluster.study_folder import StudyFolder
    from cluster.sweep import SweepResult
    from serve.terms import Market

SEED = 20_250_101
BARS = 35_040  # a year of 15-minute bars
INTERVAL_MS = 15 * 60_000
STRATEGY = "ema_crossover"
GRID = "fast=5:20:3 slow=20:50:5"
PLAN_GRID = "exits.stop_loss_ratio=1%:5%:1% exits.take_profit_ratio=2%:10%:2%"
TOP = 10


@dataclass(frozen=True, kw_only=True)
class DemoFlags(JsonFlags):
    """What `phalanx demo` takes."""

    bars: Annotated[
        list[Path] | None, typer.Option(help="File of bars; else a made-up market, said so.")
    ] = None
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("out/demo")
    force: Annotated[bool, typer.Option("--force", help="Write into a folder in use.")] = False


def demo(flags: DemoFlags) -> int:
    """Sweep a built-in strategy on a local Ray cluster and write the report of the study.

    Exit code 1: a set failed, or a winner is not what the reference gives.
    """
    from cluster.study_folder import StudyFolder
    from serve.output import print_json, print_notes
    from serve.study_report import write_study_report
    from serve.sweep_output import print_sweep, say_findings

    folder = StudyFolder(flags.out.absolute())
    _require_ours(folder, force=flags.force)
    market = _market(flags.bars)
    study = _study(market)
    print_notes([*market.notes, f"{study.sets:,} sets of {STRATEGY} on a local Ray cluster"])
    result = _run(study, folder)
    page = write_study_report(study, folder)
    if flags.json:
        print_json(folder.read_manifest())
    else:
        print(f"report: {page}")
        print_sweep(result)
    say_findings(result, folder.failed)
    return 0 if result.is_sound else 1


def _require_ours(folder: "StudyFolder", *, force: bool) -> None:
    """Raise OutputFault if the folder holds something else than an earlier study."""
    from cluster.results import OutputFault

    path = folder.path
    if path.exists() and not path.is_dir():
        raise OutputFault(f"output folder {path}", "a folder", "a file")
    if force or folder.is_there or not path.is_dir() or not any(path.iterdir()):
        return
    expected = "a new one, an empty one or an earlier study (or --force)"
    raise OutputFault(f"output folder {path}", expected, "other files")


def _study(market: "Market") -> "Study":
    from cluster.study import study_of, swept_settings
    from engines.kernels.trials import Market as Traded
    from engines.plan import LevelSource
    from engines.search.grid import parse_grid
    from engines.search.plan_axes import plan_settings
    from engines.search.space import Space
    from serve.plan_terms import plan_and_costs
    from serve.runs import find_all

    (found,) = find_all([STRATEGY])
    plan, costs = plan_and_costs(PlanFlags())
    # The strategy has stops and targets of its own; the ones that are swept are the plan's.
    plan = replace(plan, exits=replace(plan.exits, levels=LevelSource.PLAN))
    axes, _ = parse_grid(GRID, swept_settings(found.parameters), found.name)
    plan_axes, _ = parse_grid(PLAN_GRID, plan_settings(plan), "the plan")
    swept = {axis.name for axis in axes}
    fixed = {name: value for name, value in found.values({}).items() if name not in swept}
    traded = Traded(
        market.klines, market.instrument, costs, market.funding, market.mark, market.since_ms
    )
    return study_of(found, fixed, plan, Space.of(axes, plan_axes), [traded])


def _run(study: "Study", folder: "StudyFolder") -> "SweepResult":
    from cluster.session import session
    from cluster.settings import cluster_settings
    from cluster.study_manifest import Ranking
    from cluster.sweep import Sweep
    from engines.search.objectives import Objective
    from serve.runs import command_text, trial_ledger, versions
    from serve.sweep_progress import sweep_progress

    request = {"command": command_text(), "versions": versions()}
    ranking = Ranking(Objective.parse("sharpe"), (), TOP)
    # The lock is a file: without a session the folder stays new or empty.
    with (
        trial_ledger() as ledger,
        sweep_progress("starting Ray here") as watch,
        session(),
        folder.locked(),
    ):
        made = Sweep(study, folder, ranking, cluster_settings(), request, watch, ledger)
        return made.run(anew=True)


def _market(bars: list[Path] | None) -> "Market":
    from serve.terms import market_from, market_of

    if bars:
        return market_of(bars, BarFlags())
    from engines.synthetic import synthetic_klines

    klines = synthetic_klines(BARS, INTERVAL_MS, SEED)
    note = f"SYNTHETIC bars from seed {SEED}: no real market (use --bars FILE for one)"
    return market_from(klines, [note], BarFlags(tick_size=0.1, qty_step=0.001))
