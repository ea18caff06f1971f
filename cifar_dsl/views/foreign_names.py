"""The page that maps the names of PyTorch, Keras and timm to those of the language, generated from their table.

`python -m cifar_dsl.views.foreign_names` regenerates docs/coming-from.md; a test fails if the file is stale.
"""

from collections.abc import Iterator
from pathlib import Path

from cifar_dsl.operations.foreign_names import TABLES, ForeignNames

_HEAD = """# Coming from PyTorch or Keras

A spec lists stages and settings; there are no classes and no `forward`. This page maps what you know to what a spec
says. `cifar-dsl check` reports foreign names and syntax with the same advice, and `cifar-dsl check --fix` rewrites
those that mean exactly the same.

```arch
arch small
input 3x32x32                       # channels first, as in PyTorch

model {
    conv(32, 3, pad=1) -> bn -> relu    # nn.Conv2d(3, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU()
    maxpool(2)
    flatten
    dense(10)                       # nn.Linear(8192, 10)
}

train {
    data       cifar10
    augment    crop(4) -> flip      # RandomCrop(32, padding=4), RandomHorizontalFlip()
    epochs     10
    batch      128
    optimizer  sgd(lr=0.1, momentum=0.9)
    schedule   cosine               # CosineAnnealingLR over all epochs
}
```

## What differs

- The input decides the number of input channels or features, so no layer takes it: `conv(64, 3)`, `dense(10)`, `bn`.
- An activation is a stage of its own: `conv(64, 3) -> relu`.
- The last layer outputs logits, without softmax; the loss `cross_entropy` applies it.
- `->` connects stages; `let x = ...` names a tensor; `add { x | y }` adds tensors, and `concat { x | y }` concatenates.
- A module that takes modules is a block with parameters of type `block`, and a call gives them as branches:
  `layer { attention(4) | mlp }`. One that returns several tensors is a block that ends with a list, `[a, b]`.
- Sizes are written `3x3`, and names have no capitals, hyphens or module prefixes.
- A space separates a setting and its value: `batch 64`. Learning rate, momentum and weight decay are arguments of the
  optimizer.
- Seeds, devices and workers are options of `cifar-dsl train`, not of a spec.

## Names

Capitals, `_` and `-` don't matter in the right column. Rows marked with ≈ are similar, not the same: `--fix` changes
them only with `--unsafe-fixes`. `...` stands for the arguments or the value.

The tables are generated from `cifar_dsl/operations/foreign_names.py` with `python -m cifar_dsl.views.foreign_names`.
"""


def markdown() -> str:
    """The text of docs/coming-from.md."""
    return "\n".join([_HEAD, *(line for table in TABLES for line in _section(table))]).rstrip("\n") + "\n"


def _section(table: ForeignNames) -> Iterator[str]:
    yield f"### {table.noun}\n"
    yield "| here | elsewhere |"
    yield "| --- | --- |"
    for texts, sign in ((table.exact, ""), (table.similar, "≈ ")):
        for text, names in texts.items():
            yield _row(f"{sign}`{_shown(text)}`", names)
    for note, names in table.notes.items():
        yield _row(note, names)
    yield ""


def _shown(text: str) -> str:
    """An equivalent with `...` for what is filled in."""
    return text.replace("{branches}", "... | ...").replace("{chain}", "... -> ...").replace("{}", "...")


def _row(here: str, names: str) -> str:
    elsewhere = ", ".join(f"`{name}`" for name in names.split(", "))
    return f"| {here.replace('|', chr(92) + '|')} | {elsewhere} |"


if __name__ == "__main__":
    path = Path(__file__).parents[2] / "docs" / "coming-from.md"
    path.write_text(markdown(), encoding="utf-8")
