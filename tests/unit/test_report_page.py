"""The page's frame and its payload: nothing fetched, nothing let out, nothing left out."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from engines.klines import Klines
from engines.metrics.table import METRICS
from engines.plan import Exits, Plan
from engines.report import Run
from engines.report_headline import CARDS, COMPARED
from engines.report_levels import trade_levels
from engines.report_page import Assets, page
from engines.report_payload import payload
from engines.report_terms import flat, terms
from engines.trades import ExitReason
from tests.unit.test_report import KLINES, run_of
from tests.unit.test_report_packing import unpacked

ASSETS = Assets("body{}", ("first()", "second()"))


def payload_of(text: str) -> dict[str, object]:
    (found,) = re.findall(r'id="payload">(.*?)</script>', text, re.DOTALL)
    parsed: dict[str, object] = json.loads(found)
    return parsed


def test_no_name_can_end_the_element_it_stands_in() -> None:
    evil = "</script><script>alert(1)</script><!--"
    run = run_of(replace(KLINES, symbol=evil), name=evil)
    text = page([replace(run, notes=(evil,), command=evil, parameters={evil: evil})], ASSETS)
    assert text.count("<script") == 3
    assert text.count("</script") == 3
    assert "alert(1)<" not in text
    assert payload_of(text)["command"] == evil


def test_the_policy_allows_our_scripts_by_their_hashes_and_nothing_else() -> None:
    text = page([run_of()], ASSETS)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    hashes = [
        base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        for script in ASSETS.scripts
    ]
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}';" in policy
    assert not re.search(r"""(src|href)=|@import|url\(|https?:""", text)


def test_the_title_says_that_bars_are_made_up() -> None:
    assert "SYNTHETIC" in page([run_of()], ASSETS).partition("</title>")[0]
    real = page([run_of(replace(KLINES, symbol="BTCUSDT"))], ASSETS)
    assert "SYNTHETIC" not in real
    assert first(payload([run_of()]), "markets")["is_synthetic"] is True


def test_the_same_run_makes_the_same_page() -> None:
    assert page([run_of()], ASSETS) == page([run_of()], ASSETS)


def parts(value: dict[str, object], name: str) -> list[dict[str, object]]:
    """Return a payload's markets or runs."""
    found = value[name]
    assert isinstance(found, list)
    return found


def first(value: dict[str, object], name: str) -> dict[str, object]:
    """Return the first of a payload's markets or runs."""
    return parts(value, name)[0]


def column(part: dict[str, object], name: str) -> list[float]:
    packed = part[name]
    assert isinstance(packed, dict)
    return unpacked(packed)


def test_the_payload_holds_every_bar_every_trade_and_every_metric() -> None:
    run = run_of()
    made = payload([run])
    market, shown = first(made, "markets"), first(made, "runs")
    for name in ("open", "high", "low", "close"):
        assert column(market, name) == pytest.approx(getattr(KLINES, name), rel=1e-12)
    times = np.array(column(market, "open_time")) + float(str(market["first_ms"]))
    assert np.array_equal(times, KLINES.open_time_ms)
    assert np.abs(np.array(column(shown, "equity")) - run.result.equity_quote).max() <= 0.005
    trades, columns = run.result.trades, shown["trades"]
    assert isinstance(columns, dict)
    assert columns["count"] == len(trades) > 5
    for name in ("pnl", "fee", "mfe", "mae", "cumulative"):
        wanted = [getattr(trade, f"{name}_quote") for trade in trades]
        assert column(columns, name) == pytest.approx(wanted, abs=5e-5)
    assert column(columns, "exit_bar") == [trade.exit_bar for trade in trades]
    assert column(columns, "exit_price") == pytest.approx([t.exit_price for t in trades])
    assert shown["metrics"] == dict(run.metrics)


def test_runs_on_the_same_bars_share_them() -> None:
    run = run_of()
    other = run_of(KLINES.between(0, 900), name="shorter")
    made = payload([run, replace(run, strategy="again"), other])
    assert len(parts(made, "markets")) == 2
    assert [shown["market"] for shown in parts(made, "runs")] == [0, 0, 1]


def test_cards_and_comparison_show_metrics_that_exist() -> None:
    names = {metric.name for metric in METRICS}
    assert {name for card in CARDS for name in (card[1], card[3])} <= names
    assert {name for name, _, _ in COMPARED} <= names


@pytest.mark.parametrize("klines", [KLINES.between(0, 1), KLINES.between(0, 5)])
def test_a_run_without_trades_has_a_page(klines: Klines) -> None:
    run = run_of(klines)
    assert not run.result.trades
    shown = first(payload_of(page([run], ASSETS)), "runs")
    trades, metrics = shown["trades"], shown["metrics"]
    assert isinstance(trades, dict)
    assert isinstance(metrics, dict)
    assert (trades["count"], metrics["profit_factor"]) == (0, None)


def test_levels_come_from_the_exit_or_else_from_the_trade() -> None:
    trade = (
        run_of()
        .result.trades[0]
        ._replace(exit_price=97.5, is_open=False, stop_price=98.0, target_price=105.0)
    )
    stopped = trade._replace(exit_reason=ExitReason.STOP_LOSS)
    bare = trade._replace(stop_price=None, target_price=None)
    stops, targets = trade_levels([stopped, trade, bare])
    assert stops[:2].tolist() == [97.5, 98.0]
    assert targets[:2].tolist() == [105.0, 105.0]
    assert np.isnan([stops[2], targets[2]]).all()


def test_settings_that_differ_from_their_default_say_so() -> None:
    run: Run = run_of()
    plan = Plan(pyramiding=3, exits=Exits(stop_loss_ratio=0.02))
    changed = replace(run, result=replace(run.result, plan=plan))
    tables = dict(terms(changed))
    assert ("pyramiding", "3", True) in tables["Effective plan"]
    assert ("stop_loss_ratio", "0.02", True) in tables["Effective plan: exits"]
    assert ("take_profit_ratio", "–", False) in tables["Effective plan: exits"]
    assert ("commission", "0.0007", False) in tables["Costs"]
    assert tables["Parameters"] == [("fast", "9", False)]
    assert flat({"a": {"b": [1, {"c": True}]}, "d": []}) == [
        ("a.b[1]", "1"), ("a.b[2].c", "yes"), ("d", "–")
    ]  # fmt: skip  # one row a line
