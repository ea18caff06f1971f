"""Names of printed classes."""

import re
from collections.abc import Callable, Iterator

from cifar_dsl.export.source.expressions import is_constant
from cifar_dsl.export.source.statements import Version
from cifar_dsl.export.source.vocabulary import Vocabulary


def class_name(name: str) -> str:
    """The name of a class for a block or spec: `basic_block` -> `BasicBlock`."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"\W+|_", name)) or "Stage"


def class_names(versions: list[Version], model: Version, vocabulary: Vocabulary) -> dict[Version, str]:
    """A name for each class without one: that of its block, or of its place in the block, and what tells it apart.

    Names may still be equal, where nothing does.
    """
    groups: dict[str, list[Version]] = {}
    for version in versions:
        if not version.name:
            groups.setdefault(_base(version, model, _label(version)), []).append(version)
    names: dict[Version, str] = {}
    for base, group in groups.items():
        ways = (
            [base for _ in group],
            *([way(version) for version in group] for way in _ways(group, base, model, vocabulary)),
        )
        names |= zip(group, next((way for way in ways if len({*way}) == len(group)), ways[0]), strict=True)
    return {version: names[version] for version in versions if version in names}


def _base(version: Version, model: Version, label: str) -> str:
    part = version.parts[0]
    name = class_name(label)
    if part.scope.kind == "block":
        return name
    around = part.owner.scope
    of_block = class_name(around.label.partition("(")[0])
    return (of_block if around.kind == "block" else model.name) + name


def _label(version: Version) -> str:
    """What the text calls a part: the name of its block, of a `let` or of a branch."""
    part = version.parts[0]
    return part.scope.label.partition("(")[0] if part.scope.kind in {"block", "let", "tied"} else part.name


def _ways(
    group: list[Version], base: str, model: Version, vocabulary: Vocabulary
) -> Iterator[Callable[[Version], str]]:
    """Ways to tell classes apart: by a parameter, the name of the stage, or the number of tensors."""
    if all(version.parts[0].scope.kind == "block" for version in group):
        for parameter in vocabulary.parameters(group[0].parts[0].scope):
            columns = [[part.values.get(parameter) for part in version.parts] for version in group]
            if all(is_constant(column) and type(column[0]) is int and column[0] >= 0 for column in columns):
                yield lambda version, name=parameter: f"{base}{version.parts[0].values[name]}"  # type: ignore[misc]
    else:
        yield lambda version: _base(version, model, version.parts[0].name)
    yield lambda version: f"{base}Of{version.parts[0].inputs}"
    yield lambda version: f"{base}{version.parts[0].inputs}To{len(version.parts[0].outputs)}"
