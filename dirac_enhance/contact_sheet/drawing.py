"""The contact sheet as a picture: a column for each version, a row for the whole picture and one for each crop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

import numpy
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from dirac_enhance.window import Window

WIDEST_COLUMN = 384
"""Width of a column where the crops are chosen automatically, in pixels; given crops may be wider."""

_NARROWEST_COLUMN = 168
_TALLEST_WHOLE = 2.0
"""Height of a whole picture at most, in widths of a column."""

_MARGIN, _GAP = 28, 8
_TITLE_SIZE, _LABEL_SIZE, _NOTE_SIZE, _TAG_SIZE = 24, 19, 14, 15
_PAPER, _INK, _FAINT_INK, _FRAME = (24, 24, 24), (240, 240, 240), (160, 160, 160), (255, 214, 10)


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A column of the sheet: (3, H, W) uint8 samples, upright, under a label and a note."""

    label: str
    note: str
    samples: Tensor


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above the columns: the title, facts below it, and what the columns go from and to."""

    title: str
    facts: str
    scale: tuple[str, str] = ("fidelity", "realism")


def column_width(samples: Tensor, *, zoom: int) -> int:
    """Width in pixels of the columns for (3, H, W) pictures whose crops are chosen automatically."""
    return max(_NARROWEST_COLUMN, min(WIDEST_COLUMN, zoom * samples.shape[2]))


def draw_sheet(heading: Heading, versions: Sequence[Version], *, crops: Sequence[Window], zoom: int) -> Tensor:
    """Draw the sheet; the first version stands apart from the others, which go from one end of a scale to the other.

    Args:
        heading: of the sheet.
        versions: at least one, all of one size.
        crops: windows inside the pictures.
        zoom: how often pixels of crops are repeated across and down.

    Returns:
        (3, H, W) float32 in [0, 1].
    """
    column = max([column_width(versions[0].samples, zoom=zoom), *(zoom * crop.width for crop in crops)])
    pictures = [Image.fromarray(version.samples.permute(1, 2, 0).contiguous().numpy()) for version in versions]
    whole = _whole_size(pictures[0], column)
    rows = [whole[1], *(zoom * crop.height for crop in crops)]
    sheet = _Sheet(column, len(versions), height=_header_height() + sum(rows) + len(crops) * _caption_height())
    top = sheet.head(heading, versions)
    wholes = [picture.resize(whole, Image.Resampling.LANCZOS, reducing_gap=3) for picture in pictures]
    _mark_crops(wholes[0], crops, scale=whole[0] / pictures[0].width)
    sheet.row(wholes, top)
    top += whole[1]
    for letter, crop in zip(_letters(len(crops)), crops, strict=True):
        top = sheet.caption(letter, _caption(crop, zoom), top)
        box = (crop.left, crop.top, crop.right, crop.bottom)
        size = (zoom * crop.width, zoom * crop.height)
        sheet.row([picture.crop(box).resize(size, Image.Resampling.NEAREST) for picture in pictures], top)
        top += size[1]
    return torch.from_numpy(numpy.array(sheet.image)).permute(2, 0, 1).float().div_(255)


class _Sheet:
    """The paper: `count` columns of one width; each method draws below `top`."""

    def __init__(self, column: int, count: int, *, height: int) -> None:
        self._column = column
        self._width = 2 * _MARGIN + count * column + (count - 1) * _GAP
        self.image = Image.new("RGB", (self._width, height + _MARGIN), _PAPER)
        self._draw = ImageDraw.Draw(self.image)

    def _left(self, index: int) -> int:
        return _MARGIN + index * (self._column + _GAP)

    def _text(self, place: tuple[float, float], text: str, size: int, *, ink: tuple[int, int, int], room: int) -> None:
        """Write a line whose top left corner is at `place`, shortened to `room` pixels."""
        font = ImageFont.load_default(size)
        if font.getlength(text) > room:
            while text and font.getlength(f"{text}...") > room:
                text = text[:-1]
            text = f"{text}..."
        self._draw.text(place, text, fill=ink, font=font, anchor="la")

    def head(self, heading: Heading, versions: Sequence[Version]) -> int:
        """Write title, scale and labels; return where the first row starts."""
        room = self._width - 2 * _MARGIN
        top = _MARGIN
        self._text((_MARGIN, top), heading.title, _TITLE_SIZE, ink=_INK, room=room)
        top += _TITLE_SIZE + 8
        self._text((_MARGIN, top), heading.facts, _NOTE_SIZE, ink=_FAINT_INK, room=room)
        top += _NOTE_SIZE + 14
        if len(versions) > 2:
            self._scale(heading.scale, top, left=self._left(1), right=self._width - _MARGIN)
        top += _NOTE_SIZE + 10
        for index, version in enumerate(versions):
            self._text((self._left(index), top), version.label, _LABEL_SIZE, ink=_INK, room=self._column)
            below = top + _LABEL_SIZE + 5
            self._text((self._left(index), below), version.note, _NOTE_SIZE, ink=_FAINT_INK, room=self._column)
        return _header_height()

    def _scale(self, ends: tuple[str, str], top: int, *, left: int, right: int) -> None:
        """Draw an arrow from one word to another."""
        font = ImageFont.load_default(_NOTE_SIZE)
        middle = top + _NOTE_SIZE / 2
        self._draw.text((left, middle), ends[0], fill=_FAINT_INK, font=font, anchor="lm")
        self._draw.text((right, middle), ends[1], fill=_FAINT_INK, font=font, anchor="rm")
        start, tip = left + font.getlength(ends[0]) + 10, right - font.getlength(ends[1]) - 10
        self._draw.line((start, middle, tip - 6, middle), fill=_FAINT_INK, width=1)
        self._draw.polygon([(tip, middle), (tip - 8, middle - 4), (tip - 8, middle + 4)], fill=_FAINT_INK)

    def row(self, pictures: Sequence[Image.Image], top: int) -> None:
        """Set pictures side by side."""
        for index, picture in enumerate(pictures):
            self.image.paste(picture, (self._left(index), top))

    def caption(self, letter: str, text: str, top: int) -> int:
        """Write the line above a row of crops; return where the row starts."""
        start = top + (_caption_height() - _TAG_SIZE) // 2 - 1
        self._text((_MARGIN, start), letter, _TAG_SIZE, ink=_FRAME, room=self._column)
        left = _MARGIN + ImageFont.load_default(_TAG_SIZE).getlength(f"{letter}  ")
        self._text((left, start + 1), text, _NOTE_SIZE, ink=_FAINT_INK, room=round(self._width - _MARGIN - left))
        return top + _caption_height()


def _header_height() -> int:
    return _MARGIN + _TITLE_SIZE + 8 + _NOTE_SIZE + 14 + _NOTE_SIZE + 10 + _LABEL_SIZE + 5 + _NOTE_SIZE + 12


def _caption_height() -> int:
    return _TAG_SIZE + 20


def _caption(crop: Window, zoom: int) -> str:
    """Name a crop as `--crop` takes it."""
    return f"{crop.left},{crop.top},{crop.width},{crop.height} at {zoom}:1"


def _whole_size(picture: Image.Image, column: int) -> tuple[int, int]:
    """Width and height of a picture made to fit a column, never enlarged."""
    scale = min(1.0, column / picture.width, _TALLEST_WHOLE * column / picture.height)
    return max(1, round(scale * picture.width)), max(1, round(scale * picture.height))


def _mark_crops(whole: Image.Image, crops: Sequence[Window], *, scale: float) -> None:
    """Frame the crops on the whole picture, each with its letter, dark below bright so that any ground shows it."""
    draw, font = ImageDraw.Draw(whole), ImageFont.load_default(_TAG_SIZE)
    for letter, crop in zip(_letters(len(crops)), crops, strict=True):
        left, top = round(scale * crop.left), round(scale * crop.top)
        right, bottom = round(scale * crop.right) - 1, round(scale * crop.bottom) - 1
        right, bottom = max(left, right), max(top, bottom)
        draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=_PAPER)
        draw.rectangle((left, top, right, bottom), outline=_FRAME)
        draw.text((left + 4, top + 2), letter, fill=_FRAME, font=font, stroke_width=2, stroke_fill=_PAPER)


def _letters(count: int) -> str:
    return ascii_uppercase[:count]
