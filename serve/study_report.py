"""A study's folder as its page tells it: from the manifest, the rows, and one run of the best set.

The best set is run once more on the reference engine, because its own report shows every trade, and
its deflated Sharpe ratio is measured by all trials of the strategy on its bars.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cluster.plan_shapes import tree_of
from cluster.study import Study, market_name
from cluster.study_folder import Finished, StudyFolder
from engines.backtest import run_backtest
from engines.klines import time_text
from engines.metrics.measure import measure
from engines.plan import Plan
from engines.report import Run, is_synthetic
from engines.report_terms import flat
from engines.search.objectives import Constraint, Objective
from engines.search.surfaces import value_text
from serve.study_page import write_study_pages
from serve.study_payload import Facts, StudyReport, Winner
from serve.study_rows import StudyTable

COUNTED = ("seconds", "sets_per_second", "table_hash", "code_version", "status")


def write_study_report(study: Study, folder: StudyFolder) -> Path:
    """Write the page of a study as it stands, with its best set's report, and return its path.

    Raises: OutputFault if the disk refuses.
    """
    return write_study_pages(folder.path, study_report(study, folder))


def study_report(study: Study, folder: StudyFolder) -> StudyReport:
    """Return what the page of a study tells."""
    manifest = folder.read_manifest()
    finished = sorted(folder.finished().values(), key=lambda item: item.number)
    ranking, counts = manifest["ranking"], manifest["counts"]
    return StudyReport(
        study_id=study.id,
        strategy=study.recipe.strategy.name,
        command=manifest.get("command", ""),
        table=StudyTable(
            files=tuple(folder.file_of(item) for item in finished if item.rows),
            axes=tuple(name for names in study.recipe.columns for name in names),
            objective=Objective(ranking["objective"], ranking["is_larger_better"]),
            constraints=tuple(Constraint.parse(text) for text in ranking["where"]),
        ),
        winners=[_winner(row, ranking["objective"]) for row in manifest["best"]],
        excluded=counts["excluded"],
        failed=counts["failed"],
        is_synthetic=any(is_synthetic(market.klines) for market in study.markets),
        facts=_facts(manifest),
        notes=[*manifest["faults"], *manifest["failed_batches"].values()],
        versions=manifest.get("versions", {}),
        best=_best_run(study, manifest, finished) if manifest["best"] else None,
    )


def _winner(row: Mapping[str, Any], objective: str) -> Winner:
    metrics = {
        name: float("nan") if value is None else float(value)
        for name, value in row["metrics"].items()
    }
    return Winner(
        market=f"{row['symbol']} {row['interval']}",
        set_id=row["set_id"],
        values=row["settings"],
        metrics={objective: row["objective"], **metrics},
        verified=row["verified"],
    )


def _best_run(study: Study, manifest: Mapping[str, Any], finished: Sequence[Finished]) -> Run:
    """Return the first winner's run on the reference engine."""
    first = manifest["best"][0]
    number = market_numbers(study)[f"{first['symbol']} {first['interval']}"]
    return run_of_set(study, manifest, finished, number, first["set_id"])


def market_numbers(study: Study) -> dict[str, int]:
    """Return the number of each market by its name."""
    return {market_name(market): number for number, market in enumerate(study.markets)}


def run_of_set(
    study: Study,
    manifest: Mapping[str, Any],
    finished: Sequence[Finished],
    number: int,
    set_id: int,
) -> Run:
    """Return the run of a set that was evaluated on the market of a number, by the reference.

    `finished` are the batches of the study.
    """
    market, recipe = study.markets[number], study.recipe
    strategy_index, plan_index = recipe.space.split(set_id)
    strategy, plan = recipe.strategy_at(strategy_index), recipe.plan_at(plan_index)
    assert strategy is not None and plan is not None, "an evaluated set is not excluded"
    result = run_backtest(
        strategy,
        market.klines,
        market.instrument,
        plan,
        market.costs,
        since_ms=market.since_ms,
        funding=market.funding,
        mark=market.mark,
    )
    # Where the ledger could not be asked, those of this study are the fewest that there were.
    here = sum(item.rows for item in finished if item.market == number)
    trials = manifest["trials"].get(market_name(market), here)
    return Run(
        strategy=recipe.strategy.name,
        parameters=recipe.parameters_at(strategy_index),
        result=result,
        metrics=measure(result, trials),
        notes=(f"set {set_id} of study {study.id}",),
        command=manifest.get("command", ""),
        versions=manifest.get("versions", {}),
        trials=trials,
    )


def _facts(manifest: Mapping[str, Any]) -> Facts:
    """Return the manifest as titled lists."""
    space, sample = manifest["space"], manifest["sample"]
    swept = [*space["strategy_axes"], *space["plan_axes"]]
    how = "every set" if sample is None else f"{sample['count']:,} sets, seed {sample['seed']}"
    return [
        (
            "Space",
            [
                *((axis["name"], _values(axis["name"], axis["values"])) for axis in swept),
                ("sets", f"{space['sets']:,}"),
                ("evaluated", how),
                ("fingerprint", space["fingerprint"]),
            ],
        ),
        ("Fixed parameters", flat(manifest["strategy"]["fixed"])),
        ("Base plan, where not by default", _changed(manifest["plan"])),
        *((f"Bars: {row['symbol']} {row['interval']}", _bars(row)) for row in manifest["markets"]),
        ("Counts", flat(manifest["counts"])),
        ("Engines", [(name, f"{count:,} sets") for name, count in manifest["engines"].items()]),
        ("Trials counted", [(name, f"{n:,}") for name, n in manifest["trials"].items()]),
        ("Run", flat({name: manifest[name] for name in COUNTED})),
        ("Strategy", flat({name: manifest["strategy"][name] for name in ("name", "code")})),
    ]


def _changed(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the settings of a plan that are not the default's."""
    usual = dict(flat(tree_of(Plan())))
    rows = [(name, text) for name, text in flat(plan) if usual.get(name) != text]
    return rows or [("all settings", "by default")]


def _values(name: str, values: Sequence[object]) -> str:
    """Return values as a person reads them: a few in full, many by their ends."""
    texts = [value_text(name, value) for value in values]
    if len(texts) <= 8:
        return ", ".join(texts)
    return f"{texts[0]}, {texts[1]} ... {texts[-1]} ({len(texts)} values)"


def _bars(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    known = {
        "bars": f"{row['bars']:,}",
        "from": time_text(row["first_ms"]),
        "to": time_text(row["last_ms"]),
        "SHA-256 of the columns": row["sha256"],
        "funding": "charged" if "funding" in row["around"] else "none",
        **{f"SHA-256 of {name}": text for name, text in row["around"].items()},
        "costs": row["costs"],
        "instrument": row["instrument"],
    }
    return flat(known)
