"""ProcessGroup: one of the processes that torchrun starts, or the only one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """Place of this process among `size` of them, and its device."""

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def distribute(self, network: nn.Module) -> nn.Module:
        """Wrap a network so that its gradients are averaged over all processes."""
        if self.size == 1:
            return network
        return DistributedDataParallel(network, device_ids=[self.device] if self.device.type == "cuda" else None)

    def agree(self, verdict: bool) -> bool:  # noqa: FBT001 - the value is what is agreed on
        """Return the leading process's verdict in every process."""
        if self.size == 1:
            return verdict
        flag = torch.tensor([int(verdict)], device=self.device)
        distributed.broadcast(flag, src=0)
        return bool(flag.item())

    def autocast(self, precision: torch.dtype) -> torch.autocast:
        """Have what runs within compute in `precision` where it may; in float32, nothing changes."""
        lower = precision != torch.float32
        return torch.autocast(self.device.type, dtype=precision if lower else None, enabled=lower)


def process_leads() -> bool:
    """Return whether this process, of those torchrun started, writes files and prints; also while it is in no group."""
    return os.environ.get("RANK", "0") == "0"


@contextmanager
def process_group(device: torch.device) -> Iterator[ProcessGroup]:
    """Join the processes torchrun started (NCCL on CUDA, gloo elsewhere), and leave them at the end."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ProcessGroup(0, 1, device)
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield ProcessGroup(distributed.get_rank(), size, device)
    finally:
        distributed.destroy_process_group()
