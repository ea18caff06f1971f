"""The documentation site: `python -m website` builds it from docs/, specs/ and what the code declares.

The modules of `pages` make Markdown pages; `computed` gives them what is slow to compute, once for each state of the
code. `links` points their links at pages of the site and refuses those that lead nowhere. `build` lets Zensical make
HTML of them; only that step needs the extra `docs`.
"""
