"""The registry names the strategies that exist and costs nothing to look at."""

import subprocess
import sys

import pytest

from engines.errors import StrategyFault
from strategies.base import Strategy
from strategies.described import describe
from strategies.registry import REGISTRY, registration


@pytest.mark.parametrize("id", REGISTRY)
def test_every_registration_loads_a_described_strategy(id: str) -> None:
    cls = registration(id).load()
    assert issubclass(cls, Strategy)
    said = describe(cls)
    assert said.idea
    assert said.rule
    assert said.source
    assert all(item.help for item in cls.parameters())


def test_an_unknown_name_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(StrategyFault, match=r"ema_crossover \(did you mean it\?\)"):
        registration("ema_crosover")


def test_looking_at_the_registry_does_not_import_numba() -> None:
    code = "import sys, strategies.registry; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
