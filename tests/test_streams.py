"""Standard input and output in the place of files."""

from __future__ import annotations

import io
import sys

import pytest
import torch
from PIL import Image
from torch import Tensor

from dirac_enhance import ImageMetadata, InvalidImageError
from dirac_enhance.image import check_output, write_image
from dirac_enhance.streams import STANDARD_STREAM, read_source


def _pixels() -> Tensor:
    return torch.zeros(3, 4, 5)


class _Stream(io.TextIOWrapper):
    """Standard output in memory, a terminal or not."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__(io.BytesIO())
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def test_standard_output_gets_a_png(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = _Stream()
    monkeypatch.setattr(sys, "stdout", stream)

    write_image(STANDARD_STREAM, _pixels(), metadata=ImageMetadata())

    assert Image.open(stream.buffer).format == "PNG"  # type: ignore[arg-type] # a file in memory


def test_terminal_is_no_place_for_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", _Stream(terminal=True))

    with pytest.raises(InvalidImageError, match="standard output is a terminal or closed; redirect it"):
        check_output(STANDARD_STREAM)


def test_reader_of_standard_output_that_went_away_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(sys, "stdout", _Stream())
    monkeypatch.setattr("dirac_enhance.image.write_standard_output", fail)

    with pytest.raises(InvalidImageError, match="cannot write to standard output: Broken pipe"):
        write_image(STANDARD_STREAM, _pixels(), metadata=ImageMetadata())


@pytest.mark.parametrize("closed", ["stdin", "stdout"])
def test_closed_streams_are_refused(monkeypatch: pytest.MonkeyPatch, closed: str) -> None:
    monkeypatch.setattr(sys, closed, None)  # as Python has it after `<&-` or `>&-`

    with pytest.raises(InvalidImageError, match="is a terminal or closed"):
        read_source(STANDARD_STREAM) if closed == "stdin" else check_output(STANDARD_STREAM)
