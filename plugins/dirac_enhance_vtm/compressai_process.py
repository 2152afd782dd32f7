"""A process of its own for CompressAI's VTM class: encodes and decodes an image, and keeps the bitstream.

    python compressai_process.py IMAGE BUILD_DIR CONFIG QP BITSTREAM

The class deletes what it encoded and ends the process when a program fails, so nothing else should be in the process.
"""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from collections.abc import Sequence


def main(image: str, build_dir: str, config: str, qp: str, bitstream: str) -> None:
    """Encode `image` to `bitstream`; the exit code is 1 when a program fails, after what it printed."""
    from compressai.utils.bench import codecs

    run_command = codecs.run_command

    def run_and_keep(command: Sequence[object]) -> object:
        answer = run_command(command)
        if "-q" in command:  # the encoder's
            shutil.copyfile(str(command[command.index("-b") + 1]), bitstream)
        return answer

    codecs.run_command = run_and_keep
    codec = codecs.VTM(Namespace(build_dir=build_dir, config=config, rgb=False))
    codec.run(image, int(qp), metrics=[])


if __name__ == "__main__":
    main(*sys.argv[1:])
