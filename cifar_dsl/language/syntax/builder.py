"""Builds the nodes of `nodes` from lark's tree. The grammar rule stands above the method that handles it."""

from typing import Any

from lark import Token, Transformer_NonRecursive, v_args
from lark.tree import Meta

from cifar_dsl.foundation import limits
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax import nodes

Children = list[Any]
Tokens = list[Token]

_SCALES = {"k": 10**3, "M": 10**6, "G": 10**9}


class LiteralError(Exception):
    """A number literal that is invalid at its place."""

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self.span = span


class OutOfRangeError(LiteralError):
    """A number literal that is too large."""


class FractionError(LiteralError):
    """A fraction where an integer is required."""


@v_args(meta=True)
class Builder(Transformer_NonRecursive[Token, Any]):
    """Builds nodes bottom-up, without recursion."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source

    def _span(self, meta: Meta) -> Span:
        return Span(self._source, meta.start_pos, meta.end_pos)

    def _token_span(self, token: Token) -> Span:
        start = token.start_pos or 0
        return Span(self._source, start, start + len(token))

    def _identifier(self, token: Token) -> nodes.Identifier:
        return nodes.Identifier(str(token), self._token_span(token))

    def _extents(self, token: Token) -> tuple[int, ...]:
        if any(len(part) > 12 for part in token.split("x")):
            raise OutOfRangeError(self._token_span(token))
        return tuple(map(int, token.split("x")))

    # spec: header (_NL _item)*
    def spec(self, meta: Meta, children: Children) -> nodes.Spec:
        header, *items = children
        return nodes.Spec(header, tuple(items), self._span(meta))

    # override: target "=" chain
    def override(self, meta: Meta, children: Children) -> nodes.Override:
        return nodes.Override(
            in_train=False, in_group=False, target=children[0], chain=children[1], span=self._span(meta)
        )

    # override: "train" "." target "=" chain -> train_override
    def train_override(self, meta: Meta, children: Children) -> nodes.Override:
        return nodes.Override(
            in_train=True, in_group=False, target=children[0], chain=children[1], span=self._span(meta)
        )

    # override: "train" "." "group" "." target "=" chain -> group_override
    def group_override(self, meta: Meta, children: Children) -> nodes.Override:
        return nodes.Override(
            in_train=True, in_group=True, target=children[0], chain=children[1], span=self._span(meta)
        )

    # axis: override ("," chain)*
    def axis(self, meta: Meta, children: Children) -> nodes.Axis:
        override, *more = children
        return nodes.Axis(override, (override.chain, *more), self._span(meta))

    # header: "arch" NAME ["extends" base]
    def header(self, meta: Meta, children: Children) -> nodes.Header:
        name, base = children
        return nodes.Header(self._identifier(name), base, is_library=False, span=self._span(meta))

    # header: "library" NAME -> library_header
    def library_header(self, meta: Meta, children: Tokens) -> nodes.Header:
        return nodes.Header(self._identifier(children[0]), None, is_library=True, span=self._span(meta))

    # base: STRING | NAME
    def base(self, meta: Meta, children: Tokens) -> nodes.Base:
        (token,) = children
        return nodes.Base(token.strip('"'), token.type == "STRING", self._span(meta))

    # input: "input" size
    def input(self, meta: Meta, children: Children) -> nodes.Input:
        return nodes.Input(children[0], self._span(meta))

    # param: "param" NAME "=" expr
    def param(self, meta: Meta, children: Children) -> nodes.Param:
        return nodes.Param(self._identifier(children[0]), children[1], self._span(meta))

    # block: "block" NAME "(" [parameter ("," parameter)* ","?] ")" body
    def block(self, meta: Meta, children: Children) -> nodes.Block:
        name, *parameters, body = children
        given = tuple(parameter for parameter in parameters if parameter is not None)
        return nodes.Block(self._identifier(name), given, body, self._span(meta))

    # parameter: NAME [":" type] ["=" expr]
    def parameter(self, meta: Meta, children: Children) -> nodes.BlockParameter:
        name, types, default = children
        return nodes.BlockParameter(self._identifier(name), types or (), default, self._span(meta))

    # type: type_name ("|" type_name)*
    def type(self, _meta: Meta, children: Children) -> tuple[nodes.Identifier, ...]:
        return tuple(children)

    # type_name: NAME | "block"
    def type_name(self, _meta: Meta, children: Tokens) -> nodes.Identifier:
        return self._identifier(children[0])

    # model: "model" body
    def model(self, meta: Meta, children: Children) -> nodes.Model:
        return nodes.Model(children[0], self._span(meta))

    # train: "train" "{" [_train_item (_NL _train_item)*] "}"
    def train(self, meta: Meta, children: Children) -> nodes.Train:
        return nodes.Train(tuple(child for child in children if child is not None), self._span(meta))

    # group: "group" NAME "{" [setting (_NL setting)*] "}"
    def group(self, meta: Meta, children: Children) -> nodes.Group:
        name, *settings = children
        given = tuple(setting for setting in settings if setting is not None)
        return nodes.Group(self._identifier(name), given, self._span(meta))

    # setting: target chain
    def setting(self, meta: Meta, children: Children) -> nodes.Setting:
        return nodes.Setting(children[0], children[1], self._span(meta))

    # target: NAME ("." NAME)*
    def target(self, _meta: Meta, children: Tokens) -> tuple[nodes.Identifier, ...]:
        return tuple(map(self._identifier, children))

    # assertion: "assert" expr
    def assertion(self, meta: Meta, children: Children) -> nodes.Assertion:
        return nodes.Assertion(children[0], self._span(meta))

    # body: "{" [_stages] "}"
    def body(self, meta: Meta, children: Children) -> nodes.Body:
        return nodes.Body(tuple(child for child in children if child is not None), self._span(meta))

    # branch: _stages
    def branch(self, meta: Meta, children: Children) -> nodes.Body:
        return nodes.Body(tuple(children), self._span(meta))

    # let: "let" NAME "=" chain
    def let(self, meta: Meta, children: Children) -> nodes.Let:
        return nodes.Let(self._identifier(children[0]), children[1], self._span(meta))

    # assignment: NAME "=" chain
    def assignment(self, meta: Meta, children: Children) -> nodes.Assignment:
        return nodes.Assignment(self._identifier(children[0]), children[1], self._span(meta))

    # chain: element ("->" element)*
    def chain(self, meta: Meta, children: Children) -> nodes.Chain:
        return nodes.Chain(tuple(children), self._span(meta))

    # element: _stage_kind ["as" NAME] [":" shape]
    def element(self, meta: Meta, children: Children) -> nodes.Element:
        kind, label, claim = children
        return nodes.Element(kind, None if label is None else self._identifier(label), claim, self._span(meta))

    # shape: SIZE | NUMBER
    def shape(self, meta: Meta, children: Tokens) -> nodes.ShapeClaim:
        (token,) = children
        if token.type == "SIZE":
            return nodes.ShapeClaim(self._extents(token), self._span(meta))
        extent = self._value(token)
        if not isinstance(extent, int):
            raise FractionError(self._token_span(token))
        return nodes.ShapeClaim((extent,), self._span(meta))

    # join: join_kind "{" branch ("|" branch)* "}"
    def join(self, meta: Meta, children: Children) -> nodes.Join:
        kind, *branches = children
        return nodes.Join(kind, tuple(branches), self._span(meta))

    # for_loop: "for" targets "in" iterable body
    def for_loop(self, meta: Meta, children: Children) -> nodes.For:
        targets, (start, stop), body = children
        return nodes.For(targets, start, stop, body, self._span(meta))

    targets = target

    # iterable: expr [".." expr]
    def iterable(self, _meta: Meta, children: Children) -> tuple[Any, Any]:
        return children[0], children[1]

    # repeat: "repeat" expr body
    def repeat(self, meta: Meta, children: Children) -> nodes.Repeat:
        return nodes.Repeat(children[0], children[1], self._span(meta))

    # conditional_stage: "if" expr body ("else" "if" expr body)* [else_body]
    def conditional_stage(self, meta: Meta, children: Children) -> nodes.If:
        *pairs, otherwise = children
        return nodes.If(tuple(zip(pairs[::2], pairs[1::2], strict=True)), otherwise, self._span(meta))

    # else_body: "else" body
    def else_body(self, _meta: Meta, children: Children) -> nodes.Body:
        body: nodes.Body = children[0]
        return body

    # disjunction: conjunction ("or" conjunction)*
    def disjunction(self, meta: Meta, children: Children) -> nodes.Operation:
        return nodes.Operation(tuple(children), ("or",) * (len(children) - 1), self._span(meta))

    # conjunction: negation ("and" negation)*
    def conjunction(self, meta: Meta, children: Children) -> nodes.Operation:
        return nodes.Operation(tuple(children), ("and",) * (len(children) - 1), self._span(meta))

    # comparison: sum (comparison_sign sum)?   sum: term (sum_sign term)*   term: factor (term_sign factor)*
    def comparison(self, meta: Meta, children: Children) -> nodes.Operation:
        return nodes.Operation(tuple(children[::2]), tuple(children[1::2]), self._span(meta))

    sum = comparison
    term = comparison

    # negation: not_word+ comparison -> negated   factor: minus+ postfix -> minused
    def negated(self, meta: Meta, children: Children) -> nodes.Prefixed:
        *signs, operand = children
        return nodes.Prefixed(signs[0], len(signs), operand, self._span(meta))

    minused = negated

    # expr: disjunction ("if" disjunction "else" disjunction)+ -> conditional
    def conditional(self, meta: Meta, children: Children) -> nodes.Conditional:
        *pairs, otherwise = children
        return nodes.Conditional(tuple(zip(pairs[::2], pairs[1::2], strict=True)), otherwise, self._span(meta))

    # slice: [expr] ":" [expr]
    def slice(self, meta: Meta, children: Children) -> nodes.Slice:
        start, stop = children
        return nodes.Slice(start, stop, self._span(meta))

    # postfix: _atom ("[" _subscript "]")+ -> index
    def index(self, meta: Meta, children: Children) -> nodes.Index:
        value, *indices = children
        return nodes.Index(value, tuple(indices), self._span(meta))

    # call: NAME "(" [_arguments] ")"
    def call(self, meta: Meta, children: Children) -> nodes.CallExpression:
        callee, *arguments = children
        given = tuple(argument for argument in arguments if argument is not None)
        return nodes.CallExpression(self._identifier(callee), given, self._span(meta))

    # argument: [NAME "="] expr
    def argument(self, meta: Meta, children: Children) -> nodes.Argument:
        keyword, value = children
        return nodes.Argument(None if keyword is None else self._identifier(keyword), value, self._span(meta))

    # list: "[" [expr ("," expr)* ","?] "]"
    def list(self, meta: Meta, children: Children) -> nodes.Sequence:
        items = tuple(child for child in children if child is not None)
        return nodes.Sequence(items, is_tuple=False, span=self._span(meta))

    # tuple: "(" expr ("," expr)+ ","? ")"
    def tuple(self, meta: Meta, children: Children) -> nodes.Sequence:
        return nodes.Sequence((*children,), is_tuple=True, span=self._span(meta))

    # name: NAME
    def name(self, meta: Meta, children: Tokens) -> nodes.Name:
        return nodes.Name(str(children[0]), self._span(meta))

    # number: NUMBER
    def number(self, meta: Meta, children: Tokens) -> nodes.Number:
        return nodes.Number(self._value(children[0]), str(children[0]), self._span(meta))

    # size: SIZE
    def size(self, meta: Meta, children: Tokens) -> nodes.SizeLiteral:
        return nodes.SizeLiteral(self._extents(children[0]), self._span(meta))

    # string: STRING
    def string(self, meta: Meta, children: Tokens) -> nodes.String:
        return nodes.String(children[0].strip('"'), self._span(meta))

    # truth: "true" | "false"
    def truth(self, meta: Meta, children: Tokens) -> nodes.Truth:
        return nodes.Truth(children[0] == "true", self._span(meta))

    # join_kind: "add" | "concat" | "mul", and the signs of operators
    def join_kind(self, _meta: Meta, children: Tokens) -> str:
        return str(children[0])

    not_word = minus = comparison_sign = sum_sign = term_sign = join_kind

    def _value(self, token: Token) -> int | float:
        digits, scale = (token[:-1], _SCALES[token[-1]]) if token[-1] in _SCALES else (str(token), 1)
        if len(digits) > 40:
            raise OutOfRangeError(self._token_span(token))
        digits = digits.replace("_", "")  # unlike the grammar, Python requires a digit on both sides of `_`
        value = int(digits) * scale if digits.isdigit() else float(digits) * scale
        if abs(value) > limits.current().integer_magnitude:
            raise OutOfRangeError(self._token_span(token))
        return int(value) if scale > 1 and value == int(value) else value


@v_args(meta=True)
class RecoveringBuilder(Builder):
    """Builds the nodes of a text with errors: `Missing` for empty tokens and invalid numbers."""

    def spec(self, meta: Meta, children: Children) -> nodes.Spec:
        header, *items = children
        return super().spec(meta, [header, *(item for item in items if item.span.start < item.span.end)])

    def name(self, meta: Meta, children: Tokens) -> nodes.Name | nodes.Missing:  # type: ignore[override]
        return super().name(meta, children) if children[0] else nodes.Missing(self._span(meta))

    def number(self, meta: Meta, children: Tokens) -> nodes.Number | nodes.Missing:  # type: ignore[override]
        try:
            return super().number(meta, children)
        except LiteralError as error:
            return nodes.Missing(error.span)

    def shape(self, meta: Meta, children: Tokens) -> nodes.ShapeClaim:
        try:
            return super().shape(meta, children)
        except LiteralError as error:
            return nodes.ShapeClaim((), error.span)

    def _extents(self, token: Token) -> tuple[int, ...]:
        try:
            return super()._extents(token) if token else ()
        except LiteralError:
            return ()
