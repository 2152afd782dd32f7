"""Peak memory of a stretch of work: of the GPU where it ran there, else of this process."""

from __future__ import annotations

from pathlib import Path

_MIB = 2**20
_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class PeakMemory:
    """Measures from its creation on; None where the system does not tell.

    Args:
        device: "cuda" or "cpu".
    """

    def __init__(self, device: str) -> None:
        self._cuda = device == "cuda"
        self._known = True
        if self._cuda:
            import torch

            torch.cuda.reset_peak_memory_stats()
            return
        try:
            _RESET.write_text("5", encoding="ascii")  # Linux: the peak begins anew at what is in use
        except OSError:
            self._known = False

    def mib(self) -> float | None:
        """Return the peak so far in MiB: memory allocated on the GPU, or resident in this process."""
        if not self._known:
            return None
        if self._cuda:
            import torch

            return torch.cuda.max_memory_allocated() / _MIB
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        peak = next((line for line in lines if line.startswith("VmHWM:")), None)
        return None if peak is None else int(peak.split()[1]) / 1024
