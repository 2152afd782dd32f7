"""Comparisons with other restorers: their adapters, sets of pictures, protocols and published figures.

The parts, each on its own: `restorers` runs a peer on a JPEG, `presets` says which pictures a paper measured and how
it prepared them, `protocols` how it measured, `published` what it printed, `simulated_jpeg` is the base of DDRM.
"""
