"""The processes of a training: which one leads, and what they compute in."""

from __future__ import annotations

import pytest
import torch

from dirac_enhance.training.processes import ProcessGroup, process_leads


@pytest.mark.parametrize(("rank", "leads"), [(None, True), ("0", True), ("1", False)])
def test_the_process_of_rank_0_leads_as_does_the_only_one(
    monkeypatch: pytest.MonkeyPatch, rank: str | None, leads: bool
) -> None:
    monkeypatch.delenv("RANK", raising=False)
    if rank is not None:
        monkeypatch.setenv("RANK", rank)

    assert process_leads() is leads


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float32])
def test_autocast_computes_in_the_precision_asked_for(precision: torch.dtype) -> None:
    ones = torch.ones(2, 2)
    with ProcessGroup(0, 1, torch.device("cpu")).autocast(precision):
        product = ones @ ones

    assert product.dtype == precision
