"""TrainingState: what changes during a training, whatever it trains, and what a checkpoint brings back."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from dirac_enhance.errors import TrainingError
from dirac_enhance.training.checkpoint import Checkpoint
from dirac_enhance.training.optimizer import OptimizerPair
from dirac_enhance.training.settings import TrainingSettings

Network = TypeVar("Network", bound=nn.Module)


@dataclass(slots=True, eq=False)
class TrainingState(Generic[Network]):
    """What changes during a training.

    Args:
        network: what is trained.
        averaged: the exponential moving average of its parameters, which is what is validated and exported.
        optimizer: of the network's parameters.
        iteration: how many there have been, over all resumptions.
        seconds: of training, before this run.
        history: one row a validation.
    """

    network: Network
    averaged: Network
    optimizer: OptimizerPair
    iteration: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def begin(cls, network: Network, optimizer: OptimizerPair) -> TrainingState[Network]:
        """Return the state before the first iteration, in which the average is the network itself."""
        return cls(network, copy.deepcopy(network).requires_grad_(requires_grad=False).eval(), optimizer)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take over what a checkpoint of the same network kept.

        Raises:
            TrainingError: if it is of other optimisers, or of these with other parameters.
        """
        self.network.load_state_dict(checkpoint.weights)
        self.averaged.load_state_dict(checkpoint.averaged)
        try:
            self.optimizer.load_state_dict(checkpoint.optimizer)
        except (KeyError, ValueError) as cause:
            raise TrainingError(
                "the checkpoint is of other optimisers or an earlier version; export it and pass the weights as "
                "--from-weights"
            ) from cause
        self.iteration, self.seconds = checkpoint.iteration, checkpoint.seconds
        self.history.extend(checkpoint.history)

    def descend(self, loss: Tensor, settings: TrainingSettings, *, clipped: Iterable[Tensor] | None = None) -> None:
        """Move the weights once, down the gradient of `loss`, and their average after them.

        Args:
            loss: of one batch, ().
            settings: largest norm of the gradient, and decay of the average.
            clipped: the parameters whose gradient counts in that norm and is limited; None for all.
        """
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters() if clipped is None else clipped, settings.gradient_clip)
        self.optimizer.step()
        self._average(decay=settings.ema_decay_at(self.iteration))

    def validate(self, measure: Callable[[Network], Mapping[str, Any]]) -> dict[str, Any]:
        """Measure the averaged network; returns the row that this adds to the history."""
        row = {"iteration": self.iteration, **measure(self.averaged)}
        self.history.append(row)
        return row

    @torch.no_grad()
    def _average(self, *, decay: float) -> None:
        torch._foreach_lerp_(list(self.averaged.parameters()), list(self.network.parameters()), 1 - decay)
