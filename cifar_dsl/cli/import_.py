"""`cifar-dsl import`: a network of PyTorch as a spec."""

import re
from pathlib import Path

import click

from cifar_dsl.cli.click_options import StrictCommand
from cifar_dsl.cli.confirmation import confirm
from cifar_dsl.cli.output import note, writing
from cifar_dsl.foundation.atomic import check_place
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.importing.factories import made_by, spec_name, split_factory
from cifar_dsl.ir import Shape

_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_ELSEWHERE = "choose another place with --output"


class _ImageSize(click.ParamType[Shape]):
    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Shape:
        extents = str(value).split("x")
        if len(extents) != 3 or not all(one.isdecimal() and 0 < int(one) <= 4096 for one in extents):
            self.fail(f"{value!r} isn't a size such as 3x32x32: channels, height and width.", param, ctx)
        return Shape(tuple(map(int, extents)))


class _SpecName(click.ParamType[str]):
    name = "name"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not _NAME.fullmatch(str(value)):
            self.fail(f"{value!r} isn't a name such as my_net2: letters, digits and _, no digit first.", param, ctx)
        return str(value)


@click.command(name="import", cls=StrictCommand)
@click.argument("factory", metavar="FILE.py:NAME")
@click.option(
    "--input",
    "image",
    type=_ImageSize(),
    default="3x32x32",
    show_default=True,
    metavar="CxHxW",
    help="Shape of an image that the network takes.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Spec to write; its weights go beside it, as .safetensors [default: NAME.arch].",
)
@click.option(
    "--name",
    "given",
    type=_SpecName(),
    metavar="NAME",
    help="Name of the spec [default: made of the name of the factory].",
)
@click.option("-y", "--yes", is_flag=True, help="Answer yes to every prompt: run the code of the file.")
def command(factory: str, image: Shape, output: Path | None, given: str | None, yes: bool) -> None:
    """Write the network that a function or class in a Python file makes as a spec, with its weights beside it.

    Runs the file. Compares the scores of the spec with those of the network: a difference is an error, and leaves no
    file.
    """
    path, made = split_factory(factory)
    name = given or spec_name(made)
    place = output or Path(f"{name}.arch")
    weights = place.with_suffix(".safetensors")
    for file in (place, weights):
        if file.exists():
            raise UserError(f"{file} exists", "choose another place with --output, or remove it")
    with writing(place, _ELSEWHERE):
        check_place(place)
    confirm(
        f"Importing runs the Python code of {path}, with your permissions. Only import files that you trust.", yes=yes
    )
    from cifar_dsl.importing.importer import import_module, safetensors, save

    module = made_by(path, made)
    imported = import_module(module, image, name)
    content = safetensors(imported, module)
    with writing(place, _ELSEWHERE):
        save(imported, content, place, weights, f"{made} of {path.name}")
    note(f"written to {place}, weights to {weights}")
    note(f"checked: {imported.agreement}")
    if imported.evaluation_only:
        note("the network gives several tensors in training, so what acts only in training is left out")
    if imported.unused:
        note(f"left out, since the scores don't depend on it: {_some(imported.unused)}")


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
