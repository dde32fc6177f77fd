"""The command line's flags, declared once and shared by commands.

A command is a function of one frozen dataclass; `spread` shows its fields to typer as options, so
that `backtest`, `parity` and `demo` share a family of flags and none is written twice.
"""

import inspect
import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

Flags = TypeVar("Flags")


def spread(command: Callable[[Flags], int]) -> Callable[..., None]:
    """Return `command(flags)` as a function of the fields of its flags, for typer.

    Required ones come first. The number that the command returns becomes the exit code.
    """
    cls = get_type_hints(command)["flags"]
    hints = get_type_hints(cls, include_extras=True)

    def with_options(**given: Any) -> None:
        code = command(cls(**given))
        if code:
            raise typer.Exit(code)

    parameters = [
        inspect.Parameter(
            item.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if item.default is MISSING else item.default,
            annotation=hints[item.name],
        )
        for item in fields(cls)
    ]
    parameters.sort(key=lambda item: item.default is not inspect.Parameter.empty)
    wrapped: Any = with_options
    wrapped.__signature__ = inspect.Signature(parameters)
    wrapped.__annotations__ = {item.name: hints[item.name] for item in fields(cls)}
    wrapped.__doc__, wrapped.__name__ = command.__doc__, command.__name__
    return with_options


def ratio(text: str) -> float:
    """Return 0.0007 for 0.0007 and for 0.07%."""
    cleaned = str(text).strip()
    try:
        value = float(cleaned.removesuffix("%")) / (100 if cleaned.endswith("%") else 1)
        if not math.isfinite(value):
            raise ValueError(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a ratio such as 0.02 nor a percentage such as 2%"
        ) from None
    return value


def _ratio_option(name: str, help: str) -> Any:
    return typer.Option(name, parser=ratio, metavar="RATIO|%", help=help)


@dataclass(frozen=True, kw_only=True)
class JsonFlags:
    """What every command has."""

    json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")] = (
        False
    )


@dataclass(frozen=True, kw_only=True)
class OutFlags:
    """Where results go."""

    out: Annotated[
        Path | None, typer.Option(help="Folder for report.html, result.json and tables.")
    ] = None
    force: Annotated[bool, typer.Option("--force", help="Write into a folder in use.")] = False


@dataclass(frozen=True, kw_only=True)
class BarFlags:
    """Which bars are traded, and the instrument's rules."""

    symbol: Annotated[str | None, typer.Option(help="Symbol; else from the file's name.")] = None
    interval: Annotated[
        str | None, typer.Option(help="Interval that the bars must have, such as 15m.")
    ] = None
    aggregate: Annotated[
        str | None, typer.Option(help="Build bars of this longer interval first, such as 1h.")
    ] = None
    since: Annotated[
        str | None, typer.Option(help="Trade from this UTC time on; bars before it warm up.")
    ] = None
    until: Annotated[str | None, typer.Option(help="Leave out bars from this UTC time on.")] = None
    other: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=FILE", help="Bars read as others[NAME]; --aggregate too."),
    ] = None
    magnifier: Annotated[
        Path | None, typer.Option(help="Bars of a shorter interval for the path inside each bar.")
    ] = None
    instrument: Annotated[
        Path | None, typer.Option(help="TOML or JSON file of tick_size, qty_step and the like.")
    ] = None
    tick_size: Annotated[float | None, typer.Option(help="Smallest price step.")] = None
    qty_step: Annotated[float | None, typer.Option(help="Smallest quantity step.")] = None
    point_value: Annotated[float | None, typer.Option(help="Quote per point and contract.")] = None
    exchange_zone: Annotated[
        str | None, typer.Option(help="Time zone of the exchange: its days, its months.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class PlanFlags:
    """How wishes become orders, and what a fill costs."""

    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A strategy parameter; repeatable."),
    ] = None
    capital: Annotated[float, typer.Option(help="Account at the start.")] = 10_000.0
    qty: Annotated[float | None, typer.Option(help="Size of an order: contracts.")] = None
    cash: Annotated[float | None, typer.Option(help="Size of an order: money.")] = None
    equity_percent: Annotated[
        float | None, typer.Option(help="Size of an order: percent of equity (10 unless given).")
    ] = None
    commission: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER|%", help="Each fill's: 0.0007 or 0.07% of notional, or money; see kind."
        ),
    ] = None
    commission_kind: Annotated[
        str, typer.Option(metavar="ratio|per_contract|per_order", help="What it is charged for.")
    ] = "ratio"
    slippage_ticks: Annotated[int, typer.Option(help="Against market and stop fills.")] = 0
    pyramiding: Annotated[int, typer.Option(help="Entries allowed in one direction.")] = 1
    close_rule: Annotated[
        str, typer.Option(metavar="fifo|lifo|any|all", help="Which entries an exit closes first.")
    ] = "fifo"
    direction: Annotated[
        str, typer.Option(metavar="both|long|short", help="Which positions may be opened.")
    ] = "both"
    stop_loss: Annotated[
        float | None, _ratio_option("--stop-loss", "Of entry price, where signals have no stop.")
    ] = None
    take_profit: Annotated[
        float | None, _ratio_option("--take-profit", "Of entry price, where signals have none.")
    ] = None
    process_on_close: Annotated[
        bool, typer.Option("--process-on-close", help="Fill market orders at the deciding close.")
    ] = False
    limit_verify_ticks: Annotated[
        int, typer.Option(help="How far price must pass a limit to fill it.")
    ] = 0
    position_qty_max: Annotated[
        float | None, typer.Option(help="Largest position, in contracts.")
    ] = None
    intraday_fills_max: Annotated[
        int | None, typer.Option(help="Filled orders a day; then trading stops until the next.")
    ] = None
    intraday_loss_max: Annotated[
        float | None, _ratio_option("--intraday-loss-max", "Of the day's first equity, likewise.")
    ] = None
    margin_long: Annotated[
        float, _ratio_option("--margin-long", "Share of notional that equity must cover.")
    ] = 1.0
    margin_short: Annotated[
        float, _ratio_option("--margin-short", "Share of notional that equity must cover.")
    ] = 1.0
    causality_check: Annotated[
        bool, typer.Option(help="Prove first that the strategy does not look ahead.")
    ] = True
