"""The reference software itself, where the environment of the tests names it: DIRAC_VTM_BUILD_DIR, DIRAC_VTM_CONFIG."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch

from dirac_enhance_vtm import VtmCodec

if TYPE_CHECKING:
    from .conftest import Stream

Find = Callable[[str], "Stream"]


@pytest.mark.parametrize("mode", ["rounded", "compressai"])
def test_a_picture_is_encoded_and_decoded(mode: str, real_vtm: VtmCodec, stream: Find) -> None:
    codec = real_vtm.with_options(mode=mode)
    original = VtmCodec().decode(stream("intra444_8bit_64x64_qp32").data).pixels

    coded = codec.encode(original, rate_factor=32)
    base = codec.decode(coded)

    assert codec.detect(coded)
    assert base.rate_factor == 32
    assert base.pixels.shape == original.shape
    assert 10 * torch.log10(1 / (base.pixels - original).square().mean()) > 30
    assert torch.equal(codec.with_options(decoder="pyav").decode(coded).pixels, base.pixels)


def test_the_listing_names_version_and_programs(real_vtm: VtmCodec) -> None:
    decoder, encoder = real_vtm.status()
    assert decoder.startswith("decoder: VTM ")
    assert encoder.startswith("encoder: VTM ")
