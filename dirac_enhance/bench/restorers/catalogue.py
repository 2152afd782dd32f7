"""The restorers that a benchmark can name, present or absent."""

from __future__ import annotations

from pathlib import Path

from dirac_enhance import BenchmarkError
from dirac_enhance.bench.restorers.checkout import ar_cnn, dncnn3, fbcnn
from dirac_enhance.bench.restorers.command import jpeg2png, jpeg_quantsmooth, own_command, qgac
from dirac_enhance.bench.restorers.ddrm import DdrmRestorer
from dirac_enhance.bench.restorers.restorer import AnyRestorer, PeerSettings, peer_settings_from_environment
from dirac_enhance.bench.restorers.spandrel_network import SpandrelRestorer

_SAMPLES_OF_DDRM_A = 8
_SPANDREL, _COMMAND = "spandrel:", "command:"


def restorers(settings: PeerSettings | None = None) -> tuple[AnyRestorer, ...]:
    """Return every restorer with a name of its own, by that name; ask each whether it is `available()`.

    Args:
        settings: where peers are; None reads the environment.

    Raises:
        BenchmarkError: if a command line in the settings cannot be read.
    """
    settings = settings or peer_settings_from_environment()
    found: tuple[AnyRestorer, ...] = (
        ar_cnn(settings),
        DdrmRestorer(settings),
        DdrmRestorer(settings, averaged_samples=_SAMPLES_OF_DDRM_A),
        dncnn3(settings),
        fbcnn(settings),
        jpeg2png(settings),
        jpeg_quantsmooth(settings),
        jpeg_quantsmooth(settings, quality=6),
        qgac(settings),
    )
    return tuple(sorted(found, key=lambda restorer: restorer.id))


def find_restorer(name: str, settings: PeerSettings | None = None) -> AnyRestorer:
    """Return the restorer named after `--peer`: an id, `spandrel:FILE`, or `command:PROGRAM {input} {output}`.

    It may be absent; that is for `available` and `restore` to say.

    Raises:
        BenchmarkError: if no restorer has that name, or its command line cannot be read.
    """
    settings = settings or peer_settings_from_environment()
    if name.startswith(_SPANDREL) and name != _SPANDREL:
        return SpandrelRestorer(Path(name.removeprefix(_SPANDREL)).expanduser(), settings.device)
    if name.startswith(_COMMAND):
        return own_command(name.removeprefix(_COMMAND), settings)
    known = {restorer.id: restorer for restorer in restorers(settings)}
    if name not in known:
        names = ", ".join([*known, "spandrel:FILE", "'command:PROGRAM {input} {output}'"])
        raise BenchmarkError(f"unknown peer '{name}'; expected one of {names}")
    return known[name]
