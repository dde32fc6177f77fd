"""The console script: `phalanx COMMAND ...`.

Exit codes: 0 all is well; 1 there is a finding (parity differs, something is missing); 2 bad input,
said in one sentence on stderr; 3 a bug in phalanx; 130 interrupted; 143 ended by SIGTERM, as nodes
that are taken away and `ray job stop` do. Results go to stdout and all messages to stderr. With
PHALANX_DEBUG set any failure shows its traceback.
"""

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from engines.errors import Fault
from serve.commands.backtest import backtest
from serve.commands.demo import demo
from serve.commands.doctor import doctor
from serve.commands.feed import feed
from serve.commands.metrics import metrics
from serve.commands.parity import parity
from serve.commands.plan import plan
from serve.commands.runs import runs
from serve.commands.series_check import check_stored
from serve.commands.series_files import export_stored, import_series
from serve.commands.series_list import list_series
from serve.commands.series_repair import repair_series
from serve.commands.series_sync import sync_series
from serve.commands.series_trim import trim_series
from serve.commands.strategies import strategies
from serve.commands.study import study
from serve.commands.sweep import sweep
from serve.commands.trials import trials
from serve.commands.venue_sim import venue_sim
from serve.flags import GroupedCommand, spread
from serve.invocation import ARGUMENTS

OK, FINDING, BAD_INPUT, BUG, INTERRUPTED, TERMINATED = 0, 1, 2, 3, 130, 143

# Plain help: rich costs as much time as everything else that --help does.
app = typer.Typer(
    name="phalanx",
    help="Research, prove and trade strategies for crypto perpetuals.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: tuple[Callable[..., int], ...] = (
    backtest,
    sweep,
    study,
    feed,
    parity,
    plan,
    strategies,
    metrics,
    trials,
    runs,
    demo,
    venue_sim,
    doctor,
)
for command in COMMANDS:
    app.command(cls=GroupedCommand)(spread(command))


market_data = typer.Typer(
    name="data",
    help="Stored bars and funding: sync, list, check, repair, trim, import, export.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
MARKET_DATA: dict[str, Callable[..., int]] = {
    "sync": sync_series,
    "list": list_series,
    "check": check_stored,
    "repair": repair_series,
    "trim": trim_series,
    "import": import_series,
    "export": export_stored,
}
for name, series_command in MARKET_DATA.items():
    market_data.command(name, cls=GroupedCommand)(spread(series_command))
app.add_typer(market_data)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"phalanx {version('phalanx')}")
        raise typer.Exit


@app.callback()
def _global_flags(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """Research, prove and trade strategies for crypto perpetuals."""


class _Sigterm:
    """SIGTERM interrupts as Ctrl-C does, which is all that Ray and typer let through unharmed."""

    has_come = False

    def __call__(self, _number: int, _frame: object) -> NoReturn:
        """Interrupt the program."""
        self.has_come = True
        raise KeyboardInterrupt


SIGTERM = _Sigterm()


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; failures are said on stderr."""
    ARGUMENTS.set(tuple(arguments))
    # Imports make much and free little: with fewer collections a cold start is 3 % shorter.
    gc.set_threshold(100_000, 50, 100)
    _settle_numba_cache()
    try:
        code = app(args=list(arguments) or ["--help"], prog_name="phalanx", standalone_mode=False)
        sys.stdout.flush()
        if code == INTERRUPTED:  # typer's answer to Ctrl-C
            raise KeyboardInterrupt
        return code if isinstance(code, int) else OK
    except (KeyboardInterrupt, typer.Abort):
        if SIGTERM.has_come:
            return _say("ended by SIGTERM", TERMINATED)
        return _say("interrupted", INTERRUPTED)
    except typer.TyperException as error:
        return _say(" ".join(error.format_message().split()).replace("'?.", "'?"), BAD_INPUT)
    except Fault as fault:
        if os.environ.get("PHALANX_DEBUG"):
            raise
        return _say(" ".join(str(fault).split()), BAD_INPUT)
    except BrokenPipeError:
        return _forget_stdout()
    except SystemExit as error:  # typer's answer to a closed pipe is exit code 1
        if isinstance(error.__context__, BrokenPipeError):
            return _forget_stdout()
        raise
    except Exception as error:
        if os.environ.get("PHALANX_DEBUG"):
            raise
        what = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        return _say(f"a bug in phalanx, {what} (PHALANX_DEBUG=1 shows where)", BUG)


def _forget_stdout() -> int:
    """Send what is left nowhere: the reader of stdout has gone (`| head`), none is to be told."""
    sys.stdout = sys.__stdout__ or sys.stdout  # typer has put a wrapper there
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return OK


def main() -> None:
    """Run the command line of this process."""
    signal.signal(signal.SIGTERM, SIGTERM)
    sys.exit(run(sys.argv[1:]))


def _say(sentence: str, code: int) -> int:
    ending = "" if sentence.endswith((".", "?")) else "."
    print(f"phalanx: {sentence}{ending}", file=sys.stderr)
    return code


def _settle_numba_cache() -> None:
    """Send compiled kernels to the temporary folder where neither usual place can be written.

    Numba looks beside the source and then into the user's cache folder, and refuses to import
    anything cached when both are read-only, as in a container.
    """
    if "NUMBA_CACHE_DIR" in os.environ:
        return
    beside = Path(__file__).resolve().parent.parent / "engines" / "features"
    beside = beside / "__pycache__" if (beside / "__pycache__").exists() else beside
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    while not home.exists():
        home = home.parent
    if not any(os.access(place, os.W_OK | os.X_OK) for place in (beside, home)):
        scratch = Path(tempfile.gettempdir()) / f"phalanx-numba-{os.getuid()}"
        os.environ["NUMBA_CACHE_DIR"] = str(scratch)


if __name__ == "__main__":
    main()
