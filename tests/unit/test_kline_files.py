"""Bars from files: every spelling that exporters use, and one clear sentence for what is wrong."""

import gzip
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv as pa_csv
from pyarrow import feather, parquet

from cluster.kline_files import read_klines
from engines.errors import KlineFault
from engines.klines import HOUR_MS, MINUTE_MS, parse_interval_ms
from engines.synthetic import synthetic_klines

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "truth"
needs_truth = pytest.mark.skipif(not TRUTH.is_dir(), reason="../shared/truth is absent")

NOW_MS = 1_893_456_000_000  # 2030-01-01
START_MS = 1_735_689_600_000  # 2025-01-01
BARS = (
    (START_MS, 100.0, 101.5, 99.0, 101.0, 10.0),
    (START_MS + HOUR_MS, 101.0, 102.0, 100.5, 100.5, 11.0),
    (START_MS + 2 * HOUR_MS, 100.5, 103.0, 100.0, 102.5, 12.5),
)


def written(folder: Path, text: str, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def rows_of(times: Sequence[object], delimiter: str = ",", tail: str = "") -> str:
    lines = []
    for time, (_, *values) in zip(times, BARS, strict=True):
        lines.append(delimiter.join([str(time), *map(str, values)]) + tail)
    return "\n".join(lines) + "\n"


def iso(time_ms: int, text: str) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime(text)


MS = [bar[0] for bar in BARS]
HEADER = "open_time_ms,open,high,low,close,volume\n"


def assert_is_bars(path: Path) -> tuple[str, ...]:
    found = read_klines(path, "X", None, NOW_MS)
    klines = found.klines
    assert klines.interval_ms == HOUR_MS
    columns = (klines.open_time_ms, klines.open, klines.high, klines.low, klines.close)
    for column, index in zip((*columns, klines.volume), range(6), strict=True):
        assert column.tolist() == [bar[index] for bar in BARS]
    return found.notes


@pytest.mark.parametrize(
    "header",
    [
        "open_time_ms,open,high,low,close,volume",
        "start,open,high,low,close,volume",
        "startTime,openPrice,highPrice,lowPrice,closePrice,volume",
        "Open time,Open,High,Low,Close,Volume",
        "timestamp,open,high,low,close,volume",
        "date,open,high,low,close,volume",
        "time,open,high,low,close,Volume",
        "TIME,OPEN,HIGH,LOW,CLOSE,VOLUME",
    ],
)
def test_every_exporters_column_names_are_known(tmp_path: Path, header: str) -> None:
    assert assert_is_bars(written(tmp_path, header + "\n" + rows_of(MS))) == ()


@pytest.mark.parametrize(
    "times",
    [
        [ms // 1000 for ms in MS],
        [ms / 1000 for ms in MS],
        MS,
        [f"{ms}.0" for ms in MS],
        [ms * 1000 for ms in MS],
        [ms * 1_000_000 for ms in MS],
        [iso(ms, "%Y-%m-%dT%H:%M:%SZ") for ms in MS],
        [iso(ms, "%Y-%m-%dT%H:%M:%S.000Z") for ms in MS],
        [iso(ms, "%Y-%m-%dT%H:%MZ") for ms in MS],
        [iso(ms, "%Y-%m-%d %H:%M:%S") for ms in MS],
        [iso(ms, "%Y-%m-%d %H:%M") for ms in MS],
        [iso(ms, "%Y-%m-%d %H:%M:%S+00:00") for ms in MS],
        [iso(ms, "%Y.%m.%d %H:%M") for ms in MS],
        [iso(ms + 3 * HOUR_MS, "%Y-%m-%dT%H:%M:%S+03:00") for ms in MS],
        [iso(ms - 5 * HOUR_MS, "%Y-%m-%dT%H:%M:%S-0500") for ms in MS],
    ],
)
def test_every_way_to_write_a_time_gives_the_same_bars(tmp_path: Path, times: list[object]) -> None:
    assert assert_is_bars(written(tmp_path, HEADER + rows_of(times))) == ()


def test_summer_time_changes_of_offset_are_followed(tmp_path: Path) -> None:
    hours = ("2025-03-09T01:00:00-05:00", "2025-03-09T03:00:00-04:00", "2025-03-09T04:00:00-04:00")
    found = read_klines(written(tmp_path, HEADER + rows_of(hours)), "X", None, NOW_MS)
    assert np.diff(found.klines.open_time_ms).tolist() == [HOUR_MS, HOUR_MS]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_separator_line_ending_and_byte_order_mark_do_not_matter(
    tmp_path: Path, delimiter: str, ending: str
) -> None:
    text = "\ufeff" + HEADER.replace(",", delimiter) + rows_of(MS, delimiter)
    path = tmp_path / "bars.csv"
    path.write_bytes(text.replace("\n", ending).encode())
    assert_is_bars(path)


def test_decimal_commas_are_read_where_commas_do_not_separate(tmp_path: Path) -> None:
    text = HEADER.replace(",", ";") + rows_of(MS, ";").replace(".", ",")
    assert_is_bars(written(tmp_path, text))


def test_gzip_and_zip_are_unpacked(tmp_path: Path) -> None:
    text = (HEADER + rows_of(MS)).encode()
    packed = tmp_path / "bars.csv.gz"
    packed.write_bytes(gzip.compress(text))
    assert_is_bars(packed)
    archive = tmp_path / "bars.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("bars.csv", text)
    assert_is_bars(archive)


def test_utf_16_text_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes((HEADER + rows_of(MS)).encode("utf-16"))
    assert_is_bars(path)


def test_binance_vision_file_without_header_is_read(tmp_path: Path) -> None:
    tail = ",1735693199999,1010.5,42,5.0,505.25,0"
    path = written(tmp_path, rows_of([ms * 1000 for ms in MS], tail=tail))
    notes = assert_is_bars(path)
    assert any("no header line" in note for note in notes)
    assert read_klines(path, "X", None, NOW_MS).klines.turnover is not None


def test_lists_of_ccxt_and_bybit_without_header_are_read(tmp_path: Path) -> None:
    assert_is_bars(written(tmp_path, rows_of(MS)))
    bybit = written(tmp_path, rows_of(MS, tail=",1000.5"), "bybit.csv")
    assert_is_bars(bybit)
    turnover = read_klines(bybit, "X", None, NOW_MS).klines.turnover
    assert turnover is not None
    assert turnover.tolist() == [1000.5] * 3


def test_bybit_public_file_takes_the_start_not_the_timestamp(tmp_path: Path) -> None:
    lines = ["timestamp,symbol,period,start_at,open,high,low,close,volume"]
    lines += [f"{b[0] // 1000 + 99},X,60,{b[0] // 1000},{','.join(map(str, b[1:]))}" for b in BARS]
    assert assert_is_bars(written(tmp_path, "\n".join(lines))) == ("3 extra columns ignored",)


def test_extra_columns_may_hold_anything(tmp_path: Path) -> None:
    text = HEADER.replace("\n", ",RSI,note\n") + rows_of(MS, tail=",NaN,long?")
    assert assert_is_bars(written(tmp_path, text)) == ("2 extra columns ignored",)


def test_missing_volume_becomes_zero_and_a_note(tmp_path: Path) -> None:
    text = "time,open,high,low,close\n" + rows_of(MS).replace(",10.0\n", "\n")
    text = text.replace(",11.0\n", "\n").replace(",12.5\n", "\n")
    found = read_klines(written(tmp_path, text), "X", None, NOW_MS)
    assert found.klines.volume.tolist() == [0.0, 0.0, 0.0]
    assert found.notes == ("no volume column: volume is 0",)


@pytest.mark.parametrize("kind", ["ms", "timestamp", "timestamp_tz", "text", "float"])
@pytest.mark.parametrize("container", ["parquet", "feather"])
def test_parquet_and_feather_give_the_same_bars(tmp_path: Path, kind: str, container: str) -> None:
    times = {
        "ms": pa.array(MS),
        "timestamp": pa.array(MS, pa.timestamp("ms")).cast(pa.timestamp("ns")),
        "timestamp_tz": pa.array(MS, pa.timestamp("ms", tz="Europe/Berlin")),
        "text": pa.array([iso(ms, "%Y-%m-%dT%H:%M:%SZ") for ms in MS]),
        "float": pa.array([ms / 1000 for ms in MS]),
    }
    names = ("open", "high", "low", "close", "volume")
    columns = {name: [bar[i] for bar in BARS] for i, name in enumerate(names, start=1)}
    table = pa.table({**columns, "date": times[kind]})
    path = tmp_path / f"bars.{container}"
    if container == "parquet":
        parquet.write_table(table, path)
    else:
        feather.write_feather(table, path)
    assert_is_bars(path)


def test_files_in_any_order_are_joined_in_time(tmp_path: Path) -> None:
    first = written(tmp_path, HEADER + "".join(rows_of(MS).splitlines(True)[:2]), "a.csv")
    second = written(tmp_path, HEADER + "".join(rows_of(MS).splitlines(True)[2:]), "b.csv")
    found = read_klines([second, first], "X", HOUR_MS, NOW_MS)
    assert found.klines.open_time_ms.tolist() == MS


def test_files_that_overlap_are_refused(tmp_path: Path) -> None:
    first = written(tmp_path, HEADER + rows_of(MS), "a.csv")
    second = written(tmp_path, HEADER + "".join(rows_of(MS).splitlines(True)[2:]), "b.csv")
    with pytest.raises(KlineFault, match=r"b\.csv: expected to start after the last bar of .*a\."):
        read_klines([first, second], "X", None, NOW_MS)


def test_gaps_are_counted_in_a_note(tmp_path: Path) -> None:
    lines = rows_of([MS[0], MS[1], MS[1] + 4 * HOUR_MS])
    more = f"{MS[1] + 5 * HOUR_MS},100,100,100,100,1\n"
    found = read_klines(written(tmp_path, HEADER + lines + more), "X", None, NOW_MS)
    assert found.notes == ("1 gap, 3 bars missing, first after 2025-01-01 01:00Z",)


def test_unfinished_last_bar_is_a_fault_or_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + rows_of(MS))
    now_ms = MS[-1] + 20 * MINUTE_MS
    with pytest.raises(KlineFault, match="expected closed by now"):
        read_klines(path, "X", None, now_ms)
    found = read_klines(path, "X", None, now_ms, drop_unfinished=True)
    assert found.klines.open_time_ms.tolist() == MS[:-1]
    assert "has not closed: left out" in found.notes[0]
    with pytest.raises(KlineFault, match="expected closed by now"):
        read_klines(path, "X", None, MS[0], drop_unfinished=True)


def test_given_interval_that_differs_names_both(tmp_path: Path) -> None:
    with pytest.raises(KlineFault, match="expected 15m as given, found bars usually 1h apart"):
        read_klines(written(tmp_path, HEADER + rows_of(MS)), "X", 15 * MINUTE_MS, NOW_MS)
    with pytest.raises(KlineFault, match="expected 4h as given, found bars usually 1h apart"):
        read_klines(written(tmp_path, HEADER + rows_of(MS)), "X", 4 * HOUR_MS, NOW_MS)


def test_one_bar_needs_its_interval(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + rows_of(MS).splitlines(True)[0])
    with pytest.raises(KlineFault, match="to be given"):
        read_klines(path, "X", None, NOW_MS)
    assert len(read_klines(path, "X", HOUR_MS, NOW_MS).klines) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "found an empty file"),
        ("  \n\n", "found an empty file"),
        (HEADER, "a header line only"),
        ("hello\nworld\n", "missing: time, open, high, low, close"),
        ("a,b,c\n1,2,3\n", "found a, b, c"),
        ("time,open,high,close,volume\n1,2,3,4,5\n", "missing: low"),
        ("time,open,Open,high,low,close\n1,2,3,4,5,6\n", "expected one column for open"),
        ("1,2,3\n", "6, 7 or 12 columns"),
        (HEADER + "1735689600000,1,1,1,oops,1\n", "close in row 1 of .* found 'oops'"),
        (HEADER + f"{MS[0]},1,1,1,1,1\n{MS[1]},1,x,1,1,1\n", "high in row 2 of .* found 'x'"),
        (
            HEADER + f"{MS[0]},1,1,1,1,1\n{MS[1]},1,1,1\n",
            "row 2 of .*: expected 6 columns, found 4",
        ),
        (HEADER + f"{MS[0]},1,1,1,1,1\n{MS[1]},1,,1,1,1\n", "high in row 2 of .*: expected a num"),
        (HEADER + f"{MS[0]},1,1,1,1,1\n{MS[1]},1,NaN,1,1,1\n", "high in row 2 .* nothing or NaN"),
        (HEADER + f"{MS[0]},1,1,1,1,1\n,1,1,1,1,1\n", "time in row 2 of"),
        (HEADER + "soon,1,1,1,1,1\n", "time in row 1 of .* found 'soon'"),
        (HEADER + "2025-13-45,1,1,1,1,1\n", "time in row 1 of"),
        (HEADER + "20250101,1,1,1,1,1\n", "time in row 1 of .* found 20250101"),
        (HEADER + f"{MS[0]},1,1,1,1,1\n{MS[1] // 1000},1,1,1,1,1\n", "row 2 .*which is seconds"),
        (HEADER + f"{MS[0]},1,1,1,1,1\n2025-01-02,1,1,1,1,1\n", "row 2 .*a unix time as in row 1"),
        (HEADER + f"{MS[0]},1,1,1,1,1\n{MS[0]},1,1,1,1,1\n", "duplicate|to be given"),
        (HEADER + rows_of([MS[0], MS[2], MS[1]]), "open times that ascend"),
        (HEADER + rows_of([MS[0], MS[1], MS[1]]), "a duplicate of the bar before"),
        (HEADER + f"{MS[0]},1,1,1,-1,1\n{MS[1]},1,1,1,1,1\n", "close of bar 0 .* above zero"),
        (HEADER + f"{MS[0]},2,1,3,2,1\n{MS[1]},1,1,1,1,1\n", "low <= open and close <= high"),
        (HEADER + f"{MS[0]},1,1,1,1,-1\n{MS[1]},1,1,1,1,1\n", "volume of bar 0 .* zero or more"),
    ],
)
def test_each_wrong_file_has_its_sentence(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(KlineFault, match=expected) as caught:
        read_klines(written(tmp_path, text), "X", None, NOW_MS)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "raw",
    [
        bytes(range(256)) * 40,
        b"\x89PNG\r\n\x1a\n" + b"\xff\xd8\xfe" * 3000,
        b"PAR1 and then nothing of the kind",
        b"ARROW1 and then nothing of the kind",
        b"\x1f\x8b damaged gzip",
        b"PK\x03\x04 damaged zip",
        b"\xff\xfe\x00",
        b"open_time_ms,open,high,low,close,volume\n1,2,\x00,4,5,6\n",
    ],
)
def test_garbage_is_a_fault_and_nothing_else(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "bars.csv"
    path.write_bytes(raw)
    with pytest.raises(KlineFault) as caught:
        read_klines(path, "X", None, NOW_MS)
    assert "\n" not in str(caught.value)


def test_folder_and_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(KlineFault, match="found a directory"):
        read_klines(tmp_path, "X", None, NOW_MS)
    with pytest.raises(KlineFault, match="no such file"):
        read_klines(tmp_path / "none.csv", "X", None, NOW_MS)
    with pytest.raises(KlineFault, match="at least one, found none"):
        read_klines([], "X", None, NOW_MS)


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_random_bytes_never_escape_as_another_exception(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("bytes") / "bars"
    path.write_bytes(b"time,open,high,low,close\n" + raw)
    with pytest.raises(KlineFault):
        read_klines(path, "X", None, 0)


@given(st.integers(0, 2**31), st.integers(2, 60), st.sampled_from(["1m", "15m", "4h", "1d"]))
@settings(max_examples=25, deadline=None)
def test_bars_survive_a_round_trip_through_csv(
    tmp_path_factory: pytest.TempPathFactory, seed: int, bars: int, interval: str
) -> None:
    klines = synthetic_klines(bars, parse_interval_ms(interval), seed)
    path = tmp_path_factory.mktemp("bars") / "bars.csv"
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    pa_csv.write_csv(pa.table({name: getattr(klines, name) for name in names}), path)
    found = read_klines(path, klines.symbol, None, NOW_MS * 2).klines
    assert found.interval_ms == klines.interval_ms
    for name in names:
        assert getattr(found, name).tolist() == getattr(klines, name).tolist()


def test_reading_bars_does_not_import_pandas(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + rows_of(MS))
    code = (
        "import sys; from cluster.kline_files import read_klines; "
        "assert 'pyarrow' not in sys.modules; "
        f"read_klines({str(path)!r}, 'X', None, {NOW_MS}); "
        "print('pandas' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    ran = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    assert ran.stdout.strip() == "False"


def truth_bar_files() -> list[Path]:
    folders = ("bybit_klines/linear*/*.csv", "bybit_klines/spot_15m/*.csv")
    singles = ("tv_ethusdt_15m/ETHUSDT*.csv", "tv_eurusd_1h/*ohlcv.csv")
    more = ("tv_eurusd_1h/bar_magnifier_BINANCE*.csv", "tv_bybit_rsi/*/BYBIT*.csv")
    return sorted(path for glob in (*folders, *singles, *more) for path in TRUTH.glob(glob))


@needs_truth
def test_every_bar_file_of_the_truth_reads() -> None:
    files = truth_bar_files()
    assert len(files) > 20
    for path in files:
        found = read_klines(path, path.stem, None, NOW_MS)
        lines = sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        assert len(found.klines) == lines - 1, path.name
        assert found.klines.interval_ms in (1 * MINUTE_MS, 5 * MINUTE_MS, 15 * MINUTE_MS) or (
            found.klines.interval_ms in (30 * MINUTE_MS, HOUR_MS)
        )


@needs_truth
def test_years_of_bars_join_without_a_gap() -> None:
    files = sorted((TRUTH / "bybit_klines/linear_15m").glob("BTCUSDT_*.csv"))
    found = read_klines(files, "BTCUSDT", 15 * MINUTE_MS, NOW_MS)
    assert len(found.klines) == 3168 + 35136 + 35040
    assert found.notes == ()
