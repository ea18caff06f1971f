"""A run as a folder that is ready to upload to the Hugging Face hub."""

import ast
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cifar_dsl.export.source.module import pytorch_source
from cifar_dsl.export.subject import Subject
from cifar_dsl.export.verification import (
    BATCHES,
    Comparison,
    check_source,
    compare,
    example,
    network_of,
    require_close,
    tolerance_of,
)
from cifar_dsl.foundation.errors import RunError, UserError
from cifar_dsl.foundation.folders import write_folder
from cifar_dsl.foundation.records import frozen
from cifar_dsl.foundation.text import accuracy_in_percent, duration, in_epochs, in_short, points
from cifar_dsl.ir import Standardization
from cifar_dsl.language.syntax import print_spec
from cifar_dsl.operations.recipe import ARTIFACTS
from cifar_dsl.runs import Run, RunRecord, RunResult
from cifar_dsl.runs.chance import find_chance
from cifar_dsl.runs.folder import find_runs

if TYPE_CHECKING:
    from torch import nn

CARD, CONFIG, SOURCE, SPEC, WEIGHTS = "README.md", "config.json", "network.py", "spec.arch", "model.safetensors"

# The names of the published datasets for people, and on the hub.
_DATASETS = {
    "cifar10": ("CIFAR-10", "uoft-cs/cifar10"),
    "cifar100": ("CIFAR-100", "uoft-cs/cifar100"),
    "mnist": ("MNIST", "ylecun/mnist"),
    "fashion_mnist": ("Fashion-MNIST", "zalando-datasets/fashion_mnist"),
    "svhn": ("SVHN", "ufldl-stanford/svhn"),
}


@frozen
class _Facts:
    """What the card and the configuration tell about a run."""

    subject: Subject
    record: RunRecord
    result: RunResult
    normalization: Standardization
    source: str

    @property
    def network(self) -> str:
        """The name of the class of the network."""
        *_, last = (node.name for node in ast.parse(self.source).body if isinstance(node, ast.ClassDef))
        return last

    @property
    def dataset(self) -> str:
        """The dataset, for people."""
        data = self.record.data
        name = _DATASETS[data.name][0] if data.name in _DATASETS else "own images" if data.name == "npz" else data.name
        return f"{name}, of which only a part was used" if data.subset else name


def write_hub_folder(subject: Subject, place: Path, licence: str | None = None) -> Comparison:
    """Write the folder, after it was loaded again and compared with the network. Nothing stays after an error.

    Raises UserError if it is no run, records no normalization, or computes something else; RunError for one without
    usable weights; OSError.
    """
    facts = _facts(subject)
    run, module = subject.run, subject.module()
    assert run is not None
    from cifar_dsl.training.weights import packed

    spec = print_spec(subject.analysis.program.as_spec())
    files = {
        CARD: _card(facts, licence).encode(),
        CONFIG: (json.dumps(_config(facts), indent=2) + "\n").encode(),
        SOURCE: facts.source.encode(),
        SPEC: spec.encode(),
        WEIGHTS: packed(module, spec),
    }
    comparisons: list[Comparison] = []
    write_folder(place, files, lambda folder: comparisons.append(_checked(folder, facts, run, module)))
    return comparisons[0]


def _facts(subject: Subject) -> _Facts:
    if subject.run is None:
        raise UserError(
            "a folder for the hub is made of a run, not of a spec",
            "train the spec, and export its run: the card states the accuracy",
        )
    record, result = subject.run.record(), subject.run.result()
    if result.accuracy is None:
        raise RunError(f"the run {subject.run.path} diverged, and has no weights", "export a run that has an accuracy")
    if (recipe := subject.analysis.recipe) and recipe.normalize.is_first:
        raise UserError(
            f"a folder for the hub holds mean and deviation of each channel, which `{recipe.normalize.name}` hasn't",
            "export a file that holds it: `--to pt2` or `--to onnx`",
        )
    if subject.standardization is None:
        raise UserError(
            f"the run {subject.run.path} doesn't record the normalization of its images, which the folder needs",
            "an earlier version wrote it; train the spec again",
        )
    return _Facts(subject, record, result, subject.standardization, pytorch_source(subject.analysis))


def _checked(folder: Path, facts: _Facts, run: Run, module: "nn.Module") -> Comparison:
    """Load what was written, as the card says, and compare it with the network of the run."""
    import torch
    from safetensors.torch import load_file

    from cifar_dsl.training.weights import load_network

    subject = facts.subject
    source = (folder / SOURCE).read_text(encoding="utf-8")
    check_source(source, module, subject.image)
    ours = load_network(run, subject.analysis).eval()
    network = network_of(source)
    network.load_state_dict(load_file(folder / WEIGHTS))
    network.eval()
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["normalization"]
    mean, std = (torch.tensor(config[name])[:, None, None] for name in ("mean", "std"))
    inputs = [example(subject.image, count) for count in BATCHES]
    comparison = compare(ours, lambda images: network((images / 255 - mean) / std), inputs)
    # The normalization alone rounds in another way.
    require_close(comparison, tolerance_of(ours, comparison, inputs), "the network of the folder")
    return comparison


# ---- the files


def _config(facts: _Facts) -> dict[str, Any]:
    record, analysis = facts.record, facts.subject.analysis
    return {
        "library": "cifar_dsl",
        "version": record.environment.cifar_dsl,
        "name": record.spec.name,
        "class": facts.network,
        "fingerprint": record.spec.fingerprint,
        "seed": record.seed,
        "input": list(facts.subject.image.extents),
        "normalization": {"mean": facts.normalization.mean, "std": facts.normalization.std},
        "classes": list(record.classes),
        "parameters": analysis.graph.cost.parameters,
        "dataset": {"name": record.data.name, "sha256": record.data.digest},
    }


def _card(facts: _Facts, licence: str | None) -> str:
    record, result, analysis = facts.record, facts.result, facts.subject.analysis
    cost, environment = analysis.graph.cost, record.environment
    size, outputs = (str(shape) for shape in (facts.subject.image, analysis.graph.shape_of(analysis.graph.output)))
    sections = [
        "---",
        *_head(facts, licence),
        "---",
        "",
        f"# {record.spec.name}",
        "",
        f"An image classifier: images of {size} to {outputs} classes, "
        f"{cost.parameters:,} parameters, {in_short(cost.macs)} multiply-accumulates.",
        "",
        "## Accuracy",
        "",
        *_accuracy(facts),
        "",
        "## Use",
        "",
        f"`{SOURCE}` needs PyTorch alone:",
        "",
        "```python",
        *_snippet(facts),
        "```",
        "",
        f"Images are RGB bytes of this size. `{CONFIG}` has the normalization and the names of the classes."
        if facts.subject.image.channels == 3
        else f"`{CONFIG}` has the normalization and the names of the classes.",
        "",
        "## Training",
        "",
        f"[cifar_dsl](https://pypi.org/project/cifar-dsl/) {environment.cifar_dsl} trained it from `{SPEC}`, with the "
        f"fingerprint `{record.spec.fingerprint}`, in {duration(result.time_s)} with torch {environment.torch} on "
        f"{environment.device_name}. To train it again: `{_command(record)}`.",
        "",
        "```text",
        print_spec(analysis.program.as_spec()).rstrip(),
        "```",
    ]
    return "\n".join(sections) + "\n"


def _head(facts: _Facts, licence: str | None) -> list[str]:
    """The metadata in YAML. Values are JSON, which is YAML."""
    record, result = facts.record, facts.result
    name = record.data.name
    on_hub = _DATASETS[name][1] if name in _DATASETS and not record.data.subset else None
    return [
        f"license: {json.dumps(licence)}"
        if licence
        else "# license: none chosen; an identifier of the hub, such as mit",
        "library_name: pytorch",
        "pipeline_tag: image-classification",
        "tags: [image-classification, cifar-dsl]",
        *([f"datasets: [{on_hub}]"] if on_hub else []),
        "model-index:",
        f"- name: {json.dumps(record.spec.name)}",
        "  results:",
        "  - task: {type: image-classification}",
        f"    dataset: {{name: {json.dumps(facts.dataset)}, type: {json.dumps(on_hub or name)}, split: test}}",
        "    metrics:",
        f"    - {{type: accuracy, value: {result.accuracy:.6g}}}",
    ]


def _command(record: RunRecord) -> str:
    """The command that trains such a run; PATH stands for files of its author."""
    data = " --data npz:PATH" if record.data.name == "npz" else ""
    data += f" --fast {record.data.subset}" if record.data.subset else ""
    uses = "".join(f" {ARTIFACTS[one.kind].option} PATH" for one in record.uses)
    return f"cifar-dsl train {SPEC} --seed {record.seed}{data}{uses}"


def _accuracy(facts: _Facts) -> list[str]:
    """The accuracy, and how it was measured."""
    record, result = facts.record, facts.result
    recipe = facts.subject.analysis.require_recipe()
    assert result.accuracy is not None
    views = ", with test-time augmentation, which the code below doesn't do" if recipe.test_augment else ""
    averaged = " The weights are an average over training." if any(each.is_tested for each in recipe.average) else ""
    lines = [
        f"**{accuracy_in_percent(result.accuracy)}** on the {record.data.test_images:,} test images of "
        f"{facts.dataset}{views}.",
        "",
        f"It is that of the last epoch: {in_epochs(result.epochs)} on "
        f"{record.data.train_images - recipe.validation:,} images, seed {record.seed}. No epoch was chosen by the test "
        f"images.{averaged}",
    ]
    assert facts.subject.run is not None
    if chance := find_chance(facts.subject.run):
        lines += ["", f"**No better than guessing**: {chance.message}."]
    others = _of_all_seeds(facts.subject.run, record)
    if len(others) > 1:
        lines += [
            "",
            f"{len(others)} seeds of this training: {accuracy_in_percent(statistics.fmean(others))} on average, with a "
            f"standard deviation of {points(statistics.stdev(others), 2)} points. This is seed {record.seed}.",
        ]
    else:
        lines += ["", "It is a single training: another seed gives another accuracy."]
    return lines


def _of_all_seeds(run: Run, record: RunRecord) -> Sequence[float]:
    """The accuracies of the finished runs of the same training beside this run, of all seeds."""
    found = {record.seed: run.result().accuracy}
    for other in find_runs(run.path.absolute().parent.parent, record.spec.fingerprint):
        there = other.record()
        if there.data.digest == record.data.digest:
            found.setdefault(there.seed, other.result().accuracy)
    return [accuracy for accuracy in found.values() if accuracy is not None]


def _snippet(facts: _Facts) -> list[str]:
    channels = facts.subject.image.channels
    height, width = facts.subject.image.extents[1:]
    mode = {1: "L", 3: "RGB", 4: "RGBA"}.get(channels, "RGB")
    axes = ".permute(2, 0, 1)[None]" if channels > 1 else "[None, None]"
    return [
        "import json",
        "",
        "import numpy as np",
        "import torch",
        "from PIL import Image",
        "from safetensors.torch import load_file",
        "",
        f"from {SOURCE.removesuffix('.py')} import {facts.network}",
        "",
        f'with open("{CONFIG}") as file:',
        "    config = json.load(file)",
        f"network = {facts.network}().eval()",
        f'network.load_state_dict(load_file("{WEIGHTS}"))',
        "",
        f'picture = Image.open("picture.png").convert("{mode}").resize(({width}, {height}))',
        f"images = torch.from_numpy(np.array(picture)){axes}",
        'mean, std = (torch.tensor(config["normalization"][name])[:, None, None] for name in ("mean", "std"))',
        "with torch.no_grad():",
        "    (scores,) = network((images / 255 - mean) / std)",
        "best = int(scores.argmax())",
        'print(config["classes"][best] if config["classes"] else best)',
    ]
