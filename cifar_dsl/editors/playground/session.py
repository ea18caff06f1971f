"""The page's other half in the browser: answers its requests, and runs the language server on its messages."""

import gc
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cifar_dsl.compiler.lints import Inspection
from cifar_dsl.editors.playground.page import Page
from cifar_dsl.foundation.garbage_collection import without_collections
from cifar_dsl.foundation.records import define, field
from cifar_dsl.foundation.resources import shipped_specs

FIRST, SECOND = "a.arch", "b.arch"  # the names of the page's specs, so that the second can extend the first


@define
class Session:
    """One page. Its specs lie in one folder with the shipped ones, so that each can extend any other by its file."""

    page: Page
    _documents: Any = field(default=None, init=False)  # of the language server, which isn't imported before it starts

    @classmethod
    def start(cls, folder: str) -> "Session":
        """A session in a new folder."""
        place = Path(folder)
        place.mkdir(parents=True)
        for path in shipped_specs().values():
            shutil.copyfile(path, place / path.name)
        session = cls(Page(place))
        session.page.checked = session._checked
        gc.freeze()  # imported modules are never garbage; scanning them would delay pictures
        return session

    def put(self, name: str, text: str) -> None:
        """Store the text of `FIRST` or `SECOND`."""
        self.page.put(self.page.folder / name, text)

    def close(self, name: str) -> None:
        """Forget a spec."""
        self.page.close(self.page.folder / name)

    @without_collections()
    def part(self, part: str, name: str) -> str:
        """A part of what the page shows of a spec, as JSON."""
        return json.dumps(self.page.part(part, self.page.folder / name))

    def start_server(self, post: Callable[[str], object]) -> Callable[[str], None]:
        """Start a language server: `post` gets its messages, and the function that is returned takes the page's."""
        from cifar_dsl.editors.language_server.server import make_server

        class Writer:
            def write(self, data: bytes) -> None:
                post(data.decode())

            def close(self) -> None:
                pass

        server = make_server()
        protocol = server.protocol
        protocol.set_writer(Writer(), include_headers=False)
        self._documents = server.documents
        gc.freeze()

        def handle(message: str) -> None:
            protocol.handle_message(json.loads(message, object_hook=protocol.structure_message))

        return handle

    def _checked(self, path: Path, text: str) -> Inspection | None:
        """The inspection of the language server, so that no text is checked twice."""
        documents = self._documents
        if documents is None or documents.open.get(path) != text:
            return None
        found: Inspection = documents.inspection(path)
        return found
