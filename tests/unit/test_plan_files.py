"""Plan files: what can be written in them, and what one wrong setting is answered with."""

import json
from pathlib import Path

import pytest

from cluster.plan_files import plan_from, plan_json_schema, plan_yaml, read_plan, write_plan
from cluster.ratios import parse_ratio
from engines.costs import Costs
from engines.errors import PlanFault
from engines.plan import (
    CustomLadder,
    Exits,
    Hours,
    Plan,
    Rung,
    Session,
    Sizing,
    Target,
    Trailing,
    TrendFilter,
    VolumeFilter,
)

YAML = """
# What is not given is by default.
plan:
  capital_quote: 5000
  direction: long
  sizing: {kind: risk, value: 0.02}
  exits:
    stop_loss_ratio: 2%
    targets:
      - {ratio: 0.5%, portion: 25%}
      - ratio: 1e-2
        portion: .75
    trailing: {activation: 0.005, distance: 0.004}
  hours:
    session: {start: 10:30, end: 22:00}
    no_trade_days: [5, 6]
  filters:
    - {kind: trend, period: 100, interval: 4h}
    - kind: volume
  ladder:
    kind: custom
    rungs: [{offset_ratio: 0, weight: 0.5}, {offset_ratio: -1%, weight: 0.5}]
costs: {commission: 0.00055}
"""
PLAN = Plan(
    capital_quote=5000,
    direction="long",  # type: ignore[arg-type]  # the text of a member will do
    sizing=Sizing("risk", 0.02),  # type: ignore[arg-type]  # so will this text
    exits=Exits(
        stop_loss_ratio=0.02,
        targets=(Target(0.005, 0.25), Target(0.01, 0.75)),
        trailing=Trailing(0.005, 0.004),
    ),
    hours=Hours(session=Session("10:30", "22:00"), no_trade_days=(5, 6)),
    filters=(TrendFilter(period=100, interval="4h"), VolumeFilter()),
    ladder=CustomLadder(rungs=(Rung(0, 0.5), Rung(-0.01, 0.5))),
)


def test_a_file_as_a_person_writes_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(YAML)
    found = read_plan(path)
    assert found.plan == PLAN
    assert found.costs == Costs(commission=0.00055)


def test_json_is_read_whatever_the_name(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text('\ufeff {"plan": {"exits": {"stop_loss_ratio": 0.02}}}', encoding="utf-8")
    assert read_plan(path).plan == Plan(exits=Exits(stop_loss_ratio=0.02))


@pytest.mark.parametrize("text", ["{}", "plan: {}", "costs: {}\nplan: {exits: {}}"])
def test_what_is_not_given_is_by_default(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    found = read_plan(path)
    assert (found.plan, found.costs) == (Plan(), Costs())


WRONG = [
    ("plan: {exits: {stop_loss: 2%}}", "exits.stop_loss in", "stop_loss_ratio (did you mean it?)"),
    ("pln: {}", "pln in", "plan (did you mean it?)"),
    ("plan: {wholly_unknown: 1}", "wholly_unknown in", "one of capital_quote, sizing"),
    ("plan: {close_rule: best}", "close_rule in", "one of fifo, lifo, any, all, found 'best'"),
    ("plan: {capital_quote: much}", "capital_quote in", "a number, found 'much'"),
    ("plan: {capital_quote: '100'}", "capital_quote in", "a number, found '100'"),
    ("plan: {capital_quote: true}", "capital_quote in", "a number, found True"),
    ("plan: {capital_quote: 10%}", "capital_quote in", "a number, found '10%'"),
    ("plan: {pyramiding: 1.5}", "pyramiding in", "a whole number, found 1.5"),
    ("plan: {process_on_close: yes}", "process_on_close in", "true or false, found 'yes'"),
    ("plan: {exits: {stop_loss_ratio: 2%%}}", "exits.stop_loss_ratio in", "found '2%%'"),
    ("plan: {exits: {targets: [{ratio: 1%}]}}", "exits.targets[0].portion in", "a value, found"),
    ("plan: {exits: {targets: 5}}", "exits.targets in", "a list, found 5"),
    ("plan: {exits: 5}", "exits in", "a mapping of settings, found 5"),
    ("plan:", "plan in", "a mapping of settings, found None"),
    ("plan: {sizing: {value: 2}}", "sizing.kind in", "a value, found none"),
    ("plan: {sizing: {kind: risk}}", "sizing.value in", "a value, found none"),
    ("plan: {filters: [{kind: trnd}]}", "filters[0].kind in", "one of volatility, volume, trend"),
    ("plan: {filters: [{period: 5}]}", "filters[0].kind in", "found none"),
    ("plan: {filters: [{kind: regime, barz: 5}]}", "filters[0].barz in", "bars (did you mean"),
    ("plan: {filters: [{kind: regime, bars: x}]}", "filters[0].bars in", "a whole number"),
    ("plan: {filters: [{kind: rsi, period: 1}]}", "filters.rsi.period in", "from 2 to 1000"),
    ("plan: {ladder: {orders: 5}}", "ladder.kind in", "one of dca, safety, custom"),
    ("plan: {hours: {session: {start: '9', end: '12:00'}}}", "hours.session.start in", "09:30"),
    ("costs: {commission_kind: per_order}", "costs.commission in", "an amount for kind per_order"),
    ("plan: {capital_quote: .nan}", "capital_quote in", "a number, found '.nan'"),
    ("plan: {capital_quote: 1e999}", "a number of", "found 1e999"),
    ('{"plan": {"capital_quote": NaN}}', "a number of", "found NaN"),
    ('{"plan": {"leverage": 1, "leverage": 2}}', "key leverage of", "one value, found two"),
    ("plan: {pyramiding: 1, pyramiding: 2}", "key pyramiding of", "one value, found two"),
    ("plan: {1: 2}", "a key of", "a name, found 1"),
    ("plan: {[1]: 2}", "a key of", "a name, found [1]"),
    ("- 1", "mine.yaml:", "a mapping of settings, found [1]"),
    ("just words", "mine.yaml:", "a mapping of settings, found 'just words'"),
    ("plan: {}\n---\nplan: {}", "mine.yaml:", "another document"),
    ("plan: [", "mine.yaml:", "in line 1"),
    ("{", "mine.yaml:", "JSON, as it begins with a brace"),
    ("", "mine.yaml:", "an empty file"),
    ("plan: &a {}\ncosts: *a", "line 1 of", "an anchor or alias"),
    ("plan: !!python/object/apply:os.getcwd []", "line 1 of", "values without tags"),
    ("plan: " + "[" * 3000, "line 1 of", "at most 20 levels"),
    ('{"plan":' * 50_000, "mine.yaml:", "at most 20 levels"),
    ("plan: {leverage: " + "9" * 5000 + "}", "mine.yaml:", "numbers"),
    ("x" * 1_000_001, "mine.yaml:", "at most 1,000,000 bytes"),
    # Contradictions name both settings.
    ("plan: {market: spot, leverage: 5}", "market and leverage in", "spot and 5"),
    (
        "plan: {exits: {breakeven: {activation_ratio: 3%}, take_profit_ratio: 2%}}",
        "exits.breakeven.activation_ratio and exits.take_profit_ratio in",
        "a breakeven before the target",
    ),
    (
        "plan: {exits: {targets: [{ratio: 1%, portion: 50%}]}}",
        "exits.targets portion and exits.targets in",
        "portions that sum to 1",
    ),
    (
        "plan: {ladder: {kind: safety, base_ratio: 50%, safety_ratio: 50%, orders: 3}}",
        "ladder and capital_quote in",
        "at most all of the equity",
    ),
    (
        "plan: {hours: {session: {start: 10:00, end: 11:00}, no_trade_hours: [10]}}",
        "hours.session and hours.no_trade_hours in",
        "an hour left to trade in",
    ),
]


@pytest.mark.parametrize(("text", "subject", "says"), WRONG, ids=[case[0][:50] for case in WRONG])
def test_a_wrong_file_is_answered_with_one_sentence(
    text: str, subject: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(PlanFault) as caught:
        read_plan(path)
    sentence = str(caught.value)
    assert subject in sentence
    assert says in sentence
    assert "mine.yaml" in sentence
    assert len(sentence) < 600


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanFault, match="a directory"):
        read_plan(tmp_path)
    with pytest.raises(PlanFault, match="no such file"):
        read_plan(tmp_path / "absent.yaml")
    (tmp_path / "binary").write_bytes(b"\x00\xff\xfe\x80")
    with pytest.raises(PlanFault, match="not UTF-8"):
        read_plan(tmp_path / "binary")
    (tmp_path / "control").write_bytes(b"plan: \x00")
    with pytest.raises(PlanFault, match="control"):
        read_plan(tmp_path / "control")
    with pytest.raises(PlanFault, match="a place that can be written to"):
        write_plan(tmp_path / "no" / "such" / "folder.yaml", Plan(), Costs())


def test_the_written_plan_says_what_can_be_set() -> None:
    text = plan_yaml(Plan(), Costs())
    assert "  close_rule: fifo  # fifo | lifo | any | all" in text
    assert "    trailing: null  # {activation, distance, unit}" in text
    assert "  filters: []  # kind: volatility | volume" in text
    assert "  # How" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_schema_knows_every_kind_and_refuses_other_names() -> None:
    schema = plan_json_schema()
    json.dumps(schema)
    assert {"Plan", "Costs", "TrendFilter", "SafetyOrders"} <= schema["$defs"].keys()
    assert schema["$defs"]["Plan"]["additionalProperties"] is False
    kinds = schema["$defs"]["Plan"]["properties"]["filters"]["items"]["discriminator"]
    assert kinds["propertyName"] == "kind"
    ratio = schema["$defs"]["Target"]["properties"]["ratio"]
    assert [item["type"] for item in ratio["anyOf"]] == ["number", "string"]


def test_values_may_come_from_anywhere() -> None:
    with pytest.raises(PlanFault, match="leverage in the request: expected a number"):
        plan_from({"plan": {"leverage": None}}, "the request")


@pytest.mark.parametrize(("text", "ratio"), [("0.07%", 0.0007), (" 2 % ", 0.02), ("-1%", -0.01)])
def test_a_percentage_is_the_ratio_that_it_prints_as(text: str, ratio: float) -> None:
    assert parse_ratio(text) == ratio


@pytest.mark.parametrize("text", ["", "%", "2%%", "two", "nan", "inf%", "1e999"])
def test_what_is_no_ratio_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_ratio(text)
