"""VtmCodec among the codecs: options, the host, and what `dirac-enhance codecs` says of VTM and PyAV."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import av
import pluggy
import pytest
from click.testing import CliRunner

import dirac_enhance
import dirac_enhance_vtm
from dirac_enhance import CodecHost, CodecOptionError, RegisteredCodec, ReportingCodec, load_host
from dirac_enhance.cli.group import build_group
from dirac_enhance_jpeg import JpegCodec
from dirac_enhance_vtm import VtmCodec

if TYPE_CHECKING:
    from .conftest import Fake, Stream

Find = Callable[[str], "Stream"]
VERSION = "print(); print('VVCSoftware: VTM {kind} Version 17.0 [Linux][GCC 12.2.0][64 bit]'); print('Usage: …')"


def host_of(codec: VtmCodec) -> CodecHost:
    registered = {
        "jpeg": RegisteredCodec(JpegCodec(), None, "dirac-enhance", "1.0"),
        "vtm": RegisteredCodec(codec, None, "dirac-enhance", "1.0"),
    }
    return CodecHost(
        codecs=MappingProxyType(registered),
        failures=MappingProxyType({}),
        _manager=pluggy.PluginManager("dirac_enhance"),
        _entry_points=MappingProxyType({}),
    )


def listing(codec: VtmCodec) -> str:
    result = CliRunner().invoke(build_group(host_of(codec)), ["codecs"])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_without_vtm_the_listing_says_what_decodes_and_how_to_get_an_encoder() -> None:
    lines = listing(VtmCodec()).splitlines()

    assert "  suffixes  .vvc .266 .h266 .bin" in lines
    assert "  coding    decodes; encodes at whole rate factors 0 to 63, lower is better" in lines
    assert f"  status    decoder: PyAV {av.__version__}" in lines
    assert (
        "  status    encoder: none: VTM, the VVC reference software, is not configured; build it from"
        " https://vcgit.hhi.fraunhofer.de/jvet/VVCSoftware_VTM and name the folder with its programs in codec option"
        " build-dir or in DIRAC_VTM_BUILD_DIR" in lines
    )


@pytest.mark.parametrize("exit_code", [0, 1], ids=["helpful", "as VTM 17 exits"])
def test_with_vtm_the_listing_says_where_it_is_and_which_version_answered(
    exit_code: int, build_dir: Path, fake: Fake
) -> None:
    for kind in ("Encoder", "Decoder"):
        fake(f"{kind}AppStatic", VERSION.format(kind=kind) + f"; sys.exit({exit_code})")

    lines = listing(VtmCodec(build_dir=str(build_dir))).splitlines()

    assert f"  status    decoder: VTM 17.0, {build_dir / 'DecoderAppStatic'}" in lines
    config = build_dir.parent / "cfg" / "encoder_intra_vtm.cfg"
    assert f"  status    encoder: VTM 17.0, {build_dir / 'EncoderAppStatic'}, {config}" in lines


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ("print('hello')", "encoder: VTM of unknown version, "),
        ("sys.exit(127)", "encoder: none: EncoderAppStatic failed with exit code 127"),
        (None, "encoder: none: there is no EncoderAppStatic in "),
    ],
    ids=["another program", "broken", "missing"],
)
def test_the_listing_says_what_is_wrong_with_a_program(
    body: str | None, line: str, build_dir: Path, fake: Fake
) -> None:
    if body is not None:
        fake("EncoderAppStatic", body)

    assert f"  status    {line}" in listing(VtmCodec(build_dir=str(build_dir)))


def test_a_codec_without_a_status_has_none_in_the_listing_and_one_that_raises_hides_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(VtmCodec, "status", lambda _: 1 / 0)

    printed = listing(VtmCodec())

    assert not isinstance(JpegCodec(), ReportingCodec)
    assert isinstance(VtmCodec(), ReportingCodec)
    assert printed.count("  status    ") == 1
    assert "  status    not known: ZeroDivisionError: division by zero\n" in printed


def test_options_are_checked_alone_and_together() -> None:
    codec = VtmCodec()

    assert codec.with_options(input_depth=10, matrix="bt601", range="limited").input_depth == 10
    with pytest.raises(CodecOptionError, match="'input-depth' is one of 8, 10, not '9'"):
        codec.with_options(input_depth=9)
    with pytest.raises(CodecOptionError, match="'timeout' is 0; expected seconds, more than 0"):
        codec.with_options(timeout=0)
    with pytest.raises(CodecOptionError, match=r"mode=compressai goes with input-depth=8.*, not with 10"):
        codec.with_options(mode="compressai", input_depth=10)
    with pytest.raises(CodecOptionError, match="unknown codec option 'colour'"):
        codec.with_options(colour="bt709")


def test_a_vvc_file_is_recognised_whatever_its_suffix(stream: Find) -> None:
    host = host_of(VtmCodec())

    assert host.codec_for(stream("intra420").data, ".jpg").codec.id == "vtm"


def test_the_plugin_registers_one_codec() -> None:
    registered = []
    dirac_enhance_vtm.register_codecs(lambda codec, *, weights=None: registered.append((codec.id, weights)))

    assert [codec_id for codec_id, _ in registered] == ["vtm"]


def test_the_host_finds_it_by_its_entry_point() -> None:
    if "vtm" not in entry_points(group="dirac_enhance").names:
        pytest.skip("this installation is older than the plugin; `pip install --editable .` again")

    assert load_host().codec("vtm").distribution == "dirac-enhance"
    assert not load_host().failures


def test_nothing_in_the_toolkit_itself_knows_of_vvc() -> None:
    package = Path(dirac_enhance.__file__).parent

    knowing = re.compile(r"\b(vvc|vtm|h\.?266|pyav|import av)\b", re.IGNORECASE)
    assert not [path for path in package.rglob("*.py") if knowing.search(path.read_text(encoding="utf-8"))]


def test_it_keeps_the_contract_of_codecs(stream: Find) -> None:
    testing = pytest.importorskip("dirac_enhance.testing", reason="assert_codec_contract is not there yet")

    testing.assert_codec_contract(DecodingOnly(VtmCodec()), stream("intra444_8bit_7x5").data)


class DecodingOnly:
    """A codec without its encoder, which needs VTM."""

    def __init__(self, codec: VtmCodec) -> None:
        self._codec = codec
        self.id, self.file_suffixes, self.options = codec.id, codec.file_suffixes, codec.options
        self.detect, self.decode = codec.detect, codec.decode

    def with_options(self, **values: str | float | bool) -> DecodingOnly:
        return DecodingOnly(self._codec.with_options(**values))
