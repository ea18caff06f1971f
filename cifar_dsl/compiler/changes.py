"""A short summary of what a spec changes in its base."""

from cifar_dsl.compiler.program import Program
from cifar_dsl.language.syntax import nodes, print_body, print_chain, print_expression

_LONGEST = 60  # characters of a body that is shown in full; a longer body is only named


def changes(program: Program) -> tuple[str, ...]:
    """One phrase for each definition in the spec's own file; empty if the spec extends nothing."""
    if len(program.lineage) == 1:
        return ()
    found: list[str] = []
    for item in program.own:
        match item:
            case nodes.Param(name=name, value=value):
                found.append(f"{name} = {print_expression(value)}")
            case nodes.Block(name=name, body=body):
                text = print_body(body)
                found.append(f"{name}: {text}" if len(text) <= _LONGEST else f"new {name}")
            case nodes.Model():
                found.append("new model")
            case nodes.Input(size=size):
                found.append(f"input {print_expression(size)}")
            case nodes.Train(settings=settings):
                found.extend(phrase for setting in settings for phrase in _setting(setting))
            case nodes.Assertion():
                pass
    return tuple(found)


def override_phrase(override: nodes.Override) -> str:
    """The phrase for a `--set`, in the format of `changes`."""
    text = print_chain(override.chain)
    if not override.in_train:
        return f"{override.path} = {text}"
    first, *rest = map(str, override.target)
    return f"{first}: {'.'.join(rest)} {text}" if override.in_group else f"{'.'.join([first, *rest])} {text}"


def _setting(setting: nodes.Setting | nodes.Group) -> list[str]:
    if isinstance(setting, nodes.Group):
        return [f"{setting.name}: {phrase}" for inner in setting.settings for phrase in _setting(inner)]
    return [f"{'.'.join(map(str, setting.target))} {print_chain(setting.chain)}"]
