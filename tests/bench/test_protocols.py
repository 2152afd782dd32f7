"""Which figures may stand in one table."""

from __future__ import annotations

import pytest

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.protocols import PROTOCOLS, also_meets, find_protocol


def test_simulated_jpeg_meets_no_other_protocol_and_none_meets_it() -> None:
    assert also_meets("ddrm-jpeg") == {}
    assert not [each for each in PROTOCOLS if "ddrm-jpeg" in also_meets(each)]


def test_what_meets_another_protocol_is_coded_from_rgb() -> None:
    meeting = {each: set(also_meets(each)) for each in PROTOCOLS if also_meets(each)}

    assert meeting == {"jpeg-colour": {"codec", "jpeg-colour-perceptual"}}


def test_an_unknown_protocol_lists_the_known_ones() -> None:
    with pytest.raises(BenchmarkError, match="unknown protocol 'jpg'; expected one of jpeg-gray, "):
        find_protocol("jpg")


def test_each_says_how_it_measures_and_where_that_is_written() -> None:
    for protocol_id, protocol in PROTOCOLS.items():
        assert protocol.id == protocol_id
        assert all((protocol.coding, protocol.measuring, protocol.source))


def test_the_rounding_of_what_ddrm_s_program_leaves_is_stated() -> None:
    assert "from its PNG, rounded to 8 bits" in PROTOCOLS["ddrm-jpeg"].measuring
