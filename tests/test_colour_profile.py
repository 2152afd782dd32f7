"""The sRGB profile that replaces those of other colour spaces."""

from __future__ import annotations

from io import BytesIO

import numpy
import pytest
from PIL import Image, ImageCms

from dirac_enhance import srgb_profile
from dirac_enhance.colour_profile import profile_name

CREATED = slice(24, 36)


def test_a_converted_picture_s_profile_is_srgb_s() -> None:
    profile = srgb_profile()
    samples = numpy.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=numpy.uint8)

    converted = ImageCms.profileToProfile(
        Image.fromarray(samples), ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB")
    )

    assert "srgb" in (profile_name(profile) or "").lower()
    assert converted is not None
    assert numpy.abs(numpy.array(converted).astype(int) - samples).max() <= 1


def test_the_profile_is_the_same_on_every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    today = srgb_profile()
    to_bytes = ImageCms.ImageCmsProfile.tobytes

    def on_another_day(profile: ImageCms.ImageCmsProfile) -> bytes:
        content = to_bytes(profile)
        return content[: CREATED.start] + bytes(12) + content[CREATED.stop :]

    monkeypatch.setattr(ImageCms.ImageCmsProfile, "tobytes", on_another_day)
    assert srgb_profile() == today
    assert int.from_bytes(today[CREATED][:2], "big") == 2000
