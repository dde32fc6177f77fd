"""Budgets in a file: the programs of a machine are one holder of its limits."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from actors.venue import budget_file
from actors.venue.budget_file import FiledOwner
from actors.venue.opening import open_venue
from actors.venue.settings import venue_settings
from cluster.settings import SettingsFault
from tests.unit.test_gate import BOOK, ROUTE, StillClock


@pytest.fixture
def clock() -> StillClock:
    """Stand still at some time."""
    made = StillClock()
    made.time_ms = 50_000
    return made


def lent(owner: FiledOwner, route: str = ROUTE, wanted: int = 32) -> int:
    """Ask for requests."""
    return asyncio.run(owner.lease(route, wanted)).requests


def test_two_owners_of_a_name_lend_one_budget(tmp_path: Path, clock: StillClock) -> None:
    one, other = (FiledOwner(BOOK, tmp_path, "a.b:80", clock) for _ in range(2))
    assert [lent(one), lent(other), lent(one)] == [32, 28, 0]
    assert lent(FiledOwner(BOOK, tmp_path, "elsewhere", clock)) == 32
    clock.time_ms += 6_500
    assert lent(other) == 32


def test_owners_that_ask_at_the_same_time_are_lent_no_token_twice(
    tmp_path: Path, clock: StillClock
) -> None:
    def ask(_: int) -> int:
        owner = FiledOwner(BOOK, tmp_path, "a", clock)  # A lock of its own, as a program has.
        return sum(lent(owner, wanted=1) for _ in range(20))

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(8))) == 60


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PHALANX_BUDGETS", str(tmp_path / "file"))
    # The worker of the suite may be in the cluster of other tests, whose budget is an actor's.
    monkeypatch.setattr("actors.venue.opening.ray.is_initialized", lambda: False)
    with pytest.raises(SettingsFault, match="PHALANX_BUDGETS: expected a folder"):
        open_venue(venue_settings())


def test_who_starts_during_a_ban_knows_of_it(tmp_path: Path, clock: StillClock) -> None:
    asyncio.run(FiledOwner(BOOK, tmp_path, "a", clock).ban(600_000))
    late = FiledOwner(BOOK, tmp_path, "a", clock)
    lease = asyncio.run(late.lease(ROUTE, 1))
    assert (lease.is_banned, lease.wait_ms) == (True, 600_000)
    clock.time_ms += 600_000
    assert lent(late) == 32


def test_a_closed_route_and_a_lower_limit_are_shared(tmp_path: Path, clock: StillClock) -> None:
    one, other = (FiledOwner(BOOK, tmp_path, "a", clock) for _ in range(2))
    asyncio.run(one.told_limit("POST /order", 2))
    asyncio.run(one.throttled("POST /order", 700))
    assert lent(other, "POST /order") == 0
    clock.time_ms += 700
    assert lent(other, "POST /order") == 2
    assert asyncio.run(one.lent())["orders"] == 2


@pytest.mark.parametrize("text", ["{", "null", "[1]", '{"state": {}}'])
def test_a_file_that_broke_off_counts_as_all_lent_out(
    tmp_path: Path, clock: StillClock, text: str
) -> None:
    owner = FiledOwner(BOOK, tmp_path, "a", clock)
    (tmp_path / "a.json").write_text(text)
    assert lent(owner) == 0
    clock.time_ms += 6_500
    assert lent(owner) == 32


def test_a_file_of_before_the_machine_started_is_nobodys(
    tmp_path: Path, clock: StillClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(FiledOwner(BOOK, tmp_path, "a", clock).ban(600_000))
    (tmp_path / "boot").write_text("another start")
    monkeypatch.setattr(budget_file, "BOOT_ID", tmp_path / "boot")
    assert lent(FiledOwner(BOOK, tmp_path, "a", clock)) == 32
