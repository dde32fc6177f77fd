"""The documents of a run: complete, repeatable, honest about what is undefined or made up."""

import csv
import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest

from engines.backtest import run_backtest
from engines.costs import Costs
from engines.instrument import Instrument
from engines.klines import Klines
from engines.metrics.measure import measure
from engines.plan import Plan
from engines.report import (
    Run,
    document,
    equity_csv,
    fingerprint,
    json_text,
    plain,
    run_labels,
    trades_csv,
)
from engines.synthetic import synthetic_klines
from strategies.ema_crossover import EmaCrossover

KLINES = synthetic_klines(1500, 900_000, seed=5)


def run_of(klines: Klines = KLINES, name: str = "ema_crossover") -> Run:
    instrument = Instrument(klines.symbol, tick_size=0.1, qty_step=0.001)
    result = run_backtest(EmaCrossover(), klines, instrument, Plan(), Costs())
    return Run(
        strategy=name,
        parameters={"fast": 9},
        result=result,
        metrics=measure(result),
        notes=("a note <b>",),
        command="phalanx backtest ema_crossover --bars 'a b.csv'",
        versions={"phalanx": "0"},
    )


def test_the_document_holds_what_repeats_the_run() -> None:
    run = run_of()
    (one,) = json.loads(json_text(document([run])))["runs"]
    assert one["klines"]["sha256"] == fingerprint(KLINES)
    assert one["klines"]["interval"] == "15m"
    sizing = one["plan"]["sizing"]
    assert (sizing["kind"], sizing["value"]) == ("equity_ratio", 0.1)
    assert (one["costs"]["commission"], one["costs"]["commission_kind"]) == (0.0007, "ratio")
    assert one["instrument"]["tick_size"] == 0.1
    assert one["synthetic"] is True
    assert one["notes"] == ["a note <b>"]
    assert len(one["trades"]) == len(run.result.trades)
    assert one["metrics"] == plain(run.metrics)


def test_the_same_run_writes_the_same_bytes() -> None:
    a, b = run_of(), run_of()
    assert json_text(document([a])) == json_text(document([b]))
    assert trades_csv([a]) == trades_csv([b])
    assert equity_csv([a]) == equity_csv([b])


def test_undefined_numbers_are_null() -> None:
    assert plain({"a": float("nan"), "b": [np.float64("inf"), np.int64(3)]}) == {
        "a": None,
        "b": [None, 3],
    }
    flat = run_of(KLINES.between(0, 30))
    terms = json.loads(json_text(document([flat])))["runs"][0]["metrics"]
    assert terms["profit_factor"] is None
    assert terms["trades"] == 0


def test_the_fingerprint_follows_every_column() -> None:
    seen = {fingerprint(KLINES)}
    for name in ("high", "volume"):
        seen.add(fingerprint(replace(KLINES, **{name: getattr(KLINES, name) + 1.0})))
    assert len(seen) == 3


def test_the_tables_have_a_row_a_trade_and_a_row_a_bar() -> None:
    runs = [run_of(), run_of(name="other")]
    trades = list(csv.DictReader(StringIO(trades_csv(runs))))
    assert len(trades) == sum(len(run.result.trades) for run in runs)
    assert trades[0]["run"] == "ema_crossover"
    equity = list(csv.DictReader(StringIO(equity_csv(runs))))
    assert len(equity) == len(KLINES)
    assert float(equity[-1]["equity_quote_other"]) == pytest.approx(
        runs[1].metrics["equity_end_quote"]
    )
    assert equity[-1]["close_time_ms"] == str(KLINES.close_time_ms[-1])


def test_runs_on_different_bars_share_a_table_with_empty_cells() -> None:
    early, late = KLINES.between(0, 1000), KLINES.between(500, 1500)
    rows = list(csv.DictReader(StringIO(equity_csv([run_of(early), run_of(late, name="late")]))))
    assert [row["close_time_ms"] for row in rows] == [str(ms) for ms in KLINES.close_time_ms]
    assert (rows[0]["equity_quote_late"], rows[-1]["equity_quote_ema_crossover"]) == ("", "")
    assert all(row["equity_quote_late"] for row in rows[500:])


def test_each_run_has_a_label_of_its_own() -> None:
    same = run_of()
    other = replace(same, parameters={"fast": 12})
    moved = run_of(replace(KLINES, symbol="ETHUSDT"))
    assert run_labels([same, run_of(name="b")]) == ["ema_crossover", "b"]
    assert run_labels([same, other]) == ["ema_crossover (fast=9)", "ema_crossover (fast=12)"]
    assert run_labels([same, moved]) == ["ema_crossover SYNTHETIC", "ema_crossover ETHUSDT"]
    assert run_labels([same, same]) == ["ema_crossover #1", "ema_crossover #2"]
