"""Join a Ray cluster, or start one on this machine for as long as the work takes.

A session of its own is never looked for: `ray.init()` without an address joins whatever runs on the
machine. It listens only to those who hold its token, made up here for it alone, because whoever
reaches a Ray cluster runs code on it. A cluster that is joined wants its own token, which is Ray's
setting: RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH (the mode, `cluster/__init__`).
"""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray

from engines.errors import Fault

AUTH_MODE, AUTH_TOKEN, AUTH_TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
NAMESPACE = "phalanx"
LOCAL = "local"


class SessionFault(Fault):
    """A cluster that cannot be joined or started."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a cluster has to give at this moment."""

    nodes: int
    cpus: float
    gpus: float


def resources() -> Resources:
    """Return what the cluster that we are in has."""
    api: Any = ray  # these two carry no types
    total = api.cluster_resources()
    alive = sum(bool(node["Alive"]) for node in api.nodes())
    return Resources(alive, total.get("CPU", 0.0), total.get("GPU", 0.0))


@contextmanager
def session(address: str | None = None, cpus: int | None = None) -> Iterator[None]:
    """Be in the cluster at `address`, in a new one on this machine without it.

    A session that is open already is used and left open. `cpus` are those of a new cluster.
    Raises: SessionFault if there is no such cluster or it turns us away.
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not address or address == LOCAL:
        _make_up_token()
    _join(address or LOCAL, cpus)
    try:
        yield
    finally:
        ray.shutdown()


def _join(address: str, cpus: int | None) -> None:
    here: dict[str, Any] = {"include_dashboard": False, "num_cpus": cpus}
    try:
        ray.init(
            address=address,
            namespace=NAMESPACE,
            log_to_driver=False,
            logging_level=logging.ERROR,
            **(here if address == LOCAL else {}),
        )
    except Exception as error:
        reason = str(error).strip().splitlines()
        found = f"{type(error).__name__}: {reason[0] if reason else 'no reason given'}"
        expected = "one that answers and accepts our token (RAY_AUTH_MODE, RAY_AUTH_TOKEN)"
        raise SessionFault(f"Ray cluster at {address}", expected, found) from error


def _make_up_token() -> None:
    """Give a session of our own a token, which its workers inherit; Ray keeps the first one."""
    if os.environ.get(AUTH_MODE) == "token" and AUTH_TOKEN_PATH not in os.environ:
        os.environ.setdefault(AUTH_TOKEN, secrets.token_hex(32))
