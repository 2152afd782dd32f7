"""Enhancer weights, their manifest, cards and licence: data only."""
