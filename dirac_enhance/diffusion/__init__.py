"""Residual diffusion as pure functions on tensors: schedule, process, noise, sampling, objective."""
