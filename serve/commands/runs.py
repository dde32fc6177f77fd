"""`phalanx runs`: what was backtested and swept lately, and where its report lies."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from engines.errors import ParameterFault
from serve.flags import JsonFlags

if TYPE_CHECKING:
    from cluster.evaluations import RunRecord, StudyRecord

COUNT, COUNT_MAX = 20, 10_000


@dataclass(frozen=True, kw_only=True)
class RunsFlags(JsonFlags):
    """What `phalanx runs` takes."""

    count: Annotated[int, typer.Option(help="How many, the newest first.")] = COUNT
    studies: Annotated[bool, typer.Option("--studies", help="Studies instead of runs.")] = False


def runs(flags: RunsFlags) -> int:
    """Show what was backtested or swept lately: when, what came of it, where its report lies."""
    from cluster.database import database
    from cluster.evaluations import Evaluations
    from serve.output import print_json

    if not 1 <= flags.count <= COUNT_MAX:
        expected = f"a whole number from 1 to {COUNT_MAX:,}"
        raise ParameterFault("--count", expected, repr(flags.count))
    with database() as engine:
        kept = Evaluations(engine)
        studies = kept.studies(flags.count) if flags.studies else []
        found = [] if flags.studies else kept.runs(flags.count)
    if flags.json:
        shown = [asdict(item) for item in (studies or found)]
        print_json({"studies" if flags.studies else "runs": shown})
    elif flags.studies:
        _print_studies(studies)
    else:
        _print_runs(found)
    return 0


def _print_runs(found: "list[RunRecord]") -> None:
    from engines.klines import time_text
    from serve.output import METRIC, figure, print_table

    names = ("net_profit_ratio", "drawdown_equity_ratio_max", "sharpe_annual", "trades")
    rows = [
        [
            time_text(run.ended_ms),
            run.strategy,
            run.subject,
            *(figure(METRIC[name], _known(run.metrics.get(name))) for name in names),
            run.folder or "",
        ]
        for run in found
    ]
    print_table(["ended", "strategy", "bars", "return", "drawdown", "Sharpe", "trades", "in"], rows)


def _print_studies(found: "list[StudyRecord]") -> None:
    from engines.klines import time_text
    from serve.output import print_table

    rows = [
        [time_text(item.begun_ms), item.study, f"{item.sets:,}", item.outcome, item.folder]
        for item in found
    ]
    print_table(["begun", "study", "sets", "outcome", "in"], rows)


def _known(value: float | None) -> float:
    return float("nan") if value is None else value
