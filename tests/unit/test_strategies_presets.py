"""Presets are chosen by NAME:preset, and every strategy can say what it is about."""

import json
from pathlib import Path

import pytest

from cluster.user_strategy import find_strategy
from engines.errors import StrategyFault
from serve.cli import run
from strategies.described import Description, describe
from strategies.ema_crossover import EmaCrossover


def test_a_preset_gives_other_defaults_which_settings_override() -> None:
    found = find_strategy("ema_crossover:aggressive")
    assert found.name == "ema_crossover:aggressive"
    assert found.values({})["fast"] == EmaCrossover.presets["aggressive"]["fast"]
    assert found.values({"fast": "7"})["fast"] == 7
    assert found.values({})["reward_ratio"] == EmaCrossover().reward_ratio
    wanted = EmaCrossover(fast=5, slow=15, atr_multiplier=1.5, require_trend=False)
    assert found.build({}) == wanted


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ema_crossover:agressive", r"preset of ema_crossover: expected aggressive \(did you mean"),
        ("ema_crossover:", r"preset of ema_crossover: expected one of conservative, moderate"),
        ("ema_crosover:aggressive", r"expected ema_crossover \(did you mean it\?\)"),
        ("nowhere.py:Mine", "no such file"),
        ("folder/ema_crossover:aggressive", "no such file"),
    ],
)
def test_what_cannot_be_found_is_named(text: str, says: str) -> None:
    with pytest.raises(StrategyFault, match=says):
        find_strategy(text)


def test_a_docstring_is_read_in_its_three_parts() -> None:
    class Written:
        """Do this.

        And more of it.

        Rule: buy
        low.

        Sell high.

        Source: folklore.
        """

    idea, rule = "Do this. And more of it.", "buy low. Sell high."
    assert describe(Written) == Description(idea, rule, "folklore.")


def test_a_class_without_a_docstring_says_nothing() -> None:
    class Written(EmaCrossover):
        pass

    assert describe(Written) == Description("", "", "")


def test_one_strategy_is_shown_with_all_there_is_to_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["strategies", "dca:aggressive"]) == 0
    shown = capsys.readouterr().out
    for part in (
        "Rule: long only",
        "Source: ",
        "Minimum bars: 61",
        "moderate (the defaults)",
        "max_pos",
    ):
        assert part in shown, part
    assert run(["strategies", "dca:aggressive", "--json"]) == 0
    terms = json.loads(capsys.readouterr().out)
    assert terms["min_bars"] == 61
    assert terms["tags"] == ["averaging", "long only", "no stop"]
    assert terms["presets"]["moderate"] == {}
    assert {item["name"]: item["default"] for item in terms["parameters"]}["interval"] == 12


def test_a_file_of_ones_own_is_shown_without_what_it_does_not_say(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "mine.py"
    path.write_text("class Mine:\n    def signals(self, klines): ...\n")
    assert run(["strategies", str(path), "--json"]) == 0
    terms = json.loads(capsys.readouterr().out)
    assert terms == {"strategy": "Mine", "idea": "", "rule": "", "source": "", "parameters": []}
