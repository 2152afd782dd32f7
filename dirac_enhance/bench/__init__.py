"""Comparisons with other restorers: the harness that measures, peers' adapters, sets of pictures, published figures.

The parts, each on its own: `harness` measures methods over a set of `originals` with a `meter` into `results`;
`results_table` sorts them into what may be compared, which it prints, `plots` draws and `report` shows, under the names
of `series`; `restorers` runs a peer on a JPEG, `presets` says which pictures a paper measured and how it prepared them,
`protocols` how it measured, `published` what it printed, `simulated_jpeg` is the base of DDRM.
"""
