"""The command line: one file per command, each body parsing, calling the library once, and printing."""

from __future__ import annotations

import sys

from dirac_enhance.interruption import ENDING, describe, exit_code, unwound_by


def main(prog_name: str = "dirac-enhance") -> None:
    """Run the command line with the arguments of this process, and end the process with its exit code."""
    try:
        with unwound_by(*ENDING):
            from dirac_enhance.cli.group import build_group
            from dirac_enhance.host import load_host

            build_group(load_host())(prog_name=prog_name)
    except KeyboardInterrupt as interruption:  # before a command runs; from then on, `CommandGroup` sees to it
        sys.stderr.write(f"{describe(interruption)}\n")
        sys.exit(exit_code(interruption))
