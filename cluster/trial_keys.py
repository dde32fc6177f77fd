"""The keys by which the trial ledger knows one evaluation from another.

Theory. An evaluation is a flat set of settings: the code of the strategy, each of its parameters,
each setting of the plan and of the costs that is not at its default (so that a plan which learns a
new setting keeps the keys of those that do not use it), where trading begins, and what a market
brings besides its bars, which are the ledger's own: the instrument's rules, funding, mark prices,
other series and the bars inside bars. Each of them changes results, so a run with another is
another try. A set has the same key whichever space it was reached through. Each (path, value) has a
64-bit hash and the key is their sum modulo 2^64 (the additive set hash of Bellare and Micciancio,
1997, at a width that is enough against chance, which is all that errs here). A sum makes the keys
of a grid the outer sum of its strategies' and its plans' parts: a million keys take a thousand
hashes.

What does not tell evaluations apart: how a number is written (14 and 14.0), a preset's name (it is
its values), whether a plan says what its levels count from or leaves that open, and comments or
layout of the strategy's file. What does: any change of that file's code, or of a file in its folder
that it imports, and those import in turn.
"""

import ast
import hashlib
import inspect
import io
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from engines.costs import Costs
from engines.funding import Funding
from engines.instrument import Instrument
from engines.klines import Klines
from engines.plan import Basis, Plan
from engines.report import fingerprint

U64_1D: TypeAlias = npt.NDArray[np.uint64]
U64_2D: TypeAlias = npt.NDArray[np.uint64]

MODULUS = 1 << 64
LAYOUT = frozenset({tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING})
Leaves = dict[tuple[str, type, object], int]


def code_fingerprint(cls: type) -> str:
    """Return the SHA-256 of what the module of a strategy says, comments and layout aside.

    What it imports from its own folder is a part of it.
    """
    module = inspect.getmodule(cls)
    source = inspect.getsource(module) if module is not None else inspect.getsource(cls)
    said = _said(source)
    file = getattr(module, "__file__", None)
    if file is not None:
        path = Path(file).resolve()
        said += [text for own in _imported(path, {path}) for text in _said(own.read_text("utf-8"))]
    return hashlib.sha256("\0".join(said).encode()).hexdigest()


def _said(source: str) -> list[str]:
    """Return the tokens of a file without its comments and layout."""
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.string for token in tokens if token.type not in LAYOUT]


def _imported(path: Path, known: set[Path]) -> list[Path]:
    """Return the files in a file's folder that it imports, and those that they import."""
    found: list[Path] = []
    for name in _names(ast.parse(path.read_text("utf-8"))):
        place = path.parent.joinpath(*name.split("."))
        for own in (place.with_suffix(".py"), place / "__init__.py"):
            if own.is_file() and own not in known:
                known.add(own)
                found += [own, *_imported(own, known)]
    return found


def _names(tree: ast.Module) -> list[str]:
    """Return what a file imports, each module and whatever may be one, in order of their names."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {item.name for item in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = [node.module] if node.module else []
            names |= {".".join([*base, item.name]) for item in node.names} | set(base)
    return sorted(names)


def surroundings(
    klines: Klines, instrument: Instrument, funding: Funding | None = None,
    mark: Klines | None = None, magnifier: Klines | None = None,
) -> dict[str, object]:  # fmt: skip # what is traded, then what else is read
    """Return what a market brings into an evaluation besides its bars, long columns as digests.

    What an instrument is called tells nothing apart: a venue and a file have their own names.
    """
    found: dict[str, object] = {"instrument": replace(instrument, symbol="")}
    found |= {f"other {name}": fingerprint(other) for name, other in klines.others.items()}
    if funding is not None:
        columns = funding.time_ms.tobytes() + funding.rate.tobytes()
        found["funding"] = hashlib.sha256(columns).hexdigest()
    if mark is not None:
        found["mark"] = fingerprint(mark)
    if magnifier is not None:
        found["magnifier"] = fingerprint(magnifier)
    return found


def trial_keys(
    code: str, parameters: Sequence[Mapping[str, object]], plans: Sequence[Plan], costs: Costs,
    around: Mapping[str, object], since_ms: int | None = None,
) -> U64_2D:  # fmt: skip # who trades, then where
    """Return the keys [S, Q] of parameter sets on plans; `parameters` name every parameter.

    `around` are the `surroundings` of the bars.
    """
    known: Leaves = {}
    shared = _sum("code", code, known) + _sum("costs", costs, known)
    shared += _sum("around", around, known) + _sum("since_ms", since_ms, known)
    rows = [(shared + _sum("parameters", one, known)) % MODULUS for one in parameters]
    settled = [_settled(plan) for plan in plans]  # held, since `known` tells them by their identity
    columns = [_sum("plan", plan, known) % MODULUS for plan in settled]
    return np.add.outer(np.array(rows, dtype=np.uint64), np.array(columns, dtype=np.uint64))


def _settled(plan: Plan) -> Plan:
    """Return the plan with the basis that it runs by, none where that is each entry's own price."""
    basis = None if plan.basis is Basis.ENTRY else plan.basis
    if plan.exits.basis is basis:
        return plan
    return replace(plan, exits=replace(plan.exits, basis=basis))


def _sum(path: str, value: object, known: Leaves) -> int:
    """Return the sum of the hashes of all settings in `value`."""
    if is_dataclass(value) and not isinstance(value, type):
        key = (path, object, id(value))  # Plans made from one another share what they hold.
        if key not in known:
            own = _leaf(f"{path}!", type(value).__name__, known)
            known[key] = own + sum(
                _sum(f"{path}.{name}", part, known)
                for name, default in _defaults(type(value))
                if (part := getattr(value, name)) != default
            )
        return known[key]
    if isinstance(value, Mapping):
        return sum(_sum(f"{path}.{name}", item, known) for name, item in value.items())
    if isinstance(value, list | tuple):
        return sum(_sum(f"{path}[{place}]", item, known) for place, item in enumerate(value))
    return _leaf(path, value, known)


@cache
def _defaults(cls: type) -> tuple[tuple[str, object], ...]:
    """Return the fields of a dataclass with their defaults, MISSING where there is none."""
    return tuple(
        (item.name, item.default if item.default_factory is MISSING else item.default_factory())
        for item in fields(cls)
        if item.init  # The others follow from these.
    )


def _leaf(path: str, value: object, known: Leaves) -> int:
    key = (path, type(value), value)
    if key not in known:
        digest = hashlib.blake2b(f"{path}={_text(value)}".encode(), digest_size=8).digest()
        known[key] = int.from_bytes(digest, "little")
    return known[key]


def _text(value: object) -> str:
    """Return a value's one spelling: a whole number has no point, whatever its type."""
    if isinstance(value, Enum):
        return repr(value.value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        return repr(int(value))
    return repr(value)
