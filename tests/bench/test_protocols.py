"""Which figures may stand in one table."""

from __future__ import annotations

import pytest

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.protocols import PROTOCOLS, find_protocol, one_protocol


def test_figures_of_one_protocol_share_a_table() -> None:
    assert one_protocol(["jpeg-colour"] * 3) is PROTOCOLS["jpeg-colour"]


def test_simulated_and_real_jpeg_never_share_a_table() -> None:
    real = [protocol.id for protocol in PROTOCOLS.values() if protocol.base == "libjpeg"]
    assert len(real) >= 4

    for protocol_id in real:
        with pytest.raises(BenchmarkError) as raised:
            one_protocol([protocol_id, "ddrm-jpeg"])
        assert f"'{protocol_id}' (libjpeg: " in str(raised.value)
        assert "'ddrm-jpeg' (simulated-jpeg: " in str(raised.value)
        assert str(raised.value).endswith("cannot be compared; make a table for each")
        assert "\n" not in str(raised.value)


def test_gray_and_colour_do_not_share_a_table_either() -> None:
    with pytest.raises(BenchmarkError, match="cannot be compared"):
        one_protocol(["jpeg-gray", "jpeg-colour"])


def test_an_unknown_protocol_lists_the_known_ones() -> None:
    with pytest.raises(BenchmarkError, match="unknown protocol 'jpg'; expected one of jpeg-gray, "):
        find_protocol("jpg")
    with pytest.raises(BenchmarkError, match="without figures"):
        one_protocol([])


def test_each_says_how_it_measures_and_where_that_is_written() -> None:
    for protocol_id, protocol in PROTOCOLS.items():
        assert protocol.id == protocol_id
        assert all((protocol.coding, protocol.measuring, protocol.source))
