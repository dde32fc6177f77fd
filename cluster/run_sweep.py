"""Run `phalanx sweep` on the cluster whose head this is, with the same flags.

    ray submit cluster.yaml cluster/run_sweep.py -- '~/study.yaml'
    ray job submit -- python -m cluster.run_sweep study.yaml

Ray copies this one file to the head (`ray submit`) and starts it there, where phalanx is installed.
So it imports nothing of ours, which might be another version than the workers', and becomes the
installed command: its progress is the job's log, its exit code the job's. Both ways hand their
words to a shell on the head, unquoted: what has spaces or a > belongs into a study file.
"""

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

ADDRESS = "--address"
BAD_INPUT = 2


def command_of(arguments: Sequence[str], program: str) -> list[str]:
    """Return the command line that joins the cluster we are on, unless another one is named."""
    named = any(text == ADDRESS or text.startswith(f"{ADDRESS}=") for text in arguments)
    return [program, "sweep", *arguments, *([] if named else [ADDRESS, "auto"])]


def main(arguments: Sequence[str]) -> int:
    """Become `phalanx sweep`; return an exit code only if it is not installed here."""
    beside = str(Path(sys.executable).parent)
    program = shutil.which("phalanx", path=beside) or shutil.which("phalanx")
    if program is None:
        print(
            f"run_sweep: phalanx: expected installed on the head beside {sys.executable}, found "
            "none (cluster.yaml installs it on every node).",
            file=sys.stderr,
        )
        return BAD_INPUT
    os.environ["PYTHONUNBUFFERED"] = "1"  # A log shows what was said when it was said.
    os.execv(program, command_of(arguments, program))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
