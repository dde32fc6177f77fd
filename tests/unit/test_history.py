"""The history of bars and funding: what is stored comes back, and what is said where it cannot."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from cluster.history import (
    History,
    HistoryBroken,
    HistoryBusy,
    HistoryFault,
    Overlap,
    WriteResult,
)
from cluster.history_place import Place
from engines.errors import KlineFault
from engines.funding import Funding
from engines.klines import HOUR_MS, Gap, Klines
from engines.series import FundingKey, PriceKind, SeriesKey
from tests.patience import PATIENCE_S
from tests.unit.bars import COLUMNS, NOW_MS, START_MS, STEP_MS, bars, same

KEY = SeriesKey("bybit", "BTC/USDT:USDT", STEP_MS)


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(str(tmp_path / "history"), now_ms=lambda: NOW_MS)


def month_file(history: History, month: str) -> Path:
    (path,) = Path(history.shown).rglob(f"{month}.parquet")
    return path


def test_bars_come_back_as_the_doubles_they_were(history: History) -> None:
    written = bars(0, 9000, turnover=True)
    assert history.write(KEY, written) == WriteResult(added=9000, equal=0)
    assert same(history.read(KEY), written)


def test_turnover_is_kept_where_it_is_known_of_every_bar(history: History) -> None:
    history.write(KEY, bars(0, 100, turnover=True))
    history.write(KEY, bars(100, 200))
    assert history.read(KEY).turnover is None
    assert same(history.read(KEY, until_ms=START_MS + 100 * STEP_MS), bars(0, 100, turnover=True))
    assert history.write(KEY, bars(100, 200, turnover=True)) == WriteResult(added=0, equal=100)
    assert same(history.read(KEY), bars(0, 200, turnover=True))


def test_a_range_holds_its_start_and_not_its_end(history: History) -> None:
    history.write(KEY, bars(0, 9000))
    since_ms, until_ms = START_MS + 10 * STEP_MS, START_MS + 8000 * STEP_MS
    assert same(history.read(KEY, since_ms, until_ms), bars(10, 8000))
    assert same(history.read(KEY, since_ms - 1, until_ms + 1), bars(10, 8001))


def test_every_month_is_a_file_that_others_can_read(history: History) -> None:
    history.write(KEY, bars(0, 9000))
    folder = month_file(history, "2025-01").parent
    assert sorted(path.name for path in folder.iterdir()) == [
        ".lock",
        *(f"2025-{month}.parquet" for month in ("01", "02", "03", "04")),
    ]
    assert folder.relative_to(history.shown).as_posix() == (
        "klines/venue=bybit/symbol=BTC%2FUSDT%3AUSDT/interval=15m/price=last"
    )
    file = parquet.ParquetFile(month_file(history, "2025-02"))
    assert file.schema_arrow.names == [*COLUMNS]
    assert file.metadata.num_rows == 28 * 96


def test_series_do_not_mix(history: History) -> None:
    mark = SeriesKey("bybit", "BTC/USDT:USDT", STEP_MS, PriceKind.MARK)
    spot = SeriesKey("bybit", "BTC/USDT", STEP_MS)
    other = SeriesKey("binance", "BTC/USDT:USDT", STEP_MS)
    for count, key in enumerate((KEY, mark, spot, other), start=1):
        history.write(key, bars(0, 10 * count, symbol=key.symbol))
    assert history.keys() == sorted([KEY, mark, spot, other])
    assert [len(history.read(key)) for key in (KEY, mark, spot, other)] == [10, 20, 30, 40]


def test_folders_of_others_are_no_series(history: History) -> None:
    history.write(KEY, bars(0, 10))
    symbol = month_file(history, "2025-01").parent.parent.parent
    for name in ("interval=1M/price=last", "interval=1h/price=index", "notes"):
        (symbol / name).mkdir(parents=True)
    assert history.keys() == [KEY]


def test_gaps_and_missing_ranges_are_known_and_not_filled(history: History) -> None:
    history.write(KEY, bars(10, 20))
    history.write(KEY, bars(23, 30))
    at = [START_MS + bar * STEP_MS for bar in range(50)]
    assert history.gaps(KEY) == [Gap(after_ms=at[19], before_ms=at[23], bars_missing=3)]
    assert history.missing(KEY, at[0], at[40]) == [
        (at[0], at[10]),
        (at[20], at[23]),
        (at[30], at[40]),
    ]
    assert history.missing(KEY, at[10], at[20]) == []
    assert history.missing(KEY, at[31], at[40]) == [(at[31], at[40])]
    assert history.span(KEY) == (at[10], at[29])
    assert history.span(SeriesKey("bybit", "ETH/USDT:USDT", STEP_MS)) is None


def test_bars_far_apart_are_bars_too(history: History) -> None:
    history.write(KEY, bars(0, 1))
    history.write(KEY, bars(50, 51))
    assert len(history.read(KEY)) == 2


def test_a_late_correction_is_flagged_and_the_stored_bar_stays(tmp_path: Path) -> None:
    flagged = []
    history = History(
        str(tmp_path),
        now_ms=lambda: NOW_MS,
        flag=lambda *told: flagged.append(told),
    )
    history.write(KEY, bars(0, 10))
    late = bars(5, 15, high_at={7: 0.5})
    result = history.write(KEY, late)
    assert (result.added, result.equal, result.corrected) == (5, 4, 1)
    (found,) = result.corrections
    assert found.time_ms == START_MS + 7 * STEP_MS
    assert found.stored == {"high": bars(7, 8).high[0]}
    assert found.offered == {"high": late.high[2]}
    assert flagged == [(KEY, (found,), Overlap.KEEP, NOW_MS)]
    assert same(history.read(KEY), bars(0, 15))
    assert history.write(KEY, late, Overlap.CORRECT).corrections == (found,)
    assert flagged[1:] == [(KEY, (found,), overlap, NOW_MS) for overlap in Overlap]
    assert same(history.read(KEY), bars(0, 15, high_at={7: 0.5}))


def test_nothing_is_written_where_a_correction_cannot_be_flagged(tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise HistoryFault("database", "one that can be used", "none")

    history = History(str(tmp_path), now_ms=lambda: NOW_MS, flag=refuse)
    history.write(KEY, bars(0, 10))
    for overlap in Overlap:
        with pytest.raises(HistoryFault):
            history.write(KEY, bars(5, 15, high_at={7: 0.5}), overlap)
    assert same(history.read(KEY), bars(0, 10))


def test_an_unclosed_bar_is_refused_whole(history: History) -> None:
    first = (NOW_MS - START_MS) // STEP_MS - 3
    with pytest.raises(KlineFault, match="closed by now"):
        history.write(KEY, bars(first, first + 5))
    assert history.keys() == []


@pytest.mark.parametrize(
    ("offered", "said"),
    [
        (bars(0, 5, symbol="ETH/USDT:USDT"), "found of ETH/USDT:USDT 15m"),
        (bars(0, 5, step_ms=HOUR_MS), "found of BTC/USDT:USDT 1h"),
        (bars(0, 5, shift_ms=60_000), "found 1 minutes beside"),
    ],
)
def test_bars_of_something_else_are_refused(history: History, offered: Klines, said: str) -> None:
    history.write(KEY, bars(0, 10))
    with pytest.raises(HistoryFault, match=said):
        history.write(KEY, offered)
    assert same(history.read(KEY), bars(0, 10))


def test_a_series_that_is_not_there_is_named_with_what_may_be_meant(history: History) -> None:
    history.write(KEY, bars(0, 10))
    with pytest.raises(HistoryFault) as raised:
        history.read(SeriesKey("bybit", "BTC/USD:USDT", STEP_MS))
    assert "found none (did you mean bybit BTC/USDT:USDT 15m?)" in str(raised.value)
    with pytest.raises(HistoryFault, match="found 2025-01-01 00:00Z to 2025-01-01 02:15Z only"):
        history.read(KEY, since_ms=START_MS + HOUR_MS * 24)


def test_a_writer_waits_for_one_that_is_soon_done(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.history.BUSY_S", PATIENCE_S)
    other = History(history.shown, now_ms=lambda: NOW_MS)
    with ThreadPoolExecutor() as threads:
        with history.writing(KEY) as writer:
            waiting = threads.submit(other.write, KEY, bars(10, 20))
            time.sleep(0.1)
            writer.write(bars(0, 10))
        assert waiting.result().added == 10


def test_one_writer_at_a_time_and_the_other_is_told_who_it_is(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.history.BUSY_S", 0.1)
    other = History(history.shown, now_ms=lambda: NOW_MS)
    with history.writing(KEY) as writer:
        writer.write(bars(0, 10))
        with pytest.raises(HistoryBusy, match=r"one writer, found process \d+ on .* at work on it"):
            other.write(KEY, bars(10, 20))
        assert same(other.read(KEY), bars(0, 10))
        writer.write(bars(10, 20))
    other.write(KEY, bars(20, 30))
    assert same(history.read(KEY), bars(0, 30))


def test_settlements_come_back_and_are_corrected_by_the_same_rules(history: History) -> None:
    times = START_MS + 8 * HOUR_MS * np.arange(300, dtype=np.int64)
    funding = Funding(times, np.linspace(-0.001, 0.001, 300))
    assert history.write_funding("bybit", "BTC/USDT:USDT", funding).added == 300
    found = history.read_funding("bybit", "BTC/USDT:USDT")
    assert np.array_equal(found.time_ms, times)
    assert found.rate.tobytes() == funding.rate.tobytes()
    other = Funding(times[:2], np.array([0.01, funding.rate[1]]))
    assert history.write_funding("bybit", "BTC/USDT:USDT", other).corrected == 1
    assert history.funding_keys() == [FundingKey("bybit", "BTC/USDT:USDT")]
    assert history.keys() == []
    late = Funding(np.array([NOW_MS + HOUR_MS]), np.array([0.0]))
    with pytest.raises(HistoryFault, match="settlements of the past"):
        history.write_funding("bybit", "BTC/USDT:USDT", late)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "other columns"])
def test_a_damaged_file_is_named_and_given_back_by_replacing_its_month(
    history: History, damage: str
) -> None:
    history.write(KEY, bars(0, 9000))
    path = month_file(history, "2025-02")
    spoil(path, damage)
    assert same(history.read(KEY, until_ms=START_MS + 2976 * STEP_MS), bars(0, 2976))
    for ask in (lambda: history.read(KEY), lambda: history.write(KEY, bars(4000, 9010))):
        with pytest.raises(HistoryBroken) as raised:
            ask()
        assert str(path) in str(raised.value)
        assert "2025-02 of bybit BTC/USDT:USDT 15m" in str(raised.value)
        assert "\n" not in str(raised.value)
    (broken,) = history.broken(KEY)
    assert broken.month == "2025-02"
    assert broken.since_ms == START_MS + 2976 * STEP_MS
    with history.writing(KEY) as writer:
        with pytest.raises(HistoryFault, match="rows of that month"):
            writer.replace_month("2025-02", bars(2975, 5664))
        assert writer.replace_month("2025-02", bars(2976, 5664)) == 2688
        with pytest.raises(HistoryFault, match="a damaged file"):
            writer.replace_month("2025-02", bars(2976, 5664))
    assert history.broken(KEY) == ()
    assert same(history.read(KEY), bars(0, 9000))


def spoil(path: Path, damage: str) -> None:
    contents = path.read_bytes()
    if damage == "other columns":
        parquet.write_table(pa.table({"open_time_ms": [1.5], "close": ["x"]}), path)
        return
    spoilt = bytearray(contents)
    spoilt[len(contents) // 2] ^= 1
    path.write_bytes(
        {
            "cut": contents[: len(contents) // 2],
            "flipped": bytes(spoilt),
            "empty": b"",
            "text": b"open_time_ms,open\n" * 9,
        }[damage]
    )


def test_no_bit_of_a_files_head_can_change_what_is_read(tmp_path: Path) -> None:
    history = History(str(tmp_path), now_ms=lambda: NOW_MS)
    history.write(KEY, bars(0, 300))
    path = month_file(history, "2025-01")
    contents, known = path.read_bytes(), bars(0, 300)
    head = int.from_bytes(contents[-8:-4], "little")
    noticed = 0
    for place in range(len(contents) - 8 - head, len(contents)):
        spoilt = bytearray(contents)
        spoilt[place] ^= 1 << place % 8
        path.write_bytes(bytes(spoilt))
        try:
            assert same(history.read(KEY), known)
        except HistoryBroken:
            noticed += 1
    assert noticed > 100


def test_trimming_takes_the_oldest_and_a_rehearsal_takes_nothing(history: History) -> None:
    history.write(KEY, bars(0, 9000))
    before_ms = START_MS + 4000 * STEP_MS
    with history.writing(KEY) as writer:
        assert writer.trim(before_ms, is_rehearsal=True) == 4000
        assert same(history.read(KEY), bars(0, 9000))
        assert writer.trim(before_ms) == 4000
        assert writer.trim(before_ms) == 0
    assert same(history.read(KEY), bars(4000, 9000))
    with history.writing(KEY) as writer:
        assert writer.trim(NOW_MS) == 5000
    assert history.keys() == []


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:canary@bucket/h?secret=canary&endpoint_override=localhost:1",
        "ftp://u:canary@h/x",
        "ftp://u:se/canary@h/x",
    ],
)
def test_what_is_wrong_with_a_place_is_one_sentence_without_its_credentials(url: str) -> None:
    with pytest.raises(HistoryFault) as raised:
        History(url).read(KEY)
    assert "canary" not in str(raised.value)


def test_a_store_that_is_no_disk_of_this_machine_works_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.history.user_data_path", lambda name, appauthor: tmp_path / name)
    history = History("mock:///bucket", now_ms=lambda: NOW_MS)
    history.write(KEY, bars(0, 5000))
    history.write(KEY, bars(4000, 9000))
    assert same(history.read(KEY), bars(0, 9000))
    assert history.keys() == [KEY]
    with history.writing(KEY) as writer:
        with pytest.raises(HistoryBusy, match="one writer, found process"):
            history.write(KEY, bars(0, 10))
        assert writer.trim(NOW_MS) == 9000
    assert history.keys() == []


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(HistoryFault, match=r"history .*/file/deep: expected one that can be"):
        History(str(tmp_path / "file" / "deep"), now_ms=lambda: NOW_MS).write(KEY, bars(0, 10))


def test_a_month_that_is_taken_away_meanwhile_is_one_that_was_not_there(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.write(KEY, bars(0, 9000))
    plain = Place.read

    def trimmed_first(place: Place, path: str) -> bytes:
        monkeypatch.setattr(Place, "read", plain)
        with History(history.shown, now_ms=lambda: NOW_MS).writing(KEY) as writer:
            writer.trim(START_MS + 2976 * STEP_MS)
        return plain(place, path)

    monkeypatch.setattr(Place, "read", trimmed_first)
    assert same(history.read(KEY), bars(2976, 9000))
