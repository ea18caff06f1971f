"""The zoo: a gallery of the shipped specs, and a page for each."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath

from cifar_dsl.foundation.text import accuracy_in_percent, in_short
from website import computed
from website.computed import Network
from website.tree import ROOT, File, Page, page, read

_GROUPS = {
    "specs": ("The eight of the ablation", "Ten epochs of Adam on CIFAR-10, one trick per spec."),
    "specs/zoo": ("Published networks", "Each with its paper and, where its authors or others publish one, a recipe."),
    "specs/records": ("Speed records", "Networks and recipes of CIFAR-10 speed records."),
}
_PUBLISHED = re.compile(r"^\| \[(\w+)\]\(\S+\) \| [\d,]+ \| [\d,]+ \| (\S+ %) \|", re.MULTILINE)
_HEADER = re.compile(r"\A(?:#.*\n)+")
_FIRST_CLAUSE = re.compile(r"(?:Trick: )?(.+?)(?= \(|, as |[.:;](?:\s|$)|$)", re.DOTALL)


def pages() -> Iterator[Page]:
    """The gallery and every spec."""
    networks = computed.networks()
    yield page("zoo/index.md", _gallery(list(networks.values())))
    for network in networks.values():
        yield page(f"zoo/{network.name}.md", _page(network), network.path)


def files() -> Iterator[File]:
    """The pictures, and each spec and module as a file to download."""
    for network in computed.networks().values():
        contents = {
            f"{network.name}.svg": network.picture,
            f"{network.name}.arch": network.text,
            f"{network.name}.py": network.pytorch,
        }
        for name, text in contents.items():
            yield File(PurePosixPath("zoo/files") / name, text.encode())


@cache
def published() -> dict[str, str]:
    """Published accuracies, which docs/results/zoo.md lists."""
    return dict(_PUBLISHED.findall(read("docs/results/zoo.md")))


@cache
def measured() -> dict[str, tuple[float, int]]:
    """The mean accuracy on CIFAR-10 and the number of seeds by fingerprint, of the comparisons in docs/results."""
    found: dict[str, tuple[float, int]] = {}
    for path in sorted(ROOT.glob("docs/results/*/comparison.json")):
        comparison = json.loads(path.read_text(encoding="utf-8"))
        if comparison["data"]["name"] == "cifar10":
            found |= {row["fingerprint"]: (row["mean"], len(row["seeds"])) for row in comparison["rows"]}
    return found


def _accuracies(network: Network) -> list[tuple[str, str]]:
    found = []
    if network.name in published():
        found.append(("published", published()[network.name]))
    if network.fingerprint in measured():
        mean, seeds = measured()[network.fingerprint]
        found.append(("measured here", f"{accuracy_in_percent(mean)} ({seeds} seeds)"))
    return found


def _gallery(networks: list[Network]) -> str:
    lines = [
        "# Zoo",
        "",
        "Every spec that ships with cifar_dsl. On the command line, its name is enough: "
        "`cifar-dsl show resnet18`, `cifar-dsl train baseline`. Accuracies are those on CIFAR-10.",
        "",
    ]
    for folder, (title, text) in _GROUPS.items():
        inside = [network for network in networks if PurePosixPath(network.path).parent == PurePosixPath(folder)]
        lines += [f"## {title}", "", text, "", '<div class="gallery" markdown>', ""]
        lines += [_card(network) for network in inside]
        lines += ["", "</div>", ""]
    return "\n".join(lines)


def _card(network: Network) -> str:
    facts = [f"{in_short(network.parameters)} parameters", f"{in_short(network.macs)} macs"]
    facts += [f"{value} {kind}" for kind, value in _accuracies(network)]
    return (
        f'<a class="card" href="{network.name}.md"><img src="files/{network.name}.svg" alt="" loading="lazy">'
        f"<strong>{network.name}</strong><em>{_in_short(network)}</em><span>{'<br>'.join(facts)}</span></a>"
    )


def _about(network: Network) -> str:
    """The comments at the head of a spec."""
    header = _HEADER.match(network.text)
    return re.sub(r"^# ?", "", header[0], flags=re.MULTILINE).strip() if header else ""


def _in_short(network: Network) -> str:
    """What a spec is, up to the source or the detail that follows."""
    found = _FIRST_CLAUSE.match(_about(network))
    text = " ".join(found[1].split()) if found else ""
    return (text[:1].upper() + text[1:]).replace("<", "&lt;")


def _page(network: Network) -> str:
    facts = [
        ("parameters", f"{network.parameters:,}"),
        ("multiply-accumulates", f"{network.macs:,}"),
        ("activations kept for backward", f"{network.memory} per image"),
        ("fingerprint", f"`{network.fingerprint}`"),
        *((f"accuracy on CIFAR-10, {kind}", value) for kind, value in _accuracies(network)),
    ]
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts)
    name = network.name
    return f"""# {name}

{_escaped(_about(network))}

<div class="example" markdown>

| | |
| --- | --- |
{rows}

```sh
cifar-dsl show {name}
cifar-dsl train {name}
```

[![The network {name}](/zoo/files/{name}.svg){{ .network }}](#picture)

</div>

## Spec

[{name}.arch](/zoo/files/{name}.arch)

```arch
{_without_header(network.text)}```

## Picture

![The network {name}](/zoo/files/{name}.svg){{ .network loading=lazy }}

## Layers

??? note "The table of `cifar-dsl show {name}`"

{_indented(f"```text{chr(10)}{network.table}{chr(10)}```")}

## PyTorch source

[{name}.py](/zoo/files/{name}.py) is the network as a module that needs torch alone, as `cifar-dsl export {name} --to
pytorch` prints it.

??? note "{name}.py"

{_indented(f"```python{chr(10)}{network.pytorch}```")}
"""


def _without_header(text: str) -> str:
    return _HEADER.sub("", text)


def _escaped(text: str) -> str:
    return re.sub(r"([<>*_|])", r"\\\1", text)


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in text.splitlines())
