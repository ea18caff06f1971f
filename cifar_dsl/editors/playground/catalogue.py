"""What the page needs before Python runs: examples, the titles and reasons of diagnostics, colours."""

from typing import Any

from pygments.token import Comment, Keyword, Name, Number, Operator, String  # type: ignore[import-untyped]

from cifar_dsl.foundation import limits
from cifar_dsl.foundation.resources import shipped_specs, specs_directory
from cifar_dsl.foundation.version import __version__
from cifar_dsl.language.diagnostics import known_codes
from cifar_dsl.language.highlighting import OnAnyBackground

_START = "resnet18"  # the example of a page without a spec in its address
_GROUPS = {".": "Baseline and tricks", "zoo": "Zoo", "records": "Records"}  # by folder
_COLOURED_AS = {
    "comment": Comment,
    "string": String,
    "number": Number,
    "operator": Operator,
    "keyword": Keyword,
    "function": Name.Function,
    "class": Name.Function,
    "parameter": Name.Variable,
    "variable": Name.Variable,
    "enumMember": Keyword.Type,
    "property": Name.Attribute,
    "namespace": Name.Namespace,
}  # the types of semantic tokens in the terms of Pygments


def catalogue() -> dict[str, Any]:
    """The data of the page, for JSON."""
    return {
        "version": __version__,
        "start": _START,
        "examples": [
            {
                "name": name,
                "group": _GROUPS.get(path.parent.relative_to(specs_directory()).as_posix(), path.parent.name),
                "text": path.read_text(encoding="utf-8"),
            }
            for name, path in sorted(shipped_specs().items(), key=lambda one: one[1].parent != specs_directory())
        ],
        "codes": {code: {"title": one.title, "reason": one.reason} for code, one in known_codes().items()},
        "colours": {kind: _colour(token) for kind, token in _COLOURED_AS.items()},
        "characters": limits.current().file_bytes,
    }


def _colour(token: Any) -> dict[str, str]:
    """The CSS of a token."""
    style = OnAnyBackground.style_for_token(token)
    css = {"color": f"#{style['color']}", "fontWeight": "bold", "fontStyle": "italic"}
    meant = {"color": style["color"], "fontWeight": style["bold"], "fontStyle": style["italic"]}
    return {name: value for name, value in css.items() if meant[name]}
