"""What `decode` promises: valid pictures from whole files, the same ones each time, and one kind of error."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from dirac_enhance.codec import BaseReconstruction, Codec, EncodingCodec
from dirac_enhance.contract import find_fault
from dirac_enhance.errors import InvalidBitstreamError
from dirac_enhance.testing.foreign import files_foreign_to
from dirac_enhance.testing.outcomes import WHATEVER, describe, fail, refuse, succeed
from dirac_enhance.window import Window

if TYPE_CHECKING:
    from torch import Tensor

_TRUNCATIONS = 16
_BIT_FLIPS = 32
_WINDOW_SIDE = 24


def check_decoding(codec: Codec, sample: bytes) -> None:
    """Check what a sample decodes to, and that it does so again."""
    base = decode(codec, sample, of="the sample")
    _check_alike("decode of the sample, again", base, decode(codec, sample, of="the sample"))
    same = codec.with_options()
    _check_alike("decode of the sample by with_options()", base, decode(same, sample, of="the sample"))
    _check_consistency(base)


def check_refused_files(codec: Codec, sample: bytes) -> None:
    """Check that truncated and foreign files raise `InvalidBitstreamError`."""
    total = len(sample)
    for length in sorted({1, total - 1, *(total * part // _TRUNCATIONS for part in range(_TRUNCATIONS))}):
        what = f"decode of the sample cut to {length} of its {total} bytes"
        refuse(what, InvalidBitstreamError, codec.decode, sample[:length])
    for file in files_foreign_to(sample):
        refuse(f"decode of a foreign file ({file.name})", InvalidBitstreamError, codec.decode, file.header)


def check_damaged_files(codec: Codec, sample: bytes) -> None:
    """Check that a flipped bit gives a valid picture or `InvalidBitstreamError`."""
    dice = random.Random(0)  # noqa: S311 - the same damage each time
    for _ in range(_BIT_FLIPS):
        place, bit = dice.randrange(len(sample)), dice.randrange(8)
        damaged = sample[:place] + bytes([sample[place] ^ 1 << bit]) + sample[place + 1 :]
        of = f"the sample with bit {bit} of byte {place} flipped"
        try:
            base = codec.decode(damaged)
        except InvalidBitstreamError:
            continue
        except WHATEVER as exception:
            fail(f"decode of {of}", "a picture or InvalidBitstreamError", describe(exception), cause=exception)
        _check_base(codec, base, damaged, of=of)


def decode(codec: Codec, data: bytes, *, of: str) -> BaseReconstruction:
    """Return what `data` decodes to, which is valid."""
    base = succeed(f"decode of {of}", codec.decode, data)
    _check_base(codec, base, data, of=of)
    return base


def _check_base(codec: Codec, base: BaseReconstruction, data: bytes, *, of: str) -> None:
    fault = find_fault(base)
    if fault:
        raise AssertionError(f"decode of {of}: {fault}")
    if base.coded_bytes != len(data):
        fail(f"decode of {of}", f"coded_bytes {len(data)}, the length of the file", repr(base.coded_bytes))
    if isinstance(codec, EncodingCodec) and base.rate_factor is not None:
        succeed(f"the rate factor that decode of {of} reports", codec.rate_range.check, base.rate_factor)


def _check_alike(what: str, one: BaseReconstruction, other: BaseReconstruction) -> None:
    alike = {
        "pixels": equal(one.pixels, other.pixels),
        "alpha": equal(one.alpha, other.alpha),
        "rate factor": one.rate_factor == other.rate_factor,
        "metadata": one.metadata == other.metadata,
    }
    for name, same in alike.items():
        if not same:
            fail(what, f"the same {name}", "others")


def equal(one: Tensor | None, other: Tensor | None) -> bool:
    """Whether two tensors are equal, or both None."""
    import torch

    return one is other if one is None or other is None else torch.equal(one, other)


def _check_consistency(base: BaseReconstruction) -> None:
    if base.consistency is None:
        return
    window = Window(0, 0, min(base.height, _WINDOW_SIDE), min(base.width, _WINDOW_SIDE))
    content = base.pixels[:, : window.height, : window.width].clone()
    projected = succeed("consistency.project", base.consistency.project, content, window)
    shape, came = tuple(content.shape), tuple(projected.shape)
    if came != shape or not bool(((projected >= 0) & (projected <= 1)).all()):
        fail("consistency.project", f"pixels of shape {shape} in [0, 1]", f"others, of shape {came}")
