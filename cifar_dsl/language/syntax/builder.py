"""Builds the nodes of `nodes` from the parser's tree. The grammar rule stands above the method that handles it."""

from typing import Any

from cifar_dsl.foundation import cancellation, limits
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes
from cifar_dsl.language.syntax.lalr import Token, Tree

Children = list[Any]
Tokens = list[Token]

_SCALES = {"k": 10**3, "M": 10**6, "G": 10**9}


class LiteralError(Exception):
    """A number literal, or another value, that is invalid at its place."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.span = span


class OutOfRangeError(LiteralError):
    """A number literal that is too large."""


class FractionError(LiteralError):
    """A fraction where an integer is required."""


class TargetError(LiteralError):
    """A value where the name of something to assign is required."""


class Builder:
    """Builds nodes bottom-up, without recursion."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def transform(self, tree: Tree) -> Any:
        """The node of a tree. Raises LiteralError and CancelledError."""
        waiting, postorder = [tree], []
        while waiting:
            tree = waiting.pop()
            postorder.append(tree)
            waiting.extend(child for child in tree.children if type(child) is Tree)
        source, cancelling = self._source, cancellation.current()
        built: dict[Tree, Any] = {}
        for tree in reversed(postorder):
            cancelling.raise_if_requested()
            children = [built.pop(child) if type(child) is Tree else child for child in tree.children]
            built[tree] = getattr(self, tree.rule)(Span(source, tree.start, tree.end), children)
        return built[tree]

    def _token_span(self, token: Token) -> Span:
        return Span(self._source, token.start, token.start + len(token))

    def _identifier(self, token: Token) -> nodes.Identifier:
        return nodes.Identifier(str(token), self._token_span(token))

    def _extents(self, token: Token) -> tuple[int, ...]:
        if any(len(part) > 12 for part in token.split("x")):
            raise OutOfRangeError(self._token_span(token))
        return tuple(map(int, token.split("x")))

    # spec: header (_NL _item)*
    def spec(self, span: Span, children: Children) -> nodes.Spec:
        header, *items = children
        return nodes.Spec(header, tuple(items), span)

    # override: target "=" chain
    def override(self, span: Span, children: Children) -> nodes.Override:
        return nodes.Override(in_train=False, in_group=False, target=children[0], chain=children[1], span=span)

    # override: "train" "." target "=" chain -> train_override
    def train_override(self, span: Span, children: Children) -> nodes.Override:
        return nodes.Override(in_train=True, in_group=False, target=children[0], chain=children[1], span=span)

    # override: "train" "." "group" "." target "=" chain -> group_override
    def group_override(self, span: Span, children: Children) -> nodes.Override:
        return nodes.Override(in_train=True, in_group=True, target=children[0], chain=children[1], span=span)

    # axis: override ("," chain)*
    def axis(self, span: Span, children: Children) -> nodes.Axis:
        override, *more = children
        return nodes.Axis(override, (override.chain, *more), span)

    # header: "arch" NAME ["extends" base]
    def header(self, span: Span, children: Children) -> nodes.Header:
        name, base = children
        return nodes.Header(self._identifier(name), base, is_library=False, span=span)

    # header: "library" NAME -> library_header
    def library_header(self, span: Span, children: Tokens) -> nodes.Header:
        return nodes.Header(self._identifier(children[0]), None, is_library=True, span=span)

    # base: STRING | NAME
    def base(self, span: Span, children: Tokens) -> nodes.Base:
        (token,) = children
        return nodes.Base(token.strip('"'), token.type == "STRING", span)

    # input: "input" size
    def input(self, span: Span, children: Children) -> nodes.Input:
        return nodes.Input(children[0], span)

    # param: "param" NAME "=" expr
    def param(self, span: Span, children: Children) -> nodes.Param:
        return nodes.Param(self._identifier(children[0]), children[1], span)

    # block: "block" NAME "(" [parameter ("," parameter)* ","?] ")" body
    def block(self, span: Span, children: Children) -> nodes.Block:
        name, *parameters, body = children
        given = tuple(parameter for parameter in parameters if parameter is not None)
        return nodes.Block(self._identifier(name), given, body, span)

    # parameter: NAME [":" type] ["=" expr]
    def parameter(self, span: Span, children: Children) -> nodes.BlockParameter:
        name, types, default = children
        return nodes.BlockParameter(self._identifier(name), types or (), default, span)

    # type: type_name ("|" type_name)*
    def type(self, _span: Span, children: Children) -> tuple[nodes.Identifier, ...]:
        return tuple(children)

    # type_name: NAME | "block"
    def type_name(self, _span: Span, children: Tokens) -> nodes.Identifier:
        return self._identifier(children[0])

    # model: "model" body
    def model(self, span: Span, children: Children) -> nodes.Model:
        return nodes.Model(children[0], span)

    # train: "train" "{" [_train_item (_NL _train_item)*] "}"
    def train(self, span: Span, children: Children) -> nodes.Train:
        return nodes.Train(tuple(child for child in children if child is not None), span)

    # group: "group" NAME "{" [setting (_NL setting)*] "}"
    def group(self, span: Span, children: Children) -> nodes.Group:
        name, *settings = children
        given = tuple(setting for setting in settings if setting is not None)
        return nodes.Group(self._identifier(name), given, span)

    # setting: target chain
    def setting(self, span: Span, children: Children) -> nodes.Setting:
        return nodes.Setting(children[0], children[1], span)

    # target: NAME ("." NAME)*
    def target(self, _span: Span, children: Tokens) -> tuple[nodes.Identifier, ...]:
        return tuple(map(self._identifier, children))

    # assertion: "assert" expr
    def assertion(self, span: Span, children: Children) -> nodes.Assertion:
        return nodes.Assertion(children[0], span)

    # body: "{" [_stages] "}"
    def body(self, span: Span, children: Children) -> nodes.Body:
        return nodes.Body(tuple(child for child in children if child is not None), span)

    # branch: _stages
    def branch(self, span: Span, children: Children) -> nodes.Body:
        return nodes.Body(tuple(children), span)

    # let: "let" targets "=" chain
    def let(self, span: Span, children: Children) -> nodes.Let:
        return nodes.Let(children[0], children[1], span)

    # assignment: (NAME | tuple) "=" chain
    def assignment(self, span: Span, children: Children) -> nodes.Assignment:
        target, chain = children
        targets = (self._identifier(target),) if isinstance(target, Token) else self._assigned(target)
        return nodes.Assignment(targets, chain, span)

    def _assigned(self, names: nodes.Sequence) -> tuple[nodes.Identifier, ...]:
        """The names in brackets before `=`."""
        found = []
        for item in names.items:
            if not isinstance(item, nodes.Name):
                raise TargetError(item.span)
            found.append(nodes.Identifier(item.text, item.span))
        return tuple(found)

    # chain: element ("->" element)*
    def chain(self, span: Span, children: Children) -> nodes.Chain:
        return nodes.Chain(tuple(children), span)

    # element: _stage_kind ["as" NAME] [":" shape]
    def element(self, span: Span, children: Children) -> nodes.Element:
        kind, label, claim = children
        return nodes.Element(kind, None if label is None else self._identifier(label), claim, span)

    # shape: SIZE | NUMBER
    def shape(self, span: Span, children: Tokens) -> nodes.ShapeClaim:
        (token,) = children
        if token.type == "SIZE":
            return nodes.ShapeClaim(self._extents(token), span)
        extent = self._value(token)
        if not isinstance(extent, int):
            raise FractionError(self._token_span(token))
        return nodes.ShapeClaim((extent,), span)

    # branched: _head "{" branch ("|" branch)* "}"
    def branched(self, span: Span, children: Children) -> nodes.Branched:
        head, *branches = children
        return nodes.Branched(head, tuple(branches), span)

    # branched: _head for_loop -> branched_loop
    def branched_loop(self, span: Span, children: Children) -> nodes.Branched:
        head, loop = children
        return nodes.Branched(head, loop, span)

    # for_loop: "for" targets "in" iterable body
    def for_loop(self, span: Span, children: Children) -> nodes.For:
        targets, (start, stop), body = children
        return nodes.For(targets, start, stop, body, span)

    targets = target

    # iterable: expr [".." expr]
    def iterable(self, _span: Span, children: Children) -> tuple[Any, Any]:
        return children[0], children[1]

    # repeat: "repeat" expr body
    def repeat(self, span: Span, children: Children) -> nodes.Repeat:
        return nodes.Repeat(children[0], children[1], span)

    # conditional_stage: "if" expr body ("else" "if" expr body)* [else_body]
    def conditional_stage(self, span: Span, children: Children) -> nodes.If:
        *pairs, otherwise = children
        return nodes.If(tuple(zip(pairs[::2], pairs[1::2], strict=True)), otherwise, span)

    # else_body: "else" body
    def else_body(self, _span: Span, children: Children) -> nodes.Body:
        body: nodes.Body = children[0]
        return body

    # disjunction: conjunction ("or" conjunction)*
    def disjunction(self, span: Span, children: Children) -> nodes.Operation:
        return nodes.Operation(tuple(children), ("or",) * (len(children) - 1), span)

    # conjunction: negation ("and" negation)*
    def conjunction(self, span: Span, children: Children) -> nodes.Operation:
        return nodes.Operation(tuple(children), ("and",) * (len(children) - 1), span)

    # comparison: sum (comparison_sign sum)?   sum: term (sum_sign term)*   term: factor (term_sign factor)*
    def comparison(self, span: Span, children: Children) -> nodes.Operation:
        return nodes.Operation(tuple(children[::2]), tuple(children[1::2]), span)

    sum = comparison
    term = comparison

    # negation: not_word+ comparison -> negated   factor: minus+ postfix -> minused
    def negated(self, span: Span, children: Children) -> nodes.Prefixed:
        *signs, operand = children
        return nodes.Prefixed(signs[0], len(signs), operand, span)

    minused = negated

    # expr: disjunction ("if" disjunction "else" disjunction)+ -> conditional
    def conditional(self, span: Span, children: Children) -> nodes.Conditional:
        *pairs, otherwise = children
        return nodes.Conditional(tuple(zip(pairs[::2], pairs[1::2], strict=True)), otherwise, span)

    # places: _place ("," _place)+
    def places(self, span: Span, children: Children) -> nodes.Places:
        return nodes.Places(tuple(children), span)

    # slice: [expr] ":" [expr] [":" expr]
    def slice(self, span: Span, children: Children) -> nodes.Slice:
        start, stop, step = children
        return nodes.Slice(start, stop, step, span)

    # postfix: _atom ("[" _subscript "]")+ -> index
    def index(self, span: Span, children: Children) -> nodes.Index:
        value, *indices = children
        return nodes.Index(value, tuple(indices), span)

    # call: NAME "(" [_arguments] ")"
    def call(self, span: Span, children: Children) -> nodes.CallExpression:
        callee, *arguments = children
        given = tuple(argument for argument in arguments if argument is not None)
        return nodes.CallExpression(self._identifier(callee), given, span)

    # call: NAME "(" axes ("|" axes)* "->" axes ")" -> pattern_call
    def pattern_call(self, span: Span, children: Children) -> nodes.PatternCall:
        callee, *sides = children
        written = [nodes.Axes(tuple(one.value for one in side if one.keyword is None), where) for where, side in sides]
        extents = tuple(one for _, side in sides for one in side if one.keyword)
        inside = Span(self._source, written[0].span.start, written[-1].span.end)
        pattern = nodes.Pattern(tuple(written[:-1]), written[-1], inside)
        return nodes.PatternCall(self._identifier(callee), extents, span, axes=pattern)

    # axes: argument ("," argument)*
    def axes(self, span: Span, children: Children) -> tuple[Span, Children]:
        return span, children

    # argument: [NAME "="] expr
    def argument(self, span: Span, children: Children) -> nodes.Argument:
        keyword, value = children
        return nodes.Argument(None if keyword is None else self._identifier(keyword), value, span)

    # list: "[" [expr ("," expr)* ","?] "]"
    def list(self, span: Span, children: Children) -> nodes.Sequence:
        items = tuple(child for child in children if child is not None)
        return nodes.Sequence(items, is_tuple=False, span=span)

    # tuple: "(" expr ("," expr)+ ","? ")"
    def tuple(self, span: Span, children: Children) -> nodes.Sequence:
        return nodes.Sequence((*children,), is_tuple=True, span=span)

    # name: NAME
    def name(self, span: Span, children: Tokens) -> nodes.Name:
        return nodes.Name(str(children[0]), span)

    # number: NUMBER
    def number(self, span: Span, children: Tokens) -> nodes.Number:
        return nodes.Number(self._value(children[0]), str(children[0]), span)

    # size: SIZE
    def size(self, span: Span, children: Tokens) -> nodes.SizeLiteral:
        return nodes.SizeLiteral(self._extents(children[0]), span)

    # string: STRING
    def string(self, span: Span, children: Tokens) -> nodes.String:
        return nodes.String(children[0].strip('"'), span)

    # truth: "true" | "false"
    def truth(self, span: Span, children: Tokens) -> nodes.Truth:
        return nodes.Truth(children[0] == "true", span)

    # not_word: "not", and the other signs of operators
    def not_word(self, _span: Span, children: Tokens) -> str:
        return str(children[0])

    minus = comparison_sign = sum_sign = term_sign = not_word

    def _value(self, token: Token) -> int | float:
        digits, scale = (token[:-1], _SCALES[token[-1]]) if token[-1] in _SCALES else (str(token), 1)
        if len(digits) > 40:
            raise OutOfRangeError(self._token_span(token))
        digits = digits.replace("_", "")  # unlike the grammar, Python requires a digit on both sides of `_`
        value = int(digits) * scale if digits.isdigit() else float(digits) * scale
        if abs(value) > limits.current().integer_magnitude:
            raise OutOfRangeError(self._token_span(token))
        return int(value) if scale > 1 and value == int(value) else value


class RecoveringBuilder(Builder):
    """Builds the nodes of a text with errors: `Missing` for empty tokens and invalid numbers."""

    def spec(self, span: Span, children: Children) -> nodes.Spec:
        header, *items = children
        return super().spec(span, [header, *(item for item in items if item.span.start < item.span.end)])

    def name(self, span: Span, children: Tokens) -> nodes.Name | nodes.Missing:  # type: ignore[override]
        return super().name(span, children) if children[0] else nodes.Missing(span)

    def branched(self, span: Span, children: Children) -> nodes.Branched:
        return super().branched(span, [_named(children[0]), *children[1:]])

    def branched_loop(self, span: Span, children: Children) -> nodes.Branched:
        return super().branched_loop(span, [_named(children[0]), *children[1:]])

    def _assigned(self, names: nodes.Sequence) -> tuple[nodes.Identifier, ...]:
        found = (one for one in names.items if isinstance(one, nodes.Name))
        return tuple(nodes.Identifier(one.text, one.span) for one in found) or (nodes.Identifier("", names.span),)

    def number(self, span: Span, children: Tokens) -> nodes.Number | nodes.Missing:  # type: ignore[override]
        try:
            return super().number(span, children)
        except LiteralError as error:
            return nodes.Missing(error.span)

    def shape(self, span: Span, children: Tokens) -> nodes.ShapeClaim:
        try:
            return super().shape(span, children)
        except LiteralError as error:
            return nodes.ShapeClaim((), error.span)

    def _extents(self, token: Token) -> tuple[int, ...]:
        try:
            return super()._extents(token) if token else ()
        except LiteralError:
            return ()


def _named(head: Any) -> Any:
    """The head of branches; a missing one is a name without letters."""
    return nodes.Name("", head.span) if isinstance(head, nodes.Missing) else head
