"""The codec keeps the contract of dirac-enhance."""

from io import BytesIO

from PIL import Image

from dirac_enhance.testing import assert_codec_contract
from example_webp import WebpCodec


def test_the_codec_keeps_the_contract() -> None:
    sample = BytesIO()
    Image.linear_gradient("L").resize((24, 16)).convert("RGB").save(sample, "WEBP", quality=30)
    assert_codec_contract(WebpCodec(), sample.getvalue())
