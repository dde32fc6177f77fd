"""Join a Ray cluster, or start one on this machine for as long as the work takes.

A session of its own is never looked for: `ray.init()` without an address joins whatever runs on the
machine. It listens only to those who hold its token, made up here for it alone, because whoever
reaches a Ray cluster runs code on it. A cluster that is joined wants its own token, which is Ray's
setting: RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH (the mode, `cluster/__init__`).

Ray tries for minutes to reach an address at which nothing listens, so that is asked first. It also
takes the handling of SIGTERM for itself, and dies of it with a stack of C++; whoever begins a
session keeps it.
"""

import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray

from engines.errors import Fault

AUTH_MODE, AUTH_TOKEN, AUTH_TOKEN_PATH = "RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
NAMESPACE = "phalanx"
LOCAL, AUTO = "local", "auto"
ANSWER_S = 5.0


class SessionFault(Fault):
    """A cluster that cannot be joined or started."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What a cluster has to give at this moment; a task lies on one node, at most the largest."""

    nodes: int
    cpus: float
    gpus: float
    cpus_of_largest: float


def resources() -> Resources:
    """Return what the cluster that we are in has."""
    api: Any = ray  # these two carry no types
    total = api.cluster_resources()
    alive = [node["Resources"] for node in api.nodes() if node["Alive"]]
    largest = max((node.get("CPU", 0.0) for node in alive), default=0.0)
    return Resources(len(alive), total.get("CPU", 0.0), total.get("GPU", 0.0), largest)


def is_ours(address: str | None) -> bool:
    """Return whether a session is of its own, on this machine."""
    return not address or address == LOCAL


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
    if is_ours(address):
        _make_up_token()
    with _sigterm_kept():
        _join(address or LOCAL, cpus)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Leave SIGTERM to whom it was; a thread that is not the first may not handle signals."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit as error:
        if error.code == signal.SIGTERM and callable(before):  # what Ray makes of one meanwhile
            before(signal.SIGTERM, None)
        raise
    finally:
        is_first = threading.current_thread() is threading.main_thread()
        if is_first and before is not None:  # None: it was not Python that handled it
            signal.signal(signal.SIGTERM, before)


def _require_answer(address: str) -> None:
    """Raise SessionFault where nothing listens at HOST:PORT."""
    named = os.environ.get("RAY_ADDRESS", "") if address == AUTO else address
    host, _, port = named.rpartition("://")[2].rpartition(":")
    if not (host and port.isdigit()):
        return  # Ray finds it, or says why not.
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except (OSError, OverflowError) as error:
        found = f"none: {error}"
        raise SessionFault(f"Ray cluster at {named}", "one that answers", found) from error


def _join(address: str, cpus: int | None) -> None:
    _require_answer(address)
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
        reason = (str(error).strip() or "no reason given").splitlines()[0]
        found = f"{type(error).__name__}: {reason.partition('. ')[0]}"
        expected = "one that answers and accepts our token (RAY_AUTH_MODE, RAY_AUTH_TOKEN)"
        raise SessionFault(f"Ray cluster at {address}", expected, found) from error


def _make_up_token() -> None:
    """Give a session of our own a token, which its workers inherit; Ray keeps the first one."""
    if os.environ.get(AUTH_MODE) == "token" and AUTH_TOKEN_PATH not in os.environ:
        os.environ.setdefault(AUTH_TOKEN, secrets.token_hex(32))
