"""Run strategies as the commands ask: found, built, proven causal, backtested and summed up."""

import contextlib
import platform
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cluster.user_strategy import FoundStrategy, fault_of, find_strategy
from engines.backtest import Backtest, run_backtest
from engines.causality import check_causal
from engines.costs import Costs
from engines.errors import Fault, ParameterFault
from engines.liquidation import check_leverage
from engines.metrics.measure import measure
from engines.plan import Plan
from engines.report import Run
from engines.wishes import Tradable
from serve.cold_start import load_numba
from serve.invocation import ARGUMENTS
from serve.progress import Place, watched
from serve.terms import Market
from strategies.base import SignalStrategy
from strategies.registry import REGISTRY

if TYPE_CHECKING:
    from cluster.ledger import TrialLedger

ALL = "all"
RESULT_FILES = frozenset({"report.html", "result.json", "trades.csv", "equity.csv"})


def find_all(names: Sequence[str]) -> list[FoundStrategy]:
    """Return the strategies by name, in order, what their files print going to stderr."""
    load_numba()
    with contextlib.redirect_stdout(sys.stderr):
        return [find_strategy(name) for name in names]


def expanded(names: Sequence[str]) -> list[str]:
    """Return the names with `all`, alone or with a preset, spelt out.

    It means every built-in strategy that makes signals: the settings of a plan mean nothing to one
    that places its own orders.
    """
    load_numba()
    return [each for name in names for each in _expanded(name)]


def _expanded(name: str) -> list[str]:
    all_of_them, colon, preset = name.partition(":")
    if all_of_them != ALL:
        return [name]
    makers = [id for id, item in REGISTRY.items() if issubclass(item.load(), SignalStrategy)]
    return [f"{id}{colon}{preset}" for id in makers]


def parse_settings(texts: Sequence[str] | None, found: Sequence[FoundStrategy]) -> dict[str, str]:
    """Return NAME=VALUE texts as a mapping; checked by building the strategies.

    Each name must be known to at least one of them.
    Raises: ParameterFault for another form, a name that none has, or a value that does not fit.
    """
    settings: dict[str, str] = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        name = name.strip()
        if not (name and equals and value.strip()):
            raise ParameterFault("--set", "NAME=VALUE such as fast=9", repr(text))
        if name in settings:
            raise ParameterFault(f"--set {name}", "one value", f"{settings[name]} and {value}")
        settings[name] = value.strip()
    known = {item.name for strategy in found for item in strategy.parameters}
    for name in settings:
        if name not in known:
            found[0].values({name: settings[name]})
    with contextlib.redirect_stdout(sys.stderr):
        for strategy in found:
            strategy.build(_own(strategy, settings))
    return settings


def _own(found: FoundStrategy, settings: Mapping[str, str]) -> dict[str, str]:
    names = {item.name for item in found.parameters}
    return {name: text for name, text in settings.items() if name in names}


def run_one(
    found: FoundStrategy,
    settings: Mapping[str, str],
    market: Market,
    plan: Plan,
    costs: Costs,
    place: Place,
    *,
    causality_check: bool,
    ledger: "TrialLedger | None",
) -> Run:
    """Return what came of one strategy on one market, counted as a trial in `ledger`.

    Without one nothing is counted: a run that is compared with a list is not chosen among others.
    Raises: a Fault in one sentence for whatever the strategy's own code does wrong.
    """
    mine = _own(found, settings)
    place.label = found.name
    with contextlib.redirect_stdout(sys.stderr):
        strategy = found.build(mine)
        check_leverage(plan, market.instrument)
        try:
            if causality_check:
                trade = partial(run_backtest, instrument=market.instrument, plan=plan, costs=costs)
                check_causal(strategy, market.klines, name=found.cls.__name__, trade=trade)
            result = _traded(watched(strategy, place, len(market.klines)), market, plan, costs)
        except (Exception, SystemExit) as error:
            if isinstance(error, Fault) or found.is_to_blame(error):
                raise fault_of(error, found, f"strategy {found.name}", "to run") from error
            raise
    trials = 1 if ledger is None else _counted(ledger, found, mine, market, plan, costs)
    return Run(
        strategy=found.name,
        parameters=found.values(mine),
        result=result,
        metrics=measure(result, trials),
        notes=market.notes,
        command=command_text(),
        versions=versions(),
        trials=trials,
    )


def _counted(
    ledger: "TrialLedger",
    found: FoundStrategy,
    settings: Mapping[str, str],
    market: Market,
    plan: Plan,
    costs: Costs,
) -> int:
    """Count one evaluation and return how many there have been."""
    from cluster.ledger import dataset_of
    from cluster.trial_keys import code_fingerprint, surroundings, trial_keys

    code = code_fingerprint(found.cls)
    around = surroundings(
        market.klines, market.instrument, market.funding, market.mark, market.magnifier
    )
    keys = trial_keys(code, [found.values(settings)], [plan], costs, around, market.since_ms)
    return ledger.record(found.bare_name, dataset_of(market.klines), keys.ravel())


def _traded(strategy: Tradable, market: Market, plan: Plan, costs: Costs) -> Backtest:
    return run_backtest(
        strategy,
        market.klines,
        market.instrument,
        plan,
        costs,
        since_ms=market.since_ms,
        magnifier=market.magnifier,
        funding=market.funding,
        mark=market.mark,
    )


@contextmanager
def trial_ledger() -> Iterator["TrialLedger"]:
    """Yield the ledger in which trials are counted.

    Raises: DatabaseFault before any work if its database cannot be used.
    """
    from cluster.database import database
    from cluster.ledger import TrialLedger

    with database() as engine:
        yield TrialLedger(engine)


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    import numba

    return {
        "phalanx": version("phalanx"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
    }


def command_text() -> str:
    """Return the command in progress as one types it."""
    return shlex.join(["phalanx", *ARGUMENTS.get()])


def check_out(out: Path | None, *, force: bool) -> None:
    """Raise OutputFault before any work if results could not be written into `out`."""
    if out is not None:
        from cluster.results import require_writable

        require_writable(out, RESULT_FILES, force=force)


def write_out(
    out: Path, runs: Sequence[Run], *, force: bool, extra: Mapping[str, object] | None = None
) -> None:
    """Write the report and the tables of `runs` into `out`.

    `extra` is added to the JSON document.
    """
    from cluster.results import write_results
    from engines.report import document, equity_csv, json_text, trades_csv
    from engines.report_page import page
    from serve.web.bundle import report_assets

    files = {
        "report.html": page(runs, report_assets()),
        "result.json": json_text(document(runs) | dict(extra or {})),
        "trades.csv": trades_csv(runs),
        "equity.csv": equity_csv(runs),
    }
    assert files.keys() == RESULT_FILES
    write_results(out, files, force=force)
