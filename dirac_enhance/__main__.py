"""`python -m dirac_enhance`: the command line."""

from __future__ import annotations

from dirac_enhance.cli import main

if __name__ == "__main__":
    main(prog_name="dirac-enhance")
