"""Which device a network runs on, and in which precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

import torch

from dirac_enhance.errors import DeviceError

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def resolve_device(device: str = "auto", *, otherwise: str = "--device cpu") -> torch.device:
    """Return the device asked for; "auto" is a CUDA GPU where PyTorch sees one, else the CPU.

    Args:
        device: a `Device`.
        otherwise: what the error tells the user to type where there is no GPU.

    Raises:
        DeviceError: if it is no such name, or CUDA is asked for and not there.
    """
    if device not in get_args(Device):
        raise DeviceError(f"device '{device}' given; expected one of {', '.join(get_args(Device))}")
    if device == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if device == "cuda":
        raise DeviceError(f"cuda asked for, but this PyTorch sees no GPU; use {otherwise}")
    return torch.device("cpu")


def resolve_precision(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the precision asked for; "auto" is bfloat16 where `device` multiplies it natively, else float32.

    Raises:
        DeviceError: if it is no such name.
    """
    if precision not in get_args(Precision):
        raise DeviceError(f"precision '{precision}' given; expected one of {', '.join(get_args(Precision))}")
    if precision == "auto":
        return torch.bfloat16 if _has_bfloat16(device) else torch.float32
    return _DTYPES[precision]


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # An older PyTorch cannot say: then float32, which is never slow by emulation.
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@contextmanager
def reproducible_convolutions() -> Iterator[None]:
    """Have CUDA's convolutions give the same bits every time, without TensorFloat-32.

    That is a setting of the process. Threads that enter it at different times need one around all of them, or the
    first to leave takes it from the others.
    """
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield
