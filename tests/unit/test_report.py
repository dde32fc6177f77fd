"""The documents of a run: complete, repeatable, honest about what is undefined or made up."""

import csv
import json
import re
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
    trades_csv,
)
from engines.report_page import CARDS, page
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
    assert one["costs"] == {
        "commission": 0.0007, "commission_kind": "ratio", "slippage_ticks": 0
    }  # fmt: skip  # one line a thing
    assert one["instrument"]["tick_size"] == 0.1
    assert one["synthetic"] is True
    assert one["notes"] == ["a note <b>"]
    assert len(one["trades"]) == len(run.result.trades)
    assert one["metrics"] == plain(run.metrics)


def test_the_same_run_writes_the_same_bytes() -> None:
    a, b = run_of(), run_of()
    assert json_text(document([a])) == json_text(document([b]))
    assert page([a]) == page([b])


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
    assert trades[0]["strategy"] == "ema_crossover"
    equity = list(csv.DictReader(StringIO(equity_csv(runs))))
    assert len(equity) == len(KLINES)
    assert float(equity[-1]["equity_quote_other"]) == pytest.approx(
        runs[1].metrics["equity_end_quote"]
    )
    assert equity[-1]["close_time_ms"] == str(KLINES.close_time_ms[-1])


def test_the_page_needs_no_network_and_escapes_what_it_shows() -> None:
    text = page([run_of(name="<script>alert(1)</script>")])
    assert not re.search(r"""(src|href)=|@import|url\(|https?:""", text)
    assert "<script>alert" not in text
    assert "a note &lt;b&gt;" in text
    assert text.count("<canvas") == 3


def test_the_page_says_loudly_that_bars_are_made_up() -> None:
    text = page([run_of()])
    assert "<title>SYNTHETIC" in text
    assert 'class="banner">SYNTHETIC' in text
    real = replace(KLINES, symbol="BTCUSDT")
    assert "SYNTHETIC" not in page([run_of(real)])


def test_every_card_is_a_metric() -> None:
    assert {name for name, _, _, _ in CARDS} <= run_of().metrics.keys()


def test_a_spike_of_one_bar_stays_in_the_charts() -> None:
    klines = synthetic_klines(5000, 900_000, seed=5)
    high = klines.high.copy()
    high[2222] *= 3
    text = page([run_of(replace(klines, high=high))])
    series = json.loads(re.findall(r'id="series">(.*?)</script>', text)[0])
    assert max(series[0]["price"]["high"]) == pytest.approx(high[2222], rel=1e-6)
    assert len(series[0]["t"]) <= 900


def test_a_run_without_trades_has_a_page() -> None:
    assert "No trade was made." in page([run_of(KLINES.between(0, 5))])
