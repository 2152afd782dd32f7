"""`presentations.py` itself; what it makes of a kind of record is tested with the script that writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from click.testing import CliRunner

import presentations

if TYPE_CHECKING:
    from pathlib import Path


def test_another_record_is_refused(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"benchmark": "speed"}')
    result = CliRunner().invoke(presentations.main, [str(tmp_path / "record.json")])
    assert result.exit_code == 1
    assert "is a record of 'speed'; expected one of trajectories, few_evaluations, schedule_ablation" in result.output
