from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from dirac_enhance.device import resolve_device, resolve_precision
from dirac_enhance.errors import DeviceError

CPU = torch.device("cpu")


def see_gpu(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)


@pytest.mark.parametrize(("there", "auto"), [(True, "cuda"), (False, "cpu")])
def test_auto_prefers_a_gpu_and_cpu_is_always_the_cpu(monkeypatch: pytest.MonkeyPatch, there: bool, auto: str) -> None:
    see_gpu(monkeypatch, there=there)
    assert resolve_device("auto").type == auto
    assert resolve_device("cpu") == CPU


def test_a_missing_gpu_is_an_error_that_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    see_gpu(monkeypatch, there=False)
    message = "cuda asked for, but this PyTorch sees no GPU; use --device cpu"
    with pytest.raises(DeviceError, match=re.escape(message)):
        resolve_device("cuda")
    with pytest.raises(DeviceError, match=r"use --codec-option device=cpu$"):
        resolve_device("cuda", otherwise="--codec-option device=cpu")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx2": True}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_auto_precision_is_bfloat16_only_where_the_processor_has_it(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert resolve_precision("auto", CPU) == expected


def test_an_older_pytorch_that_cannot_tell_gets_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert resolve_precision("auto", CPU) == torch.float32


def test_a_precision_asked_for_is_given() -> None:
    assert resolve_precision("float32", CPU) == torch.float32
    assert resolve_precision("bfloat16", CPU) == torch.bfloat16


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    unknown: Any = "tpu"
    with pytest.raises(DeviceError, match="device 'tpu' given; expected one of auto, cpu, cuda"):
        resolve_device(unknown)
    with pytest.raises(DeviceError, match="precision 'tpu' given; expected one of auto, float32, bfloat16"):
        resolve_precision(unknown, CPU)
