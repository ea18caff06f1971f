"""The playground: the compiler and the language server in a web page. `playground/` at the top has the page's sources.

- `page`: text -> everything that the page shows of it
- `session`: the page's other half in the browser: specs, the page's requests, the language server
- `catalogue`: what the page needs before Python runs: examples, codes, colours
- `links`: specs in the hash of an address
- `bundle`: this package and its dependencies as one archive for the browser
- `server`: serves the built page on this computer

`catalogue` and `bundle` run when the page is built, `page` and `session` in the browser, where there is neither torch
nor a thread.
"""
