"""Which names a spec mentions, where, and what each stands for: names are resolved by their places in the text."""

from collections.abc import Iterable, Sequence

from attrs import define, field, frozen

from cifar_dsl.compiler.builtin_names import FUNCTIONS
from cifar_dsl.language.source import Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.operations.layers import INITIALIZERS, LAYERS
from cifar_dsl.operations.recipe import GROUP_SETTINGS, SETTINGS


@frozen
class Meaning:
    """What a name stands for; mentions of one thing have equal meanings.

    | kind | what | owner |
    | --- | --- | --- |
    | global | a param, a block, or where none is called so a bare word | |
    | parameter | of a block | the block |
    | local | a `let` or a target of a loop | the offset of its definition |
    | layer, function, initialiser, join | of the language | |
    | argument | of a layer, an initialiser or a choice | what takes it: a name, `setting.choice`, or `setting` |
    | setting | of `train`, or of a group | train, group |
    | choice | of a setting | the setting |
    | base | what a spec extends | |
    """

    kind: str
    name: str
    owner: str = ""


@frozen
class Mention:
    """A place that names something. `call` is the whole call where it is the name of one, else the place itself."""

    span: Span
    meaning: Meaning
    call: Span
    is_definition: bool = False


def mentions(spec: nodes.Spec) -> list[Mention]:
    """Every mention in a file, in the order of its text."""
    walker = _Walker()
    walker.spec(spec)
    return sorted(walker.found, key=lambda mention: mention.span.start)


def mention_at(found: Iterable[Mention], offset: int) -> Mention | None:
    """The mention that the place lies in or at the end of."""
    touching = [mention for mention in found if mention.span.start <= offset <= mention.span.end]
    return touching[-1] if touching else None


_Scope = dict[str, Meaning]  # the names that are no globals


@define
class _Walker:
    found: list[Mention] = field(factory=list)

    def spec(self, spec: nodes.Spec) -> None:
        if spec.header.base:
            self._note(spec.header.base.span, Meaning("base", spec.header.base.name))
        for item in spec.items:
            match item:
                case nodes.Param(name=name, value=value):
                    self._define(name, Meaning("global", name.text))
                    self._expression(value, {})
                case nodes.Block():
                    self._block(item)
                case nodes.Model(body=body):
                    self._body(body, {})
                case nodes.Assertion(condition=condition):
                    self._expression(condition, {})
                case nodes.Train(settings=settings):
                    self._settings(settings)
                case nodes.Input():
                    pass

    # ---- what is noted

    def _note(self, span: Span, meaning: Meaning, call: Span | None = None) -> None:
        self.found.append(Mention(span, meaning, call or span))

    def _define(self, name: nodes.Identifier, meaning: Meaning) -> None:
        self.found.append(Mention(name.span, meaning, name.span, is_definition=True))

    def _local(self, name: nodes.Identifier) -> _Scope:
        meaning = Meaning("local", name.text, str(name.span.start))
        self._define(name, meaning)
        return {name.text: meaning}

    # ---- bodies

    def _block(self, block: nodes.Block) -> None:
        self._define(block.name, Meaning("global", block.name.text))
        scope: _Scope = {}
        for parameter in block.parameters:
            if parameter.default:
                self._expression(parameter.default, scope)
            meaning = Meaning("parameter", parameter.name.text, block.name.text)
            self._define(parameter.name, meaning)
            scope[parameter.name.text] = meaning
        self._body(block.body, scope)

    def _body(self, body: nodes.Body, scope: _Scope) -> None:
        scope = dict(scope)
        for stage in body.stages:
            match stage:
                case nodes.Let(name=name, chain=chain):
                    self._chain(chain, scope)
                    scope |= self._local(name)
                case nodes.Assignment(name=name, chain=chain):
                    self._note(name.span, _meaning(name.text, scope))
                    self._chain(chain, scope)
                case nodes.Chain():
                    self._chain(stage, scope)

    def _chain(self, chain: nodes.Chain, scope: _Scope) -> None:
        for element in chain.elements:
            self._stage(element.kind, scope)

    def _stage(self, kind: nodes.Expression | nodes.Compound, scope: _Scope) -> None:
        match kind:
            case nodes.Join(branches=branches):
                start = kind.span.start
                word = Span(kind.span.source, start, start + len(kind.kind))
                self._note(word, Meaning("join", kind.kind), kind.span)
                for branch in branches:
                    self._body(branch, scope)
            case nodes.For(targets=targets, start=start_value, stop=stop, body=body):
                self._expressions((start_value, stop), scope)
                inner = dict(scope)
                for target in targets:
                    inner |= self._local(target)
                self._body(body, inner)
            case nodes.Repeat(count=count, body=body):
                self._expression(count, scope)
                self._body(body, scope)
            case nodes.If(arms=arms, otherwise=otherwise):
                for condition, body in arms:
                    self._expression(condition, scope)
                    self._body(body, scope)
                if otherwise:
                    self._body(otherwise, scope)
            case nodes.CallExpression():
                self._call(kind, _meaning(kind.callee.text, scope), scope)
            case _:
                self._expression(kind, scope)

    # ---- values

    def _expressions(self, expressions: Iterable[object], scope: _Scope) -> None:
        for expression in expressions:
            self._expression(expression, scope)

    def _expression(self, node: object, scope: _Scope) -> None:
        match node:
            case nodes.Name(text=text, span=span):
                self._note(span, _meaning(text, scope))
            case nodes.CallExpression(callee=callee):
                meaning = _meaning(callee.text, scope)
                is_initialiser = meaning.kind == "global" and callee.text in INITIALIZERS
                self._call(node, Meaning("initialiser", callee.text) if is_initialiser else meaning, scope)
            case _:
                self._expressions(nodes.children(node), scope)

    def _call(self, call: nodes.CallExpression, meaning: Meaning, scope: _Scope) -> None:
        self._note(call.callee.span, meaning, call.span)
        self._arguments(call, "parameter" if meaning.kind == "global" else "argument", _taker(meaning), scope)

    def _arguments(self, call: nodes.CallExpression, kind: str, owner: str, scope: _Scope) -> None:
        for argument in call.arguments:
            if argument.keyword:
                self._note(argument.keyword.span, Meaning(kind, argument.keyword.text, owner), argument.span)
            self._expression(argument.value, scope)

    # ---- the recipe

    def _settings(self, settings: Sequence[nodes.Setting | nodes.Group], place: str = "train") -> None:
        known = SETTINGS if place == "train" else GROUP_SETTINGS
        for setting in settings:
            if isinstance(setting, nodes.Group):
                self._settings(setting.settings, "group")
                continue
            name, *path = setting.target
            self._note(name.span, Meaning("setting", name.text, place), setting.span)
            registry = known[name.text].registry if name.text in known else None
            owner = name.text
            for word in path:
                if len(path) > 1 and registry is not None and word.text in registry:
                    self._note(word.span, Meaning("choice", word.text, owner), setting.span)
                    owner = f"{name.text}.{word.text}"
                else:
                    self._note(word.span, Meaning("argument", word.text, owner), setting.span)
            for element in setting.chain.elements:
                if registry is not None and not path:
                    self._choice(name.text, element.kind)
                else:
                    self._stage(element.kind, {})

    def _choice(self, setting: str, kind: nodes.Expression | nodes.Compound) -> None:
        match kind:
            case nodes.Name(text=text, span=span):
                self._note(span, Meaning("choice", text, setting))
            case nodes.CallExpression(callee=callee, span=span):
                self._note(callee.span, Meaning("choice", callee.text, setting), span)
                self._arguments(kind, "argument", f"{setting}.{callee.text}", {})
            case _:
                self._stage(kind, {})


def _meaning(text: str, scope: _Scope) -> Meaning:
    if text in scope:
        return scope[text]
    if text in LAYERS:
        return Meaning("layer", text)
    return Meaning("function" if text in FUNCTIONS else "global", text)


def _taker(meaning: Meaning) -> str:
    """Whose arguments the arguments of a call are; nobody's that can be told where a parameter is called."""
    return "" if meaning.kind in {"local", "parameter"} else meaning.name
