"""Options that commands which train share."""

from __future__ import annotations

import json
from typing import Any

import click
from click.testing import CliRunner

from dirac_enhance.training.command_options import (
    limit_options,
    optimisation_options,
    output_option,
    process_options,
    share_option,
)


@click.command()
@output_option
@limit_options
@share_option
@optimisation_options(batch_size=3, cooldown=0.1, ema_decay=0.9)
@process_options(workers="Who works.", seed="Of what.", precision="Of which.")
def echo(**options: Any) -> None:
    click.echo(json.dumps(options, default=str))


def parse(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(echo, ["-o", "run", *arguments])
    assert result.exit_code == 0, result.output
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


def test_a_command_chooses_defaults_and_the_help_of_what_it_does_in_its_own_way() -> None:
    defaults = parse()

    assert (defaults["batch_size"], defaults["cooldown"], defaults["ema_decay"]) == (3, 0.1, 0.9)
    assert (defaults["minutes"], defaults["iterations"], defaults["resume"]) == (None, None, False)
    said = CliRunner().invoke(echo, ["--help"]).stdout
    assert all(text in said for text in ("Who works.", "Of what.", "Of which."))


def test_help_lists_the_options_of_a_group_in_their_order() -> None:
    names = [parameter.name for parameter in echo.params]

    assert names[:5] == ["output", "minutes", "iterations", "resume", "shares"]
    assert names[5:] == [
        *("crop_size", "batch_size", "learning_rate", "cooldown", "ema_decay"),
        *("workers", "seed", "device", "precision"),
    ]


def test_shares_are_read_by_source() -> None:
    assert parse()["shares"] == {}
    assert parse("--share", "portraits=0.4", "--share", "others=0.6")["shares"] == {"portraits": 0.4, "others": 0.6}


def test_a_share_without_a_number_is_said_in_one_line() -> None:
    result = CliRunner().invoke(echo, ["-o", "run", "--share", "portraits"])

    assert result.exit_code == 2
    assert "Invalid value for --share: 'portraits'; expected SOURCE=SHARE, as in portraits=0.4" in result.output
