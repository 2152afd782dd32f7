"""The report: bench results as one self-contained page, with tables, curves and pictures to compare.

results files ──read_results──► Results ──tables_of──► ResultsTable (one set, one protocol) ──┐
originals ──make_scenes──► Scene (one crop in several versions) ──────────────────────────────┴─render_page──► HTML
"""
