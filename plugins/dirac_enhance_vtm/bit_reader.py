"""BitReader: the fixed and variable length codes that VVC's headers are written in."""

from __future__ import annotations

_LONGEST_PREFIX = 32


class BitsMissingError(ValueError):
    """A header that ends before all its syntax elements were read."""


class BitReader:
    """Reads the syntax elements of an RBSP, one after the other (H.266, clause 9.2).

    Args:
        rbsp: the bytes, without emulation prevention.
    """

    def __init__(self, rbsp: bytes) -> None:
        self._bits = int.from_bytes(rbsp, "big")
        self._length = 8 * len(rbsp)
        self._position = 0

    def unsigned(self, bits: int) -> int:
        """Read u(n), an unsigned number of so many bits.

        Raises:
            BitsMissingError: if the data ends before.
        """
        self._position += bits
        if self._position > self._length:
            raise BitsMissingError(f"the header ends after {self._length} bits")
        return (self._bits >> (self._length - self._position)) & ((1 << bits) - 1)

    def flag(self) -> bool:
        """Read u(1)."""
        return self.unsigned(1) == 1

    def golomb(self) -> int:
        """Read ue(v), an unsigned Exp-Golomb code.

        Raises:
            BitsMissingError: if it is longer than any code that VVC allows, or than the data.
        """
        zeros = 0
        while not self.flag():
            zeros += 1
            if zeros > _LONGEST_PREFIX:
                raise BitsMissingError(f"a code of more than {_LONGEST_PREFIX} zeros")
        return (1 << zeros) - 1 + self.unsigned(zeros)

    def signed_golomb(self) -> int:
        """Read se(v), a signed Exp-Golomb code."""
        code = self.golomb()
        return (code + 1) // 2 if code % 2 else -(code // 2)

    def skip(self, pattern: str) -> None:
        """Read past syntax elements that are of no interest: 1…9 for u(1)…u(9), g for ue(v), s for se(v)."""
        for kind in pattern:
            if kind == "g":
                self.golomb()
            elif kind == "s":
                self.signed_golomb()
            else:
                self.unsigned(int(kind))

    def align(self) -> None:
        """Go on to the next whole byte."""
        self.unsigned(-self._position % 8)
