"""Bodies as the text of a spec, through the printer and the formatter of the language."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cifar_dsl.foundation.records import define, field
from cifar_dsl.importing.structure import Body, Join, Layer, Named, Use
from cifar_dsl.importing.trees import Block, Call, Loop, Repeated, Tree, Variant
from cifar_dsl.importing.unification import NOWHERE
from cifar_dsl.ir import Shape
from cifar_dsl.language.source import Source
from cifar_dsl.language.syntax import nodes, print_spec
from cifar_dsl.language.syntax.formatter import format_text
from cifar_dsl.operations.layers import LAYERS

_TENSORS = ("x", "y", "z")
_STARTS = frozenset({"conv", "conv_transpose", "dense", "patches", "attention", "attend"})  # of a line
_ALONE = frozenset({"maxpool", "avgpool", "global_avgpool", "flatten"})


def printed(name: str, image: Shape, tree: Tree) -> str:
    """The formatted text of a spec with these blocks and this model."""
    items: list[nodes.Item] = [nodes.Input(nodes.SizeLiteral(image.extents, NOWHERE), NOWHERE)]
    items += [_block(block) for block in tree.blocks]
    model = _Printer().body(tree.model)
    ties = tuple(_tie(name, head) for name, head in tree.ties)
    items.append(nodes.Model(nodes.replace(model, stages=(*ties, *model.stages)), NOWHERE))
    header = nodes.Header(identifier(name), None, is_library=False, span=NOWHERE)
    text = print_spec(nodes.Spec(header, tuple(items), NOWHERE))
    return format_text(Source(name, _with_short_bodies_on_one_line(text)))


_SHORT_BODY = re.compile(r"(\b(?:repeat|for|if|else)\b[^{}\n]*\{)\n *([^{}\n]+)\n *\}")
_WIDTH = 100


def _with_short_bodies_on_one_line(text: str) -> str:
    """The text with bodies of a single line beside their heads, where both fit on a line."""

    def joined(match: re.Match[str]) -> str:
        head, body = match.groups()
        short = f"{head} {body} }}"
        return short if len(short) <= _WIDTH and "let " not in body else match[0]

    return _SHORT_BODY.sub(joined, text)


def identifier(text: str) -> nodes.Identifier:
    """A name where it is defined."""
    return nodes.Identifier(text, NOWHERE)


def _tie(name: str, head: nodes.Name | nodes.CallExpression) -> nodes.Let:
    """The definition of a tied block of one layer."""
    body = nodes.Body((_chain([nodes.Element(head, None, None, NOWHERE)]),), NOWHERE)
    tied = nodes.Branched(nodes.Name("tied", NOWHERE), (body,), NOWHERE)
    return nodes.Let((identifier(name),), _chain([nodes.Element(tied, None, None, NOWHERE)]), NOWHERE)


def _block(block: Block) -> nodes.Block:
    parameters = tuple(
        nodes.BlockParameter(identifier(one.name), (identifier(one.kind),), one.default, NOWHERE)
        for one in block.parameters
    )
    return nodes.Block(identifier(block.name), parameters, _Printer().body(block.body), NOWHERE)


@define
class _Printer:
    """Prints a body; `_names` are those of its tensors."""

    _names: dict[int, str] = field(factory=dict)

    def body(self, body: Body) -> nodes.Body:
        return nodes.Body(tuple(self._stages(body)), NOWHERE)

    def _stages(self, body: Body) -> Iterator[nodes.Stage]:
        line: list[nodes.Element] = []
        slot: list[Any] = list(body)
        for place, item in enumerate(slot):
            if isinstance(item, Named):
                if line:
                    yield _chain(line)
                    line = []
                for number, named in item.names:
                    chain = _one_chain([*self._stages(named)])
                    yield nodes.Let((identifier(self._name(number)),), chain, NOWHERE)
                yield from self._stages(item.body)
                continue
            if isinstance(item, Use) and place + 1 < len(slot) and _is_slice(slot[place + 1]):
                slot[place + 1] = _Sliced(nodes.Name(self._name(item.number), NOWHERE), slot[place + 1].head)
                continue
            element = nodes.Element(self._kind(item), None, None, NOWHERE)
            if line and _begins_line(item, line):
                yield _chain(line)
                line = []
            line.append(element)
            if not isinstance(item, Layer | Use | _Sliced):
                yield _chain(line)
                line = []
        if line:
            yield _chain(line)

    def _kind(self, item: Any) -> Any:
        match item:
            case _Sliced(value=value, head=head):
                return _index(value, head)
            case Use(number=number):
                return nodes.Name(self._name(number), NOWHERE)
            case Layer(head=head):
                return _index(nodes.Name("identity", NOWHERE), head) if _is_slice(item) else head
            case Join(head=head, branches=branches):
                return nodes.Branched(head, tuple(map(self.body, branches)), NOWHERE)
            case Call(head=head):
                return head
            case Repeated(count=count, body=body):
                return nodes.Repeat(count, self.body(body), NOWHERE)
            case Loop(targets=targets, values=values, body=body):
                names = tuple(map(identifier, targets))
                return nodes.For(names, values, None, self.body(body), NOWHERE)
            case Variant(condition=condition, yes=yes, no=no):
                other = self.body(no) if no else None
                return nodes.If(((condition, self.body(yes)),), other, NOWHERE)
        raise AssertionError(item)

    def _name(self, tensor: int) -> str:
        if tensor not in self._names:
            count = len(self._names)
            self._names[tensor] = _TENSORS[count] if count < len(_TENSORS) else f"x{count + 1}"
        return self._names[tensor]


class _Sliced:
    __match_args__ = ("value", "head")

    def __init__(self, value: nodes.Name, head: Any) -> None:
        self.value = value
        self.head = head


def number(value: int) -> nodes.Number:
    """A number as an expression."""
    return nodes.Number(value, str(value), NOWHERE)


def _is_slice(item: Any) -> bool:
    head = getattr(item, "head", None)
    if not isinstance(item, Layer) or not isinstance(head, nodes.CallExpression) or head.callee.text != "slice":
        return False
    return all(isinstance(one.value, nodes.Number | nodes.Name | nodes.Operation) for one in head.arguments)


def _index(value: nodes.Name, head: Any) -> nodes.Index:
    given: Mapping[str, nodes.Expression] = dict(
        zip(("start", "stop", "step"), (one.value for one in head.arguments), strict=False)
    )
    start = given["start"]
    begin = None if isinstance(start, nodes.Number) and start.value == 0 else start
    return nodes.Index(value, (nodes.Slice(begin, given["stop"], given.get("step"), NOWHERE),), NOWHERE)


def _chain(elements: Iterable[nodes.Element]) -> nodes.Chain:
    return nodes.Chain(tuple(elements), NOWHERE)


def _one_chain(stages: list[nodes.Stage]) -> nodes.Chain:
    """Stages as one chain; in a loop of one round, if there are names among them."""
    if all(isinstance(stage, nodes.Chain) for stage in stages):
        return _chain(element for stage in stages if isinstance(stage, nodes.Chain) for element in stage.elements)
    loop = nodes.Repeat(number(1), nodes.Body(tuple(stages), NOWHERE), NOWHERE)
    return _chain([nodes.Element(loop, None, None, NOWHERE)])


def _begins_line(item: Any, line: list[nodes.Element]) -> bool:
    """Whether a new line begins here: before a layer with weights that others follow, and before what has branches."""
    if not isinstance(item, Layer):
        return not isinstance(item, Use)
    name = item.head.text if isinstance(item.head, nodes.Name) else item.head.callee.text
    follows_start = len(line) == 1 and _is_start(line[0])
    return (name in _STARTS and not follows_start) or name in _ALONE or name not in LAYERS


def _is_start(element: nodes.Element) -> bool:
    return isinstance(element.kind, nodes.Index) or (
        isinstance(element.kind, nodes.Name) and element.kind.text not in LAYERS
    )
