"""A study's folder: what is counted as done is there, and whole."""

from pathlib import Path

import pyarrow as pa
import pytest

from cluster.study import StudyFault
from cluster.study_folder import StudyFolder
from cluster.study_table import parquet_of
from cluster.tasks import BatchResult

TABLE = parquet_of(pa.table({"set_id": [0]}))


def result(number: int) -> BatchResult:
    return BatchResult(number, 0, TABLE, 1, 0, 0, (), {"machine": 1}, (1, 2), 0.1)


FLIPPED = TABLE[:9] + bytes([TABLE[9] ^ 1]) + TABLE[10:]


@pytest.mark.parametrize("left", [TABLE, FLIPPED, TABLE[:-1], TABLE[:2], b"", None])
def test_a_batch_whose_file_is_gone_or_altered_is_not_done(
    tmp_path: Path, left: bytes | None
) -> None:
    folder = StudyFolder(tmp_path)
    with folder.locked():
        file = folder.file_of(folder.keep(result(0)))
        if left is None:
            file.unlink()
        else:
            file.write_bytes(left)
    assert set(folder.finished()) == ({0} if left == TABLE else set())


def test_what_a_killed_program_left_of_a_file_is_taken_away(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path)
    with folder.locked():
        kept = folder.file_of(folder.keep(result(0)))
    scratch = [kept.with_name(f".{kept.name}.part"), tmp_path / ".manifest.json.part"]
    for path in scratch:
        path.write_bytes(TABLE[:5])
    with folder.locked():
        assert [path.exists() for path in (*scratch, kept)] == [False, False, True]


CUT = {"count": 3, "sets_max": 7, "plans_max": 2}


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        ({}, "no study_id and batches of that form"),
        ({"study_id": "a-1", "batches": 3}, "no batches of that form"),
        ({"study_id": "a-1", "batches": {**CUT, "sets_max": 0}}, "no batches of that form"),
        (
            {"study_id": "a-1", "batches": CUT, "flags": [], "cwd": 1},
            "no flags and cwd of that form",
        ),
    ],
)
def test_a_manifest_of_another_form_is_one_sentence(
    tmp_path: Path, manifest: dict[str, object], said: str
) -> None:
    folder = StudyFolder(tmp_path)
    folder.write_manifest(manifest)
    with pytest.raises(StudyFault, match=said):
        folder.read_manifest()
    folder.write_manifest({"study_id": "a-1", "batches": CUT})
    assert folder.read_manifest()["batches"] == CUT
