"""Prints syntax trees as canonical text: `parse(print_spec(tree)) == tree`."""

from collections.abc import Iterable

from cifar_dsl.language.syntax import nodes

_INDENT = "    "


def print_spec(spec: nodes.Spec) -> str:
    """The canonical text of a file, without comments."""
    header = f"{'library' if spec.header.is_library else 'arch'} {spec.header.name}"
    if spec.header.base:
        header += " extends " + (f'"{spec.header.base.name}"' if spec.header.base.is_file else spec.header.base.name)
    parts: list[str] = [header]
    previous: type[nodes.Item] | None = None
    for item in spec.items:
        is_short = isinstance(item, nodes.Input | nodes.Param | nodes.Assertion)
        if not (is_short and previous is type(item)):
            parts.append("")
        parts.extend(_item_lines(item))
        previous = type(item) if is_short else None
    return "\n".join(parts) + "\n"


def print_chain(chain: nodes.Chain) -> str:
    """A chain on a single line of any length."""
    return _one_line(_chain_lines(chain))


def print_body(body: nodes.Body) -> str:
    """A body on a single line, for display: stages are separated by `->`, or by `;` if one of them is a `let`."""
    return _one_line(_body_lines(body))


def _one_line(lines: list[str]) -> str:
    stripped = [line.strip() for line in lines]
    separator = "; " if any(line.startswith(("let ", "| let ")) for line in stripped) else " -> "
    text = ""
    for line in stripped:
        if not text:
            text = line
        elif text.endswith("{") or line.startswith(("}", "|")):
            text += f" {line}"
        else:
            text += separator + line
    return text


def print_override(override: nodes.Override) -> str:
    """The canonical text of a `--set`."""
    return f"{override.path}={print_chain(override.chain)}"


def print_expression(expression: nodes.Expression) -> str:
    """The canonical text of an expression."""
    return _expression(expression)


def print_axes(pattern: nodes.Pattern) -> str:
    """The canonical text of a pattern, without the extents of its axes."""
    inputs = " | ".join(_listed(axes.items) for axes in pattern.inputs)
    return f"{inputs} -> {_listed(pattern.output.items)}"


def print_head(block: nodes.Block) -> str:
    """The head of a block: its name and parameters."""
    return f"block {block.name}({', '.join(map(_block_parameter, block.parameters))})"


def _item_lines(item: nodes.Item) -> list[str]:
    match item:
        case nodes.Input(size=size):
            return [f"input {_expression(size)}"]
        case nodes.Param(name=name, value=value):
            return [f"param {name} = {_expression(value)}"]
        case nodes.Assertion(condition=condition):
            return [f"assert {_expression(condition)}"]
        case nodes.Block(body=body):
            return _braced(print_head(item), _body_lines(body))
        case nodes.Model(body=body):
            return _braced("model", _body_lines(body))
        case nodes.Train(settings=settings):
            return _braced("train", [line for setting in settings for line in _setting_lines(setting)])


def _block_parameter(parameter: nodes.BlockParameter) -> str:
    types = f": {' | '.join(map(str, parameter.types))}" if parameter.types else ""
    equals = " = " if types else "="
    default = "" if parameter.default is None else equals + _expression(parameter.default)
    return f"{parameter.name}{types}{default}"


def _setting_lines(setting: nodes.Setting | nodes.Group) -> list[str]:
    if isinstance(setting, nodes.Group):
        return _braced(f"group {setting.name}", [line for part in setting.settings for line in _setting_lines(part)])
    return _prefixed(f"{'.'.join(map(str, setting.target))} ", _chain_lines(setting.chain))


def _braced(head: str, lines: list[str]) -> list[str]:
    if not lines:
        return [f"{head} {{ }}"]
    return [f"{head} {{", *(_INDENT + line for line in lines), "}"]


def _prefixed(prefix: str, lines: list[str]) -> list[str]:
    return [prefix + lines[0], *lines[1:]]


def _body_lines(body: nodes.Body) -> list[str]:
    return [line for stage in body.stages for line in _stage_lines(stage)]


def _stage_lines(stage: nodes.Stage) -> list[str]:
    if isinstance(stage, nodes.Let):
        return _prefixed(f"let {_targets(stage.targets)} = ", _chain_lines(stage.chain))
    if isinstance(stage, nodes.Assignment):
        return _prefixed(f"{_targets(stage.targets)} = ", _chain_lines(stage.chain))
    return _chain_lines(stage)


def _targets(names: tuple[nodes.Identifier, ...]) -> str:
    return str(names[0]) if len(names) == 1 else f"({', '.join(map(str, names))})"


def _chain_lines(chain: nodes.Chain) -> list[str]:
    lines: list[str] = []
    for i, element in enumerate(chain.elements):
        element_lines = _element_lines(element)
        if i and lines:
            lines[-1] += " -> " + element_lines[0]
            lines.extend(element_lines[1:])
        else:
            lines.extend(element_lines)
    return lines


def _element_lines(element: nodes.Element) -> list[str]:
    kind = element.kind
    lines = _compound_lines(kind) if isinstance(kind, nodes.Compound) else [_expression(kind)]
    if element.label:
        lines[-1] += f" as {element.label}"
    if element.claim:
        lines[-1] += f" : {'x'.join(map(str, element.claim.extents))}"
    return lines


def _compound_lines(compound: nodes.Compound) -> list[str]:
    match compound:
        case nodes.Branched(head=head, branches=nodes.For() as loop):
            return _prefixed(f"{_expression(head)} ", _compound_lines(loop))
        case nodes.Branched(head=head, bodies=bodies):
            lines: list[str] = []
            for i, branch in enumerate(bodies):
                branch_lines = _body_lines(branch)
                mark = "| " if i else "  "
                lines.append(mark + branch_lines[0])
                lines.extend("  " + line for line in branch_lines[1:])
            return [f"{_expression(head)} {{", *("  " + line for line in lines), "}"]
        case nodes.For(targets=targets, start=start, stop=stop, body=body):
            values = _expression(start) + ("" if stop is None else f"..{_expression(stop)}")
            return _braced(f"for {_targets(targets)} in {values}", _body_lines(body))
        case nodes.Repeat(count=count, body=body):
            return _braced(f"repeat {_expression(count)}", _body_lines(body))
        case nodes.If(arms=arms, otherwise=otherwise):
            lines = []
            for i, (condition, body) in enumerate(arms):
                lines = _continued(lines, f"{'else ' if i else ''}if {_expression(condition)}", body)
            return lines if otherwise is None else _continued(lines, "else", otherwise)


def _continued(lines: list[str], head: str, body: nodes.Body) -> list[str]:
    braced = _braced(head, _body_lines(body))
    return [*lines[:-1], f"{lines[-1]} {braced[0]}", *braced[1:]] if lines else braced


# ---- expressions, with parentheses only where the tree needs them

_LOOSEST, _OR, _AND, _NOT, _COMPARE, _SUM, _TERM, _MINUS, _TIGHTEST = range(9)
_LEVELS = {"or": _OR, "and": _AND, "+": _SUM, "-": _SUM, "*": _TERM, "/": _TERM, "//": _TERM, "%": _TERM}


def _expression(node: nodes.Expression, level: int = _LOOSEST) -> str:
    text, own = _with_level(node)
    return f"({text})" if own < level else text


def _with_level(node: nodes.Expression) -> tuple[str, int]:
    match node:
        case nodes.Missing():  # in a tree of `parse_recovering`
            return "", _TIGHTEST
        case nodes.Number(text=text) | nodes.Name(text=text):
            return text, _TIGHTEST
        case nodes.SizeLiteral(extents=extents):
            return "x".join(map(str, extents)), _TIGHTEST
        case nodes.String(value=value):
            return f'"{value}"', _TIGHTEST
        case nodes.Truth(value=value):
            return "true" if value else "false", _TIGHTEST
        case nodes.CallExpression(callee=callee, arguments=arguments):
            parts = [print_axes(node.pattern)] if node.pattern else []
            return f"{callee}({', '.join([*parts, *map(_argument, arguments)])})", _TIGHTEST
        case nodes.Sequence(items=items, is_tuple=is_tuple):
            inside = _listed(items)
            return (f"({inside})" if is_tuple else f"[{inside}]"), _TIGHTEST
        case nodes.Index(value=value, indices=indices):
            # `a[0][0]` and `(a[0])[0]` are different trees, so an indexed value that is indexed again gets parentheses.
            text = _expression(value, _TIGHTEST)
            text = f"({text})" if isinstance(value, nodes.Index) else text
            return text + "".join(f"[{_subscript(index)}]" for index in indices), _TIGHTEST
        case nodes.Prefixed(operator="not", count=count, operand=operand):
            return "not " * count + _expression(operand, _COMPARE), _NOT
        case nodes.Prefixed(operator=operator, count=count, operand=operand):
            return operator * count + _expression(operand, _TIGHTEST), _MINUS
        case nodes.Operation(operands=operands, operators=operators):
            own = _LEVELS.get(operators[0], _COMPARE)
            text = _expression(operands[0], own + 1)
            for operator, operand in zip(operators, operands[1:], strict=True):
                text += f" {operator} {_expression(operand, own + 1)}"
            return text, own
        case nodes.Conditional(arms=arms, otherwise=otherwise):
            chosen = "".join(f"{_expression(value, _OR)} if {_expression(test, _OR)} else " for value, test in arms)
            return chosen + _expression(otherwise, _OR), _LOOSEST


def _subscript(index: nodes.Expression | nodes.Slice | nodes.Places) -> str:
    match index:
        case nodes.Places(items=items):
            return ", ".join(map(_subscript, items))
        case nodes.Slice(start=start, stop=stop, step=step):
            ends = (start, stop) if step is None else (start, stop, step)
            return ":".join("" if end is None else _expression(end) for end in ends)
        case _:
            return _expression(index)


def _argument(argument: nodes.Argument) -> str:
    keyword = f"{argument.keyword}=" if argument.keyword else ""
    return keyword + _expression(argument.value)


def _listed(items: Iterable[nodes.Expression]) -> str:
    return ", ".join(_expression(item) for item in items)
