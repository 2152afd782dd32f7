"""The command group: built-in commands, those of plugins, and `enhance` when no command is named."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem
from click_default_group import DefaultGroup

from dirac_enhance.cli.bench import bench
from dirac_enhance.cli.codecs import codecs
from dirac_enhance.cli.compare import compare
from dirac_enhance.cli.console import errors_as_lines, remark, warnings_as_lines
from dirac_enhance.cli.contact_sheet import contact_sheet
from dirac_enhance.cli.decode import decode
from dirac_enhance.cli.encode import encode
from dirac_enhance.cli.enhance import enhance
from dirac_enhance.cli.export import export
from dirac_enhance.cli.info import info
from dirac_enhance.cli.make_pairs import make_pairs
from dirac_enhance.cli.networks import networks
from dirac_enhance.cli.report import report
from dirac_enhance.cli.train import train

if TYPE_CHECKING:
    from dirac_enhance.host import CodecHost

_COMMANDS = (
    enhance,
    decode,
    encode,
    info,
    compare,
    contact_sheet,
    bench,
    report,
    codecs,
    networks,
    make_pairs,
    train,
    export,
)

_HELP = """Make compressed photographs look like photographs again.

`dirac-enhance FILE…` is short for `dirac-enhance enhance FILE…`; see `dirac-enhance enhance --help` for its options.

\b
Examples:
  dirac-enhance photo.jpg                     writes photo.enhanced.png
  dirac-enhance *.jpg -o results/             writes results/<name>.png
  dirac-enhance photo.jpg --steps 1           highest fidelity, smoothest
  dirac-enhance contact-sheet photo.jpg       what --steps does to it, in one picture
  dirac-enhance info photo.jpg                what it is, and which weights would run
  dirac-enhance codecs                        what can be decoded and enhanced
"""


class CommandGroup(DefaultGroup):  # type: ignore[misc] # click-default-group has no annotations
    """A group whose commands raise the library's errors and warnings freely."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the chosen command."""
        with errors_as_lines(), warnings_as_lines():
            return super().invoke(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, or else what `enhance`, which need not be named, takes."""
        found: list[CompletionItem] = super().shell_complete(ctx, incomplete)
        if found:
            return found
        if incomplete.startswith("-"):
            default: click.Command = self.commands[self.default_cmd_name]
            return default.shell_complete(ctx, incomplete)
        return [CompletionItem(incomplete, type="file")]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order they were added, not by the alphabet."""
        return list(self.commands)


def build_group(host: CodecHost) -> click.Group:
    """Build the command line for what `host` found; a plugin that cannot add its commands is named in a warning."""
    group = CommandGroup(
        default="enhance",
        help=_HELP,
        params=[_version_option()],
        context_settings={"obj": host, "help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    for command in _COMMANDS:
        group.add_command(command)
    for name, failure in host.register_commands(group).items():
        remark(f"Warning: no commands from plugin '{name}' of {failure.distribution}: {failure.reason}")
    return group


def _version_option() -> click.Option:
    def show(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click passes it so
        if wanted:
            click.echo(f"dirac-enhance {_installed_version()}")
            ctx.exit()

    return click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=show, help="Show the version and exit."
    )


def _installed_version() -> str:
    try:
        return version("dirac-enhance")
    except PackageNotFoundError:
        return "(not installed)"
