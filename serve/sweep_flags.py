"""The flags of `phalanx sweep`, from the command line, a study file or an earlier run.

A study file is YAML or JSON whose keys are the flags with underscores; `strategy` names the
strategy, `parameters` holds what is fixed of it, `grid` and `plan_grid` are mappings or texts, and
`plan` and `costs` may be written out where a flag would name a file:

    strategy: rsi_mean_reversion
    bars: [BTCUSDT_15m.csv, ETHUSDT_15m.csv]
    grid: {rsi_period: "7:21:1", oversold: [25, 30]}
    plan_grid: stop_loss=1%:5%:0.5%
    where: trades>=30

Paths are from where the command runs. A flag of the command line goes before the file's.
"""

import difflib
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_type_hints

import typer

from engines.errors import ParameterFault
from serve.flags import BarFlags, JsonFlags, PlanFlags

STUDIES = Path("out/studies")
FILE_SUFFIXES = (".yaml", ".yml", ".json")
# Keys of a study file that are no flags, and the flag in whose place they stand.
INLINE = {"strategy": "study", "parameters": "settings"}
OWN_WAY = frozenset({"strategy", "parameters", "grid", "plan_grid", "plan", "costs"})
NEVER_IN_FILE = frozenset({"study", "settings", "resume", "yes", "force", "json"})


@dataclass(frozen=True, kw_only=True)
class SweepFlags(JsonFlags, PlanFlags, BarFlags):
    """What `phalanx sweep` takes."""

    panel: ClassVar[str] = "Sweep"
    study: Annotated[
        str | None,
        typer.Argument(metavar="STRATEGY|FILE.yaml", help="As for backtest, or a study file."),
    ] = None
    bars: Annotated[
        list[Path] | None,
        typer.Option(
            help="File of bars: CSV or Parquet; repeat for further ones, of other symbols too.",
            rich_help_panel=BarFlags.panel,
        ),
    ] = None
    intervals: Annotated[
        str | None, typer.Option(help="Trade bars of each of these intervals, as 15m,1h,4h.")
    ] = None
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUES ...", help='Of the strategy, as "rsi=7:21:1 fast=5,8".'),
    ] = None
    plan_grid: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUES ...", help='Of the plan, as "stop_loss=1%:5%:0.5%".'),
    ] = None
    objective: Annotated[
        str | None,
        typer.Option(metavar="[min:|max:]METRIC", help="What ranks the sets (sharpe); composite."),
    ] = None
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="METRIC>=NUMBER", help="What a set must fulfil, as trades>=30."),
    ] = None
    top: Annotated[int | None, typer.Option(help="How many sets to show and verify (20).")] = None
    sample: Annotated[
        int | None, typer.Option(help="Try so many sets at random instead of all.")
    ] = None
    seed: Annotated[int | None, typer.Option(help="Seed of the sample (1).")] = None
    out: Annotated[
        Path | None, typer.Option(help=f"Folder of studies, one folder each ({STUDIES}).")
    ] = None
    resume: Annotated[
        str | None, typer.Option(metavar="ID", help="Go on with a study that was cut short.")
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Begin the study anew.")] = False
    yes: Annotated[bool, typer.Option("--yes", help="Evaluate more than ten million sets.")] = False
    address: Annotated[
        str | None,
        typer.Option(help="Running Ray cluster, as auto or HOST:PORT; else a local one."),
    ] = None


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: flags, and a plan that a study file holds in itself (None: it does not)."""

    flags: SweepFlags
    plan_tree: Mapping[str, Any] | None
    source: str


def request_of(flags: SweepFlags) -> Request:
    """Return what flags ask, those of a study file included.

    Raises: ParameterFault for a key that means nothing, PlanFault for a file that cannot be read.
    """
    if flags.study is None or not flags.study.lower().endswith(FILE_SUFFIXES):
        return Request(flags, None, "")
    from cluster.settings_text import read_settings

    source = flags.study
    tree = read_settings(Path(source))
    if not isinstance(tree, dict) or not isinstance(tree.get("strategy"), str):
        found = "none" if isinstance(tree, dict) else type(tree).__name__
        raise ParameterFault(f"strategy in {source}", "the name of a strategy", found)
    given = _flags_in(tree, source)
    typed = {item.name for item in fields(flags) if getattr(flags, item.name) != item.default}
    kept = {name: value for name, value in given.items() if name not in typed - {"study"}}
    inline = {name: tree[name] for name in ("plan", "costs") if isinstance(tree.get(name), dict)}
    return Request(replace(flags, **kept), inline or None, source)


def stored(flags: SweepFlags) -> dict[str, Any]:
    """Return the flags that were given in the types of JSON, for the manifest."""
    given = {
        item.name: getattr(flags, item.name) for item in fields(flags) if _is_given(flags, item)
    }
    return {name: _plain(value) for name, value in given.items() if name not in ("resume", "force")}


def restored(known: Mapping[str, Any], flags: SweepFlags) -> SweepFlags:
    """Return flags as the manifest holds them, with what is given now in their place.

    Raises: ParameterFault where it holds others, as one of a newer phalanx may.
    """
    hints = get_type_hints(SweepFlags)
    if unknown := sorted(set(known) - set(hints)):
        subject, expected = "flags in the study's manifest", "flags that this phalanx has"
        raise ParameterFault(subject, expected, ", ".join(unknown))
    before = {name: _typed(value, hints[name]) for name, value in known.items()}
    now = {item.name: getattr(flags, item.name) for item in fields(flags) if _is_given(flags, item)}
    return SweepFlags(**{**before, **now, "resume": None})


def _is_given(flags: SweepFlags, item: "Field[Any]") -> bool:
    return item.default is MISSING or bool(getattr(flags, item.name) != item.default)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _typed(value: Any, hint: Any) -> Any:
    if "Path" not in str(hint):
        # Manifests of before hold one symbol as a text.
        return [value] if "list[" in str(hint) and isinstance(value, str) else value
    return [Path(item) for item in value] if isinstance(value, list) else Path(value)


def _flags_in(tree: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the flags that a study file gives."""
    hints = get_type_hints(SweepFlags)
    hints.pop("panel")
    known = (set(hints) - NEVER_IN_FILE) | OWN_WAY
    given: dict[str, Any] = {}
    for name, value in tree.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            expected = (
                f"{near[0]} (did you mean it?)" if near else f"one of {', '.join(sorted(known))}"
            )
            raise ParameterFault(f"key of {source}", expected, repr(name))
        if isinstance(value, dict) and name in ("plan", "costs"):
            continue
        if name in ("grid", "plan_grid", "parameters"):
            given[INLINE.get(name, name)] = _pairs(value, f"{name} in {source}")
        else:
            flag = INLINE.get(name, name)
            given[flag] = _value(value, hints.get(flag), f"{name} in {source}")
    return given


def _pairs(value: Any, subject: str) -> list[str]:
    """Return a mapping of names to values as the texts of a grid."""
    if isinstance(value, str):
        return value.split()
    if not isinstance(value, dict):
        raise ParameterFault(subject, "a mapping such as {fast: 5:20:1}", repr(value))
    return [f"{name}={_text(item)}" for name, item in value.items()]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return (
        "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )


def _value(value: Any, hint: Any, subject: str) -> Any:
    """Return a file's value as the flag holds it.

    Raises: ParameterFault for one of another type.
    """
    text = str(hint)
    if "list[" in text:
        items = value if isinstance(value, list) else [value]
        if all(isinstance(item, str) for item in items):
            return [Path(item) for item in items] if "Path" in text else items
        raise ParameterFault(subject, "a text or a list of texts", repr(value))
    if "Path" in text and isinstance(value, str):
        return Path(value)
    if isinstance(value, bool) or "bool" in text:
        if isinstance(value, bool) and "bool" in text:
            return value
        raise ParameterFault(subject, "true or false" if "bool" in text else "a value", repr(value))
    if "float" in text and isinstance(value, int | float | str):
        return _number(value, subject)
    if "int" in text and isinstance(value, int):
        return value
    if "str" in text and isinstance(value, str | int | float):
        return str(value)
    raise ParameterFault(subject, "a whole number" if "int" in text else "a text", repr(value))


def _number(value: int | float | str, subject: str) -> float:
    from cluster.ratios import parse_ratio

    try:
        return parse_ratio(str(value))
    except ValueError:
        raise ParameterFault(subject, "a number or a percentage", repr(value)) from None
