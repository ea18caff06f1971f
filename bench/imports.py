"""Imports classifiers of torchvision, and of pytorch-cifar if a checkout is given, and writes how they compare.

    python bench/imports.py [--pytorch-cifar FOLDER] [NAME ...]  # all: a quarter of an hour; writes the page as it goes

With names, imports these networks only; the page keeps the rows of the others. FOLDER is a checkout of https://github.com/kuangliu/pytorch-cifar.
"""

import argparse
import importlib
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from measure import rows_of
from torch import nn

from cifar_dsl.compiler import analyze
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.resources import shipped_specs, specs_directory
from cifar_dsl.importing.importer import import_module
from cifar_dsl.ir import Shape
from cifar_dsl.language.syntax import nodes

PAGE = Path(__file__).parents[1] / "docs" / "results" / "imports.md"
HEAD = """# Imports

What `cifar-dsl import` makes of networks of torchvision (images of 3x224x224, 3x299x299 for Inception), and of
[pytorch-cifar](https://github.com/kuangliu/pytorch-cifar) (`k:`, images of 3x32x32).

`lines` counts those of the spec that aren't empty; `by hand` those of the shipped spec of this kind, without comments
and recipe, with the library blocks that it calls. `evaluation` and `batch statistics` are the largest differences of
the scores from those of the module in float64, as shares of their spread between images. `unused` counts parameters of
the module that its scores don't depend on, such as auxiliary heads. In Python 3, `k:ShuffleNetG2` can't be made as it
is: its `out_planes/4` channels aren't an integer; the row is of the network with `out_planes//4`.

What isn't imported, and why:

- `swin_v2_t` computes its biases with a small network from a table of coordinates, which the language can't say.
- MaxViT divides images into windows and grids, and multiplies by `einsum`; the language has both, but
  `import` doesn't recognise them in such a trace.

{summary}

`python bench/imports.py` writes this page (torch {torch}).

| network | lines | by hand | parameters | unused | evaluation | batch statistics | seconds |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""
TORCHVISION = [
    "alexnet", "vgg11", "vgg16_bn", "resnet18", "resnet34", "resnet50", "resnext50_32x4d", "wide_resnet50_2",
    "densenet121", "squeezenet1_1", "googlenet", "inception_v3", "mobilenet_v2", "mobilenet_v3_small",
    "mobilenet_v3_large", "mnasnet0_5", "shufflenet_v2_x1_0", "efficientnet_b0", "efficientnet_v2_s",
    "regnet_x_400mf", "regnet_y_400mf", "convnext_tiny", "vit_b_16", "swin_t", "swin_v2_t", "maxvit_t",
]  # fmt: skip
PYTORCH_CIFAR: dict[str, tuple[Any, ...]] = {
    "LeNet": (), "VGG": ("VGG16",), "ResNet18": (), "ResNet50": (), "PreActResNet18": (), "SENet18": (),
    "GoogLeNet": (), "DenseNet121": (), "ResNeXt29_2x64d": (), "MobileNet": (), "MobileNetV2": (), "DPN26": (),
    "DPN92": (), "ShuffleNetG2": (), "ShuffleNetV2": (1,), "EfficientNetB0": (), "RegNetX_200MF": (),
    "RegNetY_400MF": (), "PNASNetA": (), "SimpleDLA": (), "DLA": (),
}  # fmt: skip
BY_HAND = {
    "vgg16_bn": "vgg16", "k:VGG": "vgg16", "k:LeNet": "lenet",
    "k:PreActResNet18": "preact_resnet18", "shufflenet_v2_x1_0": "shufflenet_v2", "k:ShuffleNetV2": "shufflenet_v2",
    "k:EfficientNetB0": "efficientnet_b0", "k:MobileNetV2": "mobilenet_v2", "k:PNASNetA": "pnasnet_a",
    "swin_t": "swin_t_224",
}  # fmt: skip


def makers(folder: Path | None) -> Iterator[tuple[str, Callable[[], nn.Module]]]:
    """What makes each network, by its name in the table."""
    import torchvision

    for name in TORCHVISION:
        yield name, lambda name=name: getattr(torchvision.models, name)(weights=None)  # type: ignore[misc]
    if folder is not None:
        sys.path.insert(0, str(folder))
        models = importlib.import_module("models")
        python_3 = repaired(folder / "models" / "shufflenet.py", "out_planes/4", "out_planes//4")
        for name, arguments in PYTORCH_CIFAR.items():
            make = python_3.get(name) or getattr(models, name)
            yield f"k:{name}", lambda make=make, arguments=arguments: make(*arguments)  # type: ignore[misc]


def repaired(file: Path, wrong: str, right: str) -> dict[str, Any]:
    """The names that a file defines after one text in it is replaced by another."""
    names: dict[str, Any] = {"__name__": file.stem}
    exec(compile(file.read_text(encoding="utf-8").replace(wrong, right), str(file), "exec"), names)
    return names


def lines_by_hand(name: str) -> str:
    """The number of lines of the shipped spec of a network."""
    spec = BY_HAND.get(name, name.removeprefix("k:").lower())
    if spec not in shipped_specs():
        return ""
    program = analyze(shipped_specs()[spec], specs_directory()).program
    items = [item for item in program.as_spec().items if not isinstance(item, nodes.Train)]
    spans = [item.span for item in (*items, *program.library.values())]
    return str(1 + sum(counted(span.source.text[span.start : span.end]) for span in spans))


def counted(text: str) -> int:
    """The number of lines that aren't empty, without comments."""
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in text.splitlines())


def row(name: str, make: Callable[[], nn.Module]) -> str:
    """The line of the table for one network."""
    side = 32 if name.startswith("k:") else 299 if name.startswith("inception") else 224
    start = time.process_time()
    torch.manual_seed(0)
    try:
        module = make()
    except Exception as error:  # noqa: BLE001  # the code of others
        return f"| {name} | it can't be made: {str(error).splitlines()[0]} | {lines_by_hand(name)} | | | | | |"
    try:
        found = import_module(module, Shape((3, side, side)), "imported")
    except UserError as error:
        return f"| {name} | {error.message} | {lines_by_hand(name)} | | | | | |"
    sizes = {key: tensor.numel() for key, tensor in module.named_parameters()}
    unused = sum(sizes.get(key, 0) for key in found.unused)
    agreement = found.agreement
    cells = (
        counted(found.text),
        lines_by_hand(name),
        f"{found.analysis.graph.cost.parameters:,}",
        f"{unused:,}",
        f"{agreement.evaluation / agreement.spread:.1e}",
        f"{agreement.training / agreement.spread:.1e}",
        f"{time.process_time() - start:.0f}",
    )
    return f"| {name} | {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pytorch-cifar", type=Path, metavar="FOLDER", help="a checkout of pytorch-cifar")
    parser.add_argument("names", nargs="*", metavar="NAME", help="networks to import; by default all")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows = rows_of(PAGE.read_text(encoding="utf-8"))
    for name, make in makers(chosen.pytorch_cifar):
        if not chosen.names or name in chosen.names:
            rows[name] = row(name, make)
            print(rows[name], flush=True)
            write(rows)


def write(rows: Mapping[str, str]) -> None:
    """Write the page with these rows."""
    order = [*TORCHVISION, *(f"k:{name}" for name in PYTORCH_CIFAR)]
    known = [rows[name] for name in order if name in rows]
    head = HEAD.format(torch=torch.__version__, summary=summary(known))
    PAGE.write_text(head + "\n".join(known) + "\n", encoding="utf-8")


def summary(rows: Sequence[str]) -> str:
    """How many of the networks are imported, and how the lines of some families compare with those by hand."""
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    ratios = {
        name: int(lines) / int(by_hand)
        for name, lines, by_hand, *_ in cells
        if lines.isdigit() and by_hand and re.search("resnet|vgg|densenet", name.lower())
    }
    least, most = (choose(ratios, key=lambda name: ratios[name]) for choose in (min, max))
    imported = sum(lines.isdigit() for _, lines, *_ in cells)
    return (
        f"{imported} of these {len(cells)} networks are imported. ResNets, VGGs and DenseNets take between "
        f"{ratios[least]:.2f} (`{least}`) and {ratios[most]:.2f} times (`{most}`) the lines by hand."
    )


if __name__ == "__main__":
    main()
