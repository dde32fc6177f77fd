"""The databases that tests of the application's records run on.

SQLite always, and PostgreSQL where PHALANX_TEST_POSTGRES_URL names a database to fill.
"""

import os

POSTGRES = os.environ.get("PHALANX_TEST_POSTGRES_URL")
KINDS = ["sqlite", "postgres"] if POSTGRES else ["sqlite"]


def url_of(kind: str, folder: object) -> str:
    """Return the URL of a database of a kind, a file in `folder` for SQLite."""
    if kind == "postgres":
        assert POSTGRES is not None
        return POSTGRES
    return f"sqlite:///{folder}/phalanx.db"
