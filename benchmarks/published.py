"""Results of `dirac-enhance bench` as Markdown tables beside published figures, put into pages."""

from __future__ import annotations

from pathlib import Path

import click

from dirac_enhance import DiracError
from dirac_enhance.bench.published_cells import with_published
from dirac_enhance.bench.results import read_results
from dirac_enhance.bench.results_table import tables_of, to_markdown
from pages import put_into

_PART = "beside published"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("results", nargs=-1, required=True, type=_FILE)
@click.option("--into", multiple=True, type=_FILE, help=f"Page whose part <!-- {_PART} --> is replaced.")
def main(results: tuple[Path, ...], into: tuple[Path, ...]) -> None:
    """Print what `bench --table --peer published` prints of RESULTS, and put it into pages."""
    try:
        tables = tables_of(with_published(read_results(file)) for file in results)
    except DiracError as error:
        raise click.ClickException(str(error)) from error
    text = "\n\n".join(to_markdown(table) for table in tables)
    click.echo(text)
    put_into(into, text, part=_PART)


if __name__ == "__main__":
    main()
