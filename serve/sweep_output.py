"""What `phalanx sweep` prints: the verified top list, what was counted, and where it is kept."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from serve.output import METRIC, figure, print_table
from serve.sweep_progress import rate_text

if TYPE_CHECKING:
    from cluster.study_manifest import Winner
    from cluster.sweep import SweepResult

# Name of the metric and heading, after the objective.
SHOWN = (
    ("net_profit_quote", "net profit"), ("drawdown_ratio_max", "drawdown"), ("sharpe", "Sharpe"),
    ("profit_factor", "profit factor"), ("trades", "trades"),
)  # fmt: skip  # a table reads by its rows
FAULTS_SHOWN = 5
# "reference" stays: the row was made by it, so nothing else agrees with it.
VERDICTS: dict[object, str] = {True: "yes", False: "NO"}


def print_sweep(result: "SweepResult") -> None:
    """Print the best sets of a study and what was counted."""
    standing, study = result.standing, result.standing.study
    if result.winners:
        _print_winners(result)
    else:
        where = ", ".join(str(item) for item in standing.top.constraints) or "a defined objective"
        print(f"no set fulfils {where}")
    bars = sum(len(market.klines) for market in study.markets) / len(study.markets)
    not_run = f", {standing.not_run:,} not run" if standing.not_run else ""
    print(
        f"{study.id}: {standing.evaluated:,} sets evaluated, {standing.excluded:,} excluded by "
        f"rules, {standing.failed:,} failed{not_run}; {standing.top.met:,} fulfil the constraints"
    )
    if standing.counted > standing.resumed:
        rate = standing.sets_per_second
        print(
            f"{standing.seconds:.1f} s for {standing.counted - standing.resumed:,} sets: "
            f"{rate_text(rate)} sets/s, {_many(rate * bars)} bar-sets/s"
        )
    engines = [f"{name.replace('_', ' ')} {sets:,}" for name, sets in standing.engines.items()]
    if engines:
        print(f"run by: {', '.join(engines)}")
    for reason, batches in standing.no_gpu.items():
        print(f"{batches:,} batches had a GPU reserved and were run by CPUs: {reason}")
    for market, trials in result.trials.items():
        print(f"trials of {study.recipe.strategy.bare_name} on {market} so far: {trials:,}")


def _many(count: float) -> str:
    """Return a large number as people say it."""
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if count >= size:
            return f"{count / size:,.3g} {name}"
    return f"{count:,.0f}"


def say_findings(result: "SweepResult", listed: Path) -> None:
    """Say on stderr what did not go well, so that an exit code of 1 is understood.

    All sets that failed are `listed` there.
    """
    standing = result.standing
    lines = standing.faults[:FAULTS_SHOWN]
    if standing.failed > len(lines):
        lines.append(f"all {standing.failed:,} sets that failed are listed in {listed}")
    batches = list(standing.failed_batches.values())
    lines += batches[:FAULTS_SHOWN]
    if (more := len(batches) - FAULTS_SHOWN) > 0:
        lines.append(f"and {more:,} more batches were not run")
    for winner in result.winners:
        if not winner.is_verified:
            number = winner.row["set_id"]
            lines.append(f"set {number} is NOT what the reference gives: {winner.difference}")
    for line in lines:
        print(f"phalanx: {' '.join(line.split())}", file=sys.stderr)


def _print_winners(result: "SweepResult") -> None:
    study, objective = result.standing.study, result.standing.top.objective.name
    several = len(study.markets) > 1
    names = list(result.winners[0].settings)
    shown = [(name, heading) for name, heading in SHOWN if name != objective]
    header = [
        "rank", "set", *(["market"] if several else []),
        *(name.rpartition(".")[2] for name in names), objective,
        *(heading for _, heading in shown), "verified",
    ]  # fmt: skip  # one row
    print_table(header, [_row(winner, names, shown, several) for winner in result.winners])


def _row(
    winner: "Winner", names: list[str], shown: list[tuple[str, str]], several: bool
) -> list[str]:
    row, value = winner.row, winner.objective
    market = [f"{row['symbol']} {row['interval']}"] if several else []
    return [
        str(winner.rank), str(row["set_id"]), *market,
        *(_setting(winner.settings[name]) for name in names),
        "-" if value is None else f"{value:.4g}",
        *(figure(METRIC[name], row[name]) for name, _ in shown),
        VERDICTS.get(winner.verified, str(winner.verified)),
    ]  # fmt: skip  # one row


def _setting(value: object) -> str:
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
