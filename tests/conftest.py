"""What every test shares: how Hypothesis draws examples, a database and a history of its own."""

import atexit
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# Set before anything is imported, and inherited by the programs that tests start: no test counts
# a trial in the ledger of whoever runs it, or stores a bar.
_FOLDER = tempfile.TemporaryDirectory(prefix="phalanx-tests-")
atexit.register(_FOLDER.cleanup)
os.environ["PHALANX_DATABASE_URL"] = f"sqlite:///{Path(_FOLDER.name) / 'phalanx.db'}"
os.environ["PHALANX_VENUE_URL"] = "http://127.0.0.1:9"  # Nobody's: no test asks a real venue.
os.environ["PHALANX_HISTORY_URL"] = str(Path(_FOLDER.name) / "history")
_BUDGETS = Path(_FOLDER.name) / "budgets"
os.environ["PHALANX_BUDGETS"] = str(_BUDGETS)

# The suite gives the same verdict every time: examples follow from the test's own source. A first
# call may compile a kernel, so no single example has a deadline. `make long` explores afresh.
settings.register_profile("suite", derandomize=True, database=None, deadline=None)
settings.register_profile("explore", max_examples=1000, deadline=None, print_blob=True)
settings.load_profile("suite")

SHARING = "tests/browser/", "tests/cluster/"
# What one worker compiles in its first minutes nobody else should: the machine, which all paths
# need. So the other begins with what needs no kernel, and Ray's nodes come when all is compiled.
EARLY = (
    "tests/property/test_averages_equal_reference.py", "tests/contract/", "tests/golden/",
    "tests/parity/", "tests/property/", *SHARING,
)  # fmt: skip # in order


@pytest.fixture(autouse=True)
def no_budget_of_another_test() -> None:
    """Begin unbanned: a test's server may have the address of one before."""
    for path in _BUDGETS.glob("*.json"):
        path.unlink()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put early what takes long, the many small files of the other folders behind it."""
    items.sort(
        key=lambda item: next(
            (place for place, head in enumerate(EARLY) if item.nodeid.startswith(head)), len(EARLY)
        )
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each worker whole files, and to one of them all that share a browser or the cluster.

    What they share (reports to look at, Ray's nodes) would be made twice, at the same time.
    """
    from xdist.scheduler import LoadFileScheduling

    if config.getvalue("dist") != "loadfile":
        return None
    made = LoadFileScheduling(config, log)
    of_file = made._split_scope

    def unit_of(test: str) -> str:
        return next((folder for folder in SHARING if test.startswith(folder)), of_file(test))

    made._split_scope = unit_of
    return made
