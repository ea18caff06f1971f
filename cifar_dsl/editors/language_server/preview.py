"""The network of a spec beside its text: picture and table, for editors that have a place for them.

`cifar-dsl/preview` is no request of the protocol. It takes the `textDocument`; its result has `name`, `fingerprint`,
`summary`, `svg` and `table`, and `stages`, which say what to mark for a line (`editors/parts.py`). While the text has
errors, `isStale` is true, and the other values are those of its last valid version. `problem` says why there is no
picture, or no network at all.
"""

from pathlib import Path
from typing import Any

from cifar_dsl.compiler import Analysis
from cifar_dsl.editors import parts
from cifar_dsl.editors.language_server.documents import Documents
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.language.diagnostics.render import visible

PREVIEW = "cifar-dsl/preview"


def preview(documents: Documents, path: Path) -> dict[str, Any]:
    """The result of `cifar-dsl/preview` for a document."""
    found = documents.inspection(path).found
    is_library = found is not None and not isinstance(found, Analysis)
    analysis = None if is_library else documents.analysis(path)
    if analysis is None:
        problem = "A library defines blocks and has no network." if is_library else "This spec has errors."
        return {"isStale": not is_library, "problem": problem}
    shown = {
        "isStale": found is None,
        **parts.heading(analysis),
        "table": parts.layers(analysis, path),
        "stages": parts.stages(analysis, path),
    }
    try:
        return shown | parts.picture(analysis)
    except UserError as error:
        return shown | {"problem": "\n".join(map(visible, [error.message, *error.help]))}
