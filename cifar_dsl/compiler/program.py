"""Merges a spec, the specs that it extends, and the overrides into one `Program`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from itertools import zip_longest
from pathlib import Path

from cifar_dsl.compiler.builtin_names import DATA_NAMES, FLOW_NAMES
from cifar_dsl.compiler.data import GIVE_FILE, NAME_DATA, ChosenData, KnownData, input_of, known_data
from cifar_dsl.compiler.files import SpecReader
from cifar_dsl.compiler.library import library_blocks, library_index
from cifar_dsl.compiler.values import SYMBOLS
from cifar_dsl.foundation import limits
from cifar_dsl.foundation.records import field, frozen
from cifar_dsl.foundation.text import shortened
from cifar_dsl.ir import arguments_of
from cifar_dsl.language.diagnostics import Diagnostic, Label, Reporter, SpecError, nearest
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes, parse_override, parse_spec
from cifar_dsl.operations.layers import LAYERS
from cifar_dsl.operations.recipe import SETTINGS

LAYERS_AND_WORDS = frozenset(LAYERS) | SYMBOLS
_STEPS_OF_A_TREE_NODE = 12  # to read, parse, resolve and check it; measured by bench/check_cost.py


@frozen
class Program:
    """The merged spec.

    `lineage` holds the names of the spec and its bases, nearest first. `input` is that of the text, else that of the
    dataset; None if neither has one, which has been reported. `library` holds the blocks of the standard library that
    the spec calls, or may call while its names aren't resolved. `bound` holds `classes` as a param if the spec uses the
    number of its dataset.
    """

    name: nodes.Identifier
    lineage: tuple[str, ...]
    data: KnownData | None
    input: nodes.Input | None
    params: dict[str, nodes.Param]
    blocks: dict[str, nodes.Block]
    library: dict[str, nodes.Block]
    model: nodes.Model
    train: nodes.Train | None
    settings: dict[str, nodes.Setting]
    groups: dict[str, "GroupSettings"]
    assertions: tuple[nodes.Assertion, ...]
    own: tuple[nodes.Item, ...]
    bound: Mapping[str, nodes.Param] = field(factory=dict)

    def as_spec(self) -> nodes.Spec:
        """An equivalent spec that extends nothing, and holds what the dataset decides."""
        items: list[nodes.Item] = [self.input] if self.input else []
        library = (block for block in self.library.values() if not self._captures(block))
        items += [*self.bound.values(), *self.params.values(), *self.blocks.values(), *library]
        items += [self.model, *self.assertions]
        if self.settings and self.train:
            groups = (
                nodes.Group(group.name, tuple(group.settings.values()), group.name.span)
                for group in self.groups.values()
            )
            items.append(nodes.Train((*self.settings.values(), *groups), self.train.span))
        return nodes.Spec(
            nodes.Header(self.name, None, is_library=False, span=self.name.span), tuple(items), self.name.span
        )

    def _captures(self, block: nodes.Block) -> bool:
        """Whether a block of the library has names that the spec defines, and so takes in the text of the spec."""
        mentioned = nodes.references([block]) - nodes.bound_names([block]) | {block.name.text}
        return not (self.params.keys() | self.blocks.keys()).isdisjoint(mentioned)


@frozen
class GroupSettings:
    """A `group` of `train`: its own settings; single arguments override those of the recipe."""

    name: nodes.Identifier
    settings: dict[str, nodes.Setting]


def load_program(
    path: Path, reader: SpecReader, overrides: Sequence[str], reporter: Reporter, data: ChosenData | None = None
) -> Program:
    """Read the spec at `path` and the specs that it extends, and apply `--set` overrides and the chosen `data`.

    Reports errors; raises SpecError only if they leave no program.
    """
    return _merge(with_bases(parse_spec(reader.read(path)), path, reader), overrides, reporter, data)


def with_bases(spec: nodes.Spec, path: Path, reader: SpecReader) -> list[nodes.Spec]:
    """The spec at `path` and the specs that it extends, nearest first. Raises SpecError."""
    files: list[tuple[Path, nodes.Spec]] = [(path, spec)]
    while base := files[-1][1].header.base:
        base_path = reader.base_path(base, files[-1][0])
        if base_path.resolve() in {file.resolve() for file, _ in files}:
            raise SpecError([_cycle(base, base_path, files)])
        if len(files) > (most := limits.current().extends_depth):
            message = f"a chain of `extends` can have at most {most} bases"
            raise SpecError([Diagnostic("E0205", message, Label(base.span))])
        files.append((base_path, parse_spec(reader.read(base_path, base))))
    return [spec for _, spec in files]


def program_of_text(
    text: str, name: str, overrides: Sequence[str], reporter: Reporter, data: ChosenData | None = None
) -> Program:
    """The program of a text that extends nothing; errors as in `load_program`."""
    spec = parse_spec(Source(name, text))
    if spec.header.base:
        message = "a spec given as text can't extend another"
        raise SpecError([Diagnostic("E0204", message, Label(spec.header.base.span))])
    return _merge([spec], overrides, reporter, data)


def steps_to_merge(specs: Sequence[nodes.Spec]) -> int:
    """The steps that reading and merging these specs takes."""
    return _STEPS_OF_A_TREE_NODE * sum(spec.size for spec in specs)


def merge_parts(specs: Sequence[nodes.Spec], reporter: Reporter) -> Program:
    """Merge a spec of which only parts may be readable with its bases; an input or model that is missing is empty."""
    own, *bases = specs
    nothing = Span(own.span.source, own.span.start, own.span.start)
    kinds = {type(item) for spec in specs for item in spec.items}
    empty = (nodes.Input(nodes.SizeLiteral((), nothing), nothing), nodes.Model(nodes.Body((), nothing), nothing))
    header = nodes.replace(own.header, is_library=False)
    items = (*own.items, *(item for item in empty if type(item) not in kinds))
    return _merge([nodes.replace(own, header=header, items=items), *bases], (), reporter, None)


def _merge(
    specs: Sequence[nodes.Spec], overrides: Sequence[str], reporter: Reporter, data: ChosenData | None
) -> Program:
    """Merge a spec with its bases, nearest first, the overrides, and the dataset."""
    merger = _Merger(reporter)
    for spec in reversed(specs):
        merger.add(spec, has_base=spec is not specs[-1])
    for text in overrides:
        merger.override(Source("--set", text))
    return merger.program(specs, data)


class _Merger:
    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._input: nodes.Input | None = None
        self._model: nodes.Model | None = None
        self._train: nodes.Train | None = None
        self._params: dict[str, nodes.Param] = {}
        self._blocks: dict[str, nodes.Block] = {}
        self._settings: dict[str, nodes.Setting] = {}
        self._groups: dict[str, tuple[nodes.Identifier, list[nodes.Setting]]] = {}
        self._assertions: list[nodes.Assertion] = []

    def add(self, spec: nodes.Spec, *, has_base: bool) -> None:
        """Merge a file over its bases."""
        self._reporter.at = spec.header.span
        self._reporter.work.charge(_STEPS_OF_A_TREE_NODE * spec.size)
        self._check_duplicates(spec)
        mentions = Counter(name for item in spec.items for name in nodes.references([item])) if has_base else Counter()
        for item in spec.items:
            match item:
                case nodes.Input():
                    self._input = item
                case nodes.Model():
                    self._model = item
                case nodes.Assertion():
                    self._assertions.append(item)
                case nodes.Train():
                    self._train = item
                    for setting in item.settings:
                        if isinstance(setting, nodes.Group):
                            self._groups.setdefault(setting.name.text, (setting.name, []))[1].extend(setting.settings)
                        else:
                            self._set(setting, self._settings)
                case nodes.Param():
                    if has_base:
                        self._check_redefines(item, "param", self._params, mentions)
                    self._params[item.name.text] = item
                case nodes.Block():
                    if has_base:
                        self._check_redefines(item, "block", self._blocks, mentions)
                    self._blocks[item.name.text] = item

    def override(self, source: Source) -> None:
        """Merge one override over all files."""
        try:
            override = parse_override(source)
        except SpecError as error:
            self._reporter.include(error.diagnostics)
            return
        if override.in_group:
            self._override_group(override)
            return
        if override.in_train:
            self._train = self._train or nodes.Train((), override.span)
            self._set(nodes.Setting(override.target, override.chain, override.span), self._settings)
            return
        name = override.target[0]
        value = _single_expression(override.chain)
        if len(override.target) == 1 and name.text in DATA_NAMES and name.text not in self._params:
            self._reporter.error(
                "E0405",
                f"no param is named `{name}`",
                name.span,
                help=f"`{name}` is that of the dataset: choose another with `--data`, or define `param {name}`",
            )
            return
        if len(override.target) > 1 or name.text not in self._params:
            known = [*self._params, "train"]
            near = nearest(name.text, known)
            self._reporter.error(
                "E0405",
                f"no param is named `{'.'.join(map(str, override.target))}`",
                name.span,
                help=(
                    f"did you mean `{near}`?" if near else f"params: {shortened([*self._params]) or 'none'}",
                    f"to override a setting, write `{self._setting_meant(override) or 'train.batch=128'}`",
                ),
            )
            return
        if value is None:
            self._reporter.error(
                "E0213",
                "a value is expected here, but these are stages",
                override.chain.span,
                help=f"define a block of them in the spec, and set the param to its name: `{name}=NAME`",
            )
            return
        self._params[name.text] = nodes.Param(name, value, override.span)

    def _setting_meant(self, override: nodes.Override) -> str | None:
        """The override of the setting, or of the argument of one in the recipe, that this name is."""
        name, value = override.target[0].text, override.chain.span.text
        if name in SETTINGS:
            return f"train.{override.path}={value}"
        for setting, given in self._settings.items():
            parts = _parts(given)
            if len(parts) == 1 and name in _argument_names(setting, parts[0]):
                return f"train.{setting}.{override.path}={value}"
        return None

    def _override_group(self, override: nodes.Override) -> None:
        name, *target = override.target
        if name.text not in self._groups or not target:
            near = nearest(name.text, self._groups)
            known = f"groups: {shortened([*self._groups]) or 'none'}"
            self._reporter.error(
                "E0405",
                f"no group is named `{name}`" if target else "this override names no setting of the group",
                name.span,
                help=(
                    f"did you mean `{near}`?" if near and target else known,
                    f"to override a setting of a group, write `train.group.{name}.optimizer.lr=0.1`",
                ),
            )
            return
        setting = nodes.Setting(tuple(target), override.chain, override.span)
        self._groups[name.text][1].append(setting)

    def _group_settings(self, settings: Sequence[nodes.Setting]) -> dict[str, nodes.Setting]:
        """A group's settings; a setting of a single argument starts from the recipe's setting."""
        found: dict[str, nodes.Setting] = {}
        for setting in settings:
            name = setting.target[0].text
            if len(setting.target) > 1 and name not in found and name in self._settings:
                found[name] = self._settings[name]
            self._set(setting, found)
        return found

    def program(self, specs: Sequence[nodes.Spec], chosen: ChosenData | None) -> Program:
        """The merged program, for the dataset `chosen` if there is one.

        Raises SpecError, with all reported errors, if the model is missing.
        """
        own = specs[0]
        if own.header.is_library:
            raise SpecError([_library_alone(own)])
        if chosen and self._train:
            self.override(chosen.source)
        data = known_data(self._settings, chosen)
        given = self._input or input_of(data)
        if given is None:
            self._report_missing_input(own.header.name, data)
        if self._model is None:
            self._reporter.error(
                "E0106",
                f"`{own.header.name}` has no `model`",
                own.header.name.span,
                help="add `model { ... }`, or extend a spec that has one",
            )
            raise SpecError(self._reporter.diagnostics)
        groups = {
            key: GroupSettings(name, self._group_settings(settings)) for key, (name, settings) in self._groups.items()
        }
        called = nodes.references(self._definitions()) - self._blocks.keys() - LAYERS_AND_WORDS
        return Program(
            name=own.header.name,
            lineage=tuple(spec.header.name.text for spec in specs),
            data=data,
            input=given,
            params=self._params,
            blocks=self._blocks,
            library=library_blocks(called),
            model=self._model,
            train=self._train,
            settings=self._settings,
            groups=groups,
            assertions=tuple(self._assertions),
            own=own.items,
        )

    def _report_missing_input(self, name: nodes.Identifier, data: KnownData | None) -> None:
        """Report an input that neither the text nor the dataset has, unless the dataset is unknown by mistake."""
        message = f"`{name}` has no `input`"
        if data is None:
            self._reporter.error(
                "E0106",
                f"{message} and names no dataset that has one",
                name.span,
                help=("add `input 3x32x32`, or extend a spec that has an input", f"or {NAME_DATA}"),
            )
        elif data.shape is not None:
            self._reporter.error(
                "E0410",
                f"{message}, and the file of its dataset isn't given",
                name.span,
                secondary=(Label(data.span, f"{data.shape.name} is a file"),),
                help=(GIVE_FILE, "or write the size of an image: `input 3x32x32`"),
            )

    def _check_duplicates(self, spec: nodes.Spec) -> None:
        seen: dict[tuple[str, str], Span] = {}
        for key, span in _definitions(spec):
            if key in seen:
                self._reporter.error(
                    "E0207",
                    f"{' '.join(part for part in key if part)} is defined twice",
                    Label(span, "again here"),
                    secondary=(Label(seen[key], "first here"),),
                    help="keep one of the two",
                )
            seen.setdefault(key, span)

    def _check_redefines(
        self, item: nodes.Param | nodes.Block, what: str, known: Mapping[str, object], mentions: Mapping[str, int]
    ) -> None:
        """`mentions`: the number of items of the file that mention a name."""
        name = item.name.text
        if name in known or mentions.get(name, 0) > (name in nodes.references([item])):
            return
        if name in _built_in(item) and name in nodes.references(self._definitions()):
            return  # it hides the language's own definition from the base
        names = list(known)  # as they are here: later items of the file aren't those of the base
        self._reporter.error(
            "E0206",
            f"{what} `{name}` redefines nothing: no base defines it, and nothing here uses it",
            item.name.span,
            help=lambda: f"{what}s of the base: {shortened(names) or 'none'}",
            meant=lambda: nearest(name, names),
        )

    def _definitions(self) -> Iterator[object]:
        """The params, blocks and model so far."""
        yield from (*self._params.values(), *self._blocks.values())
        if self._model:
            yield self._model

    def _set(self, setting: nodes.Setting, settings: dict[str, nodes.Setting]) -> None:
        name, *path = setting.target
        if not path:
            settings[name.text] = setting
            return
        whole = settings.get(name.text)
        self._reporter.at = setting.span
        self._reporter.work.charge(len(whole.chain.elements) if whole else 1)
        value = _single_expression(setting.chain)
        changed = whole and value and with_argument(whole, path, value)
        if changed:
            settings[name.text] = changed
            return
        parts = _parts(whole) if whole else ()
        target = ".".join(map(str, setting.target))
        of_part = f"write `{name}.ARGUMENT`, or `{name}.PART.ARGUMENT`; parts: {shortened(parts)}"
        self._reporter.error(
            "E0405",
            f"can't set `{target}`: " + (f"`{name}` itself is not set" if whole is None else "no such part"),
            path[0].span if whole else name.span,
            help=of_part if parts else f"set `{name}` as a whole",
        )


def _built_in(item: nodes.Param | nodes.Block) -> Set[str]:
    """The names of the language and the library that a definition can hide."""
    stages = LAYERS_AND_WORDS | library_index().keys()
    if isinstance(item, nodes.Block):
        return stages
    values = SYMBOLS | FLOW_NAMES.keys() | DATA_NAMES.keys()
    return stages | values if isinstance(item.value, nodes.Name) else values


def _definitions(spec: nodes.Spec) -> Iterator[tuple[tuple[str, str], Span]]:
    for item in spec.items:
        match item:
            case nodes.Param(name=name):
                yield ("param", f"`{name}`"), name.span
            case nodes.Block(name=name):
                yield ("block", f"`{name}`"), name.span
            case nodes.Input() | nodes.Model():
                yield (type(item).__name__.lower(), ""), item.span
            case nodes.Train(settings=settings):
                yield ("train", ""), item.span
                for setting in settings:
                    if isinstance(setting, nodes.Group):
                        yield ("group", f"`{setting.name}`"), setting.name.span
                        for inner in setting.settings:
                            yield (f"setting of `{setting.name}`", _target(inner)), inner.span
                    else:
                        yield ("setting", _target(setting)), setting.span
            case nodes.Assertion():
                pass


def _target(setting: nodes.Setting) -> str:
    return f"`{'.'.join(map(str, setting.target))}`"


def _library_alone(spec: nodes.Spec) -> Diagnostic:
    return Diagnostic(
        "E0106",
        f"`{spec.header.name}` is a library, which has no model",
        Label(spec.header.name.span),
        help=("pass a spec that uses its blocks", "`cifar-dsl check` also accepts libraries"),
    )


def _single_expression(chain: nodes.Chain) -> nodes.Expression | None:
    (element, *rest) = chain.elements
    if rest or element.label or element.claim or isinstance(element.kind, nodes.Compound):
        return None
    return element.kind


def _parts(setting: nodes.Setting) -> tuple[str, ...]:
    return tuple(name for element in setting.chain.elements if (name := _callee(element.kind)))


def _callee(kind: object) -> str | None:
    if isinstance(kind, nodes.CallExpression):
        return kind.callee.text
    return kind.text if isinstance(kind, nodes.Name) else None


def with_argument(
    setting: nodes.Setting, path: Sequence[nodes.Identifier], value: nodes.Expression
) -> nodes.Setting | None:
    """The setting with one argument replaced or added; None if `path` matches no part of it."""
    elements = setting.chain.elements
    *part, keyword = path
    matching = [i for i, element in enumerate(elements) if not part or _callee(element.kind) == part[0].text]
    if len(part) > 1 or len(matching) != 1:
        return None
    (i,) = matching
    kind = elements[i].kind
    if isinstance(kind, nodes.Name):
        kind = nodes.CallExpression(nodes.Identifier(kind.text, kind.span), (), kind.span)
    if not isinstance(kind, nodes.CallExpression):
        return None
    names = _argument_names(setting.target[0].text, kind.callee.text)
    # Positional arguments become keywords, so that replacing one moves no other.
    named = [
        nodes.replace(argument, keyword=nodes.Identifier(name, argument.span)) if name else argument
        for argument, name in zip_longest(kind.arguments, names[: _positionals(kind)])
    ]
    kept = tuple(argument for argument in named if argument.keyword != keyword)
    call = nodes.replace(kind, arguments=(*kept, nodes.Argument(keyword, value, value.span)))
    chain = nodes.replace(
        setting.chain, elements=(*elements[:i], nodes.replace(elements[i], kind=call), *elements[i + 1 :])
    )
    return nodes.replace(setting, chain=chain)


def _argument_names(setting: str, choice: str) -> tuple[str, ...]:
    registry = SETTINGS[setting].registry if setting in SETTINGS else None
    return tuple(info.name for info in arguments_of(registry[choice])) if registry and choice in registry else ()


def _positionals(call: nodes.CallExpression) -> int:
    return sum(argument.keyword is None for argument in call.arguments)


def _cycle(base: nodes.Base, base_path: Path, files: Sequence[tuple[Path, nodes.Spec]]) -> Diagnostic:
    names = [spec.header.name.text for _, spec in files]
    start = next(i for i, (path, _) in enumerate(files) if path.resolve() == base_path.resolve())
    return Diagnostic(
        "E0205",
        f"`{names[start]}` extends itself: {' -> '.join([*names[start:], names[start]])}",
        Label(base.span),
        help=("remove `extends` from one of them",),
    )
