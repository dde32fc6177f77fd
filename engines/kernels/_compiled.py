"""How the kernel's functions meet Numba, and how its compiled code is kept.

Theory. A *rule* is a plain function that compiles into whoever calls it, on the CPU (`_linked`) or
the GPU. A *driver* is compiled for the CPU and cached beside its source. Numba keys
that cache by the file of the driver and by what its closure holds, but not by the rules it calls,
which lie in files of their own: an edit there would go unseen. So a driver closes over `stamp`, a
digest of the bytecode of every rule that it can reach, of whether it is inlined or apart, and of
every constant, and uses it.

Fast-math stays off, since reordered sums would differ from the reference, and the NumPy error model
is on, since a rule decides itself what a division by zero means.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numba.extending import overload

from engines.kernels._linked import RuleCompiler

Rule = TypeVar("Rule", bound=Callable[..., object])
INLINED, APART = set[CodeType](), set[CodeType]()
ROOM = "engines."  # of the modules whose rules are ours


def rule(function: Rule) -> Rule:
    """Return the function as one that compiled code may call, typed as before."""
    _register(function)
    return function


def inlined(function: Rule) -> Rule:
    """Return a rule that is compiled into its callers whatever its size, typed as before.

    A call passes every array of every tuple, each as seven numbers: where tuples hold a dozen, that
    took ten times as long as what rules of some dozens of operations do; where it is the one array
    of a run, a fifth of it. What it costs is a longer compilation, the more the more often it is
    called in the text: rules that call each other are not all to be inlined.
    """
    _register(function, forceinline=True)
    INLINED.add(function.__code__)
    return function


def apart(function: Rule) -> Rule:
    """Return a rule that is called, as what it calls is, even below an inlined one.

    Numba hands the wish to be inlined down to all rules which an inlined one reaches, rare ones
    too, and those cost compilation alone.
    """
    _register(function, forceinline=False)
    APART.add(function.__code__)
    return function


def _register(function: Callable[..., object], **asked: Any) -> None:
    """Let compiled code call a function: as a text that the CPU's drivers link, and on a GPU."""
    options: Any = {"error_model": "numpy", **asked}
    for target, own in (("cpu", options | {"pipeline_class": RuleCompiler}), ("gpu", options)):

        def implement(*_given: object, **_named: object) -> Callable[..., object]:
            return function

        overload(function, jit_options=own, strict=False, target=target)(implement)


def driver(function: Rule, parallel: bool = False) -> Rule:
    """Return the function compiled for the CPU, cached, typed as before."""
    compiled = njit(cache=True, error_model="numpy", parallel=parallel, nogil=True)(function)
    return cast(Rule, compiled)


def shared(function: Rule, *, makes_arrays: bool = False) -> Rule:
    """Return the function compiled once for several drivers, kept in the caches of theirs.

    One that makes no arrays leaves Numba's reference counts alone (`_nrt`): to count every array
    at every call that is not inlined took half of a run, and more where threads share them.

    Numba names a compiled function at random and takes that name into the key of whoever closes
    over it, so that no later program would find anything in the cache: here the name is its own.
    """
    options: dict[str, Any] = {"error_model": "numpy", "nogil": True, "_nrt": makes_arrays}
    compiled: Any = njit(**options)(function)
    compiled._set_uuid(f"{function.__module__}.{function.__qualname__}")
    return cast(Rule, compiled)


def was_compiled(function: Callable[..., object]) -> bool:
    """Return whether a driver was compiled in this program, not loaded from its cache."""
    compiled: Any = function
    return bool(compiled.stats.cache_misses)


def is_ready(function: Callable[..., object]) -> bool:
    """Return whether a driver was compiled in this program or loaded from its cache."""
    compiled: Any = function
    return bool(compiled.signatures)


def stamp_of(names: Mapping[str, object]) -> int:
    """Return a digest of what a module's rules can reach, never 0.

    `names` are the module's globals. Covered are all rules and constants there and in the modules
    whose rules or types it names, and so on.
    """
    digest = sha256()
    for module, found in sorted(reached(names).items()):
        for name, value in sorted(found.items()):
            function = _function_of(value)
            if isinstance(function, FunctionType) and function.__module__ == module:
                digest.update(b"inlined;" if function.__code__ in INLINED else b"")
                digest.update(b"apart;" if function.__code__ in APART else b"")
                _add_code(digest.update, function.__code__)
            elif isinstance(value, int | float | tuple | np.generic) and not name.startswith("__"):
                digest.update(f"{name}={value!r};".encode())
    return int.from_bytes(digest.digest()[:4], "big") + 1


def reached(names: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    """Return by their names the globals of all modules that `stamp_of` covers."""
    found = dict[str, Mapping[str, object]]()
    waiting = [names]
    while waiting:
        module = waiting.pop()
        if found.setdefault(str(module["__name__"]), module) is module:
            homes = {str(getattr(_function_of(it), "__module__", "")) for it in module.values()}
            waiting += [
                vars(import_module(home)) for home in homes - found.keys() if home.startswith(ROOM)
            ]
    return found


def _function_of(value: object) -> object:
    """Return the Python function of what Numba has wrapped, anything else as it is."""
    return getattr(value, "py_func", getattr(value, "_defn", value))


def _add_code(update: Callable[[bytes], None], code: CodeType) -> None:
    update(code.co_code)
    update(repr((code.co_names, code.co_varnames)).encode())
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            _add_code(update, constant)
        else:
            update(repr(constant).encode())
