"""A strategy in a user's own file loads, or one sentence says why not."""

from pathlib import Path

import pytest

from cluster.user_strategy import FoundStrategy, fault_of, find_strategy
from engines.errors import OrderFault, ParameterFault, StrategyFault
from strategies.plain import PlainSignals

HEADER = """
from dataclasses import dataclass
from abc import abstractmethod
from strategies.base import OrderStrategy, SignalStrategy, parameter
"""
FINE = """
@dataclass(frozen=True)
class Fine(OrderStrategy):
    period: int = parameter(5, low=1, high=9)
    def on_bar(self, ctx): pass
"""
PLAIN = """
class Plain:
    def __init__(self, fast=3, *, ratio=0.5, table=None):
        self.fast, self.ratio = fast, ratio
    def generate_signals(self, frame):
        return frame.assign(signal=0)
"""


def found_in(folder: Path, body: str, class_name: str = "") -> FoundStrategy:
    path = folder / "mine.py"
    path.write_text(HEADER + body)
    return find_strategy(f"{path}:{class_name}" if class_name else str(path))


def test_a_class_in_a_file_is_found_and_built_from_text(tmp_path: Path) -> None:
    found = found_in(tmp_path, FINE, "Fine")
    assert [item.name for item in found.parameters] == ["period"]
    assert getattr(found.build({"period": "7"}), "period", None) == 7


def test_the_only_strategy_of_a_file_needs_no_name(tmp_path: Path) -> None:
    assert found_in(tmp_path, FINE).name == "Fine"


def test_a_plain_class_takes_its_constructors_defaults_as_parameters(tmp_path: Path) -> None:
    found = found_in(tmp_path, PLAIN, "Plain")
    assert found.values({"fast": "9"}) == {"fast": 9, "ratio": 0.5}
    built = found.build({"fast": "9"})
    assert isinstance(built, PlainSignals)
    assert getattr(built.strategy, "fast", None) == 9


def test_a_file_may_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour_of_mine.py").write_text("VALUE = 4\n")
    assert found_in(tmp_path, "from neighbour_of_mine import VALUE\n" + FINE, "Fine").name == "Fine"


@pytest.mark.parametrize(
    ("body", "class_name", "says"),
    [
        (FINE, "Fina", r"expected Fine \(did you mean it\?\), found no class 'Fina'"),
        ("x = 1\n", "x", "a class"),
        ("import absent_module\n", "A", "line 5: ModuleNotFoundError"),
        ("def broken(:\n", "A", "line 5: SyntaxError"),
        ("raise SystemExit(3)\n", "A", "SystemExit: 3"),
        ("class A:\n    pass\n", "A", "expected a method signals"),
        ("class A:\n    def on_bar(self, ctx): ...\n", "A", r"features\(klines\) beside on_bar"),
        ("class A(SignalStrategy):\n    pass\n", "A", r"expected a method signals\(klines\)"),
        (
            "class A(SignalStrategy):\n    n: int = parameter(1)\n    def signals(self, k): ...\n",
            "A",
            r"@dataclass\(frozen=True\) above the class",
        ),
        (
            "from abc import ABC\nclass A(ABC):\n    def signals(self, k): ...\n"
            "    @abstractmethod\n    def later(self): ...\n",
            "A",
            "a class that defines later",
        ),
        (
            "class A:\n    def __init__(self, n): ...\n    def generate_signals(self, f): ...\n",
            "A",
            "a default for n",
        ),
        (FINE + PLAIN, "", "found Fine, Plain"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(
    tmp_path: Path, body: str, class_name: str, says: str
) -> None:
    with pytest.raises(StrategyFault, match=says):
        found_in(tmp_path, body, class_name)


def test_a_missing_file_is_answered_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "channel.py").write_text("")
    with pytest.raises(StrategyFault, match=r"did you mean channel\.py"):
        find_strategy(f"{tmp_path}/chanel.py:A")


def test_an_unknown_parameter_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ParameterFault, match="period"):
        found_in(tmp_path, FINE, "Fine").build({"periode": "3"})


def test_an_error_of_the_file_is_told_from_a_bug_of_ours(tmp_path: Path) -> None:
    found = found_in(tmp_path, PLAIN + "def fail():\n    raise RuntimeError('boom')\n", "Plain")
    with pytest.raises(RuntimeError) as raised:
        vars(__import__("sys").modules[found.cls.__module__])["fail"]()
    assert found.is_to_blame(raised.value)
    assert "boom in line 12" in str(fault_of(raised.value, found, "strategy Plain", "to run"))
    assert not found.is_to_blame(RuntimeError("ours"))


class Loud(OrderFault):
    """A fault of a kind of its own."""


def test_a_fault_raised_from_another_keeps_its_kind_and_gains_the_line(tmp_path: Path) -> None:
    body = "def fail():\n    raise RuntimeError('boom')\n"
    found = found_in(tmp_path, PLAIN + body, "Plain")
    with pytest.raises(RuntimeError) as raised:
        vars(__import__("sys").modules[found.cls.__module__])["fail"]()
    loud = Loud("quantity", "a number", "none")
    loud.__cause__ = raised.value
    fault = fault_of(loud, found, "strategy Plain", "to run")
    assert type(fault) is Loud
    assert str(fault).startswith("quantity: expected a number, found none in line 12 of ")


def test_a_constructor_that_exits_is_a_fault_of_the_strategy(tmp_path: Path) -> None:
    body = "class A:\n    signals = []\n    def __init__(self): raise SystemExit(0)\n"
    found = found_in(tmp_path, body + "    def generate_signals(self, f): ...\n", "A")
    with pytest.raises(StrategyFault, match="constructor of A: expected an instance, found Sys"):
        found.build({})


def test_a_plain_class_with_a_list_called_signals_stays_plain(tmp_path: Path) -> None:
    found = found_in(tmp_path, PLAIN + "        self.signals = []\n    signals = []\n", "Plain")
    assert isinstance(found.build({}), PlainSignals)
