"""What of a request can be measured: JPEG in gray, peers that run, rates at which all originals have streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.restorers.restorer import AnyRestorer, SimulatingRestorer, name_of
from dirac_enhance.bench.results import LeftOut

if TYPE_CHECKING:
    from dirac_enhance import Codec
    from dirac_enhance.bench.coded_pictures import StoredStreams


def gray_codec(codec: Codec) -> Codec:
    """Return JPEG that codes one component.

    Raises:
        BenchmarkError: if the codec is another one.
    """
    if codec.id != "jpeg":
        raise BenchmarkError(f"the gray tables are those of JPEG, not of codec '{codec.id}'; leave out --gray")
    return codec.with_options(gray=True)


def check_peers(
    peers: Sequence[AnyRestorer], *, codec: Codec, gray: bool = False
) -> tuple[tuple[AnyRestorer, ...], list[LeftOut]]:
    """Sort out the peers that cannot run: absent ones, with what to get, those for other bitstreams, or for colour."""
    present: list[AnyRestorer] = []
    left_out: list[LeftOut] = []
    for peer in peers:
        absence = peer.available()
        if absence is not None:
            left_out.append(LeftOut(name_of(peer), f"absent: {absence}"))
        elif codec.id != "jpeg":
            left_out.append(LeftOut(name_of(peer), f"it restores JPEG, not pictures of codec '{codec.id}'"))
        elif gray and (reason := _colour_only(peer)):
            left_out.append(LeftOut(name_of(peer), f"not in gray: {reason}"))
        else:
            present.append(peer)
    return tuple(present), left_out


def choose_streams(
    streams: StoredStreams, pictures: Sequence[str]
) -> tuple[StoredStreams, tuple[float, ...], list[LeftOut]]:
    """Choose the streams of the originals, and the rate factors at which every original has one.

    Args:
        streams: of these pictures, and perhaps of others.
        pictures: names of the originals.

    Returns:
        The streams, the rate factors, and what is left out of those there are.

    Raises:
        BenchmarkError: if there is no such rate factor.
    """
    chosen = streams.of(pictures)
    rates, left_out = [], []
    for rate in chosen.rate_factors:
        number = sum(rate in chosen.rates(picture) for picture in pictures)
        if number == len(pictures):
            rates.append(rate)
        else:
            hint = "name it alone with --rates, or fewer pictures with --limit"
            left_out.append(LeftOut(f"rate {rate:g}", f"{number} of {len(pictures)} originals have a stream; {hint}"))
    if not rates:
        raise BenchmarkError(
            f"there is no rate at which all {len(pictures)} originals have streams; name one by --rates"
        )
    return chosen, tuple(rates), left_out


def _colour_only(peer: AnyRestorer) -> str:
    return "it codes colour pictures itself" if isinstance(peer, SimulatingRestorer) else peer.colour_only
