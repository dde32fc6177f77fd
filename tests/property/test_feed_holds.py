"""Whatever goes wrong, what a follower takes is the venue's series, each bar once and in order."""

from collections import Counter
from dataclasses import replace

import pytest

from engines.live.events import AlertKind, FlagCorrection, HandOut, Kline
from engines.live.feed import FeedState
from tests.property.feed_world import CALM, Faults, World, digest


def lived(seed: int, bars: int, faults: Faults | None = None) -> World:
    world = World(seed, bars, faults or Faults())
    world.run()
    return world


def require_whole(world: World) -> None:
    """Require the series of the venue of every follower, corrections that were flagged applied."""
    taken = world.followers[world.key].rows
    for row in taken:
        opens_ms = row.open_time_ms
        assert row in (world.originals[opens_ms], world.rows[opens_ms])
    corrected = [world.flags.get(row.open_time_ms, row) for row in taken]
    assert digest(corrected) == digest(list(world.rows.values())), "not the batch series"
    assert not [alert for alert in world.alerts if alert.kind is AlertKind.LATE], "none was late"
    assert digest(world.disk) == digest(taken), "not what a restart would go on from"
    for key in world.keys()[1:]:
        assert digest(world.followers[key].rows) == digest(world.batch(key, taken)), key


@pytest.mark.parametrize("seed", range(200))
def test_a_follower_takes_the_series_of_the_venue(seed: int) -> None:
    require_whole(lived(seed, 100))


@pytest.mark.long
@pytest.mark.parametrize("seed", range(200))
def test_a_follower_of_five_thousand_bars_takes_the_series_of_the_venue(seed: int) -> None:
    require_whole(lived(seed, 5_000))


def test_the_world_does_all_that_it_threatens() -> None:
    worlds = [lived(seed, 300) for seed in range(8)]
    assert {world.says for world in worlds} == {"all", "never", "dropped"}
    alerts = Counter(alert.kind for world in worlds for alert in world.alerts)
    # A bar that comes after it was given up would make another series: a unit test has it.
    assert set(alerts) == set(AlertKind) - {AlertKind.LATE}, alerts
    assert sum(world.life for world in worlds) >= 4
    assert sum(len(world.flags) for world in worlds) >= 10
    assert sum(len(world.originals) for world in worlds) < 8 * 300


def test_without_faults_bars_are_handed_out_as_they_close() -> None:
    for seed in range(6):
        world = lived(seed, 100, CALM)
        require_whole(world)
        assert not [alert for alert in world.alerts if alert.time_ms < world.end_ms]
        assert not world.flags
        waited = [
            asked.time_ms - row.open_time_ms - world.step_ms
            for _, instructions in world.told
            for asked in instructions
            if isinstance(asked, HandOut) and asked.key == world.key
            for row in asked.klines
        ]
        assert len(waited) == 100
        # From the stream at once; without its word after the grace, at the next tick, by a request.
        slack_ms = 1_700 if world.says == "all" else 2_000 + world.step_ms // 8 + 62_000
        assert max(waited) <= slack_ms, world.says


def test_the_same_events_give_the_same_instructions() -> None:
    for seed in range(4):
        world = lived(seed, 150, replace(Faults(), crash=0.0))
        again = FeedState(world.terms)
        assert len(world.told) > 1000
        for event, instructions in world.told:
            assert again.handle(event) == instructions


def test_a_correction_is_flagged_and_never_handed_out() -> None:
    world = lived(3, 300, replace(CALM, corrected=0.2))
    flagged = [
        asked
        for _, instructions in world.told
        for asked in instructions
        if isinstance(asked, FlagCorrection)
    ]
    changed = {
        opens_ms: row for opens_ms, row in world.rows.items() if world.originals[opens_ms] != row
    }
    taken: dict[int, Kline] = {row.open_time_ms: row for row in world.disk}
    late = {opens_ms for opens_ms, row in changed.items() if taken[opens_ms] != row}
    assert len(late) >= 30
    assert sorted(flag.was.open_time_ms for flag in flagged) == sorted(late), "each once"
    assert all(flag.now == changed[flag.was.open_time_ms] for flag in flagged)
