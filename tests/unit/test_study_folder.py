"""A study's folder: what is counted as done is there, and whole."""

from pathlib import Path

import pyarrow as pa
import pytest

from cluster.study_folder import StudyFolder
from cluster.study_table import parquet_of
from cluster.tasks import BatchResult

TABLE = parquet_of(pa.table({"set_id": [0]}))


def result(number: int) -> BatchResult:
    return BatchResult(number, 0, TABLE, 1, 0, 0, (), {"machine": 1}, (1, 2), 0.1)


@pytest.mark.parametrize("left", [TABLE, TABLE[:-1], TABLE[:2], b"", None])
def test_a_batch_whose_file_is_gone_or_cut_is_not_done(tmp_path: Path, left: bytes | None) -> None:
    folder = StudyFolder(tmp_path)
    with folder.locked():
        file = folder.file_of(folder.keep(result(0)))
        if left is None:
            file.unlink()
        else:
            file.write_bytes(left)
    assert set(folder.finished()) == ({0} if left == TABLE else set())
