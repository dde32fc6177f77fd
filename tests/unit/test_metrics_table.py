"""The table of metrics is one list: counted, named by the house, the source of documents."""

import json

import pytest

from engines.metrics.describe import base_name, json_schema, markdown
from engines.metrics.measure import measure
from engines.metrics.table import (
    ACCOUNT,
    BEYOND,
    CORE,
    METRICS,
    OWN,
    TRADINGVIEW,
    Column,
    Metric,
    TradeSide,
    Unit,
)
from engines.report import json_text
from serve.cli import run
from tests.unit.metric_cases import run_of, trade_of

SUFFIXES = {
    Unit.QUOTE: "_quote",
    Unit.RATIO: "_ratio",
    Unit.DAYS: "days",
    Unit.BARS: "bars",
    Unit.CONTRACTS: "qty",
}


def test_there_are_145_cells_and_21_of_our_own() -> None:
    assert (len(TRADINGVIEW), len(OWN), len(CORE)) == (145, 21, 166)
    assert (*CORE, *ACCOUNT, *BEYOND) == METRICS
    assert len({item.name for item in METRICS}) == len(METRICS)
    assert all(item.cell is not None for item in TRADINGVIEW)
    assert all(item.cell is None for item in (*OWN, *ACCOUNT, *BEYOND))


def test_no_two_metrics_share_a_cell() -> None:
    places = {(item.cell, item.side) for item in TRADINGVIEW}
    assert len(places) == len(TRADINGVIEW)


@pytest.mark.parametrize("item", METRICS, ids=[item.name for item in METRICS])
def test_a_name_says_its_unit_and_its_side(item: Metric) -> None:
    assert item.name.endswith(f"_{item.side}") is (item.side is not TradeSide.ALL)
    assert SUFFIXES.get(item.unit, "") in base_name(item)
    assert item.formula and item.source and item.label and item.group
    if item.cell is not None:
        is_percent = item.cell.column is Column.PERCENT
        assert is_percent is (item.unit is Unit.RATIO)


def test_the_schema_names_what_is_measured_and_admits_null() -> None:
    found = measure(run_of([trade_of(1.0)]))
    schema = json.loads(json_text(json_schema()))
    assert schema["required"] == list(schema["properties"]) == list(found)
    for terms in schema["properties"].values():
        assert terms["type"] == ["number", "null"]
        assert terms["unit"] in {str(unit) for unit in Unit}


def test_the_markdown_has_every_figure_once() -> None:
    lines = markdown().splitlines()
    names = [line.split("`")[1] for line in lines[2:]]
    assert len(names) == len(set(names))
    assert set(names) == {base_name(item) for item in METRICS}
    assert len({line.replace("\\|", "").count("|") for line in lines}) == 1


def test_the_command_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["metrics", "profit_factor"]) == 0
    out = capsys.readouterr().out
    assert "gross profit / gross loss" in out
    assert "all, long, short" in out
    assert run(["metrics", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["properties"]) == len(METRICS)
    assert run(["metrics", "--markdown"]) == 0
    assert capsys.readouterr().out == markdown()


@pytest.mark.parametrize("flags", [["nothing_like_it"], ["--json", "--markdown"]])
def test_a_command_that_shows_nothing_is_refused(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["metrics", *flags]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("phalanx: phalanx metrics: expected ")
