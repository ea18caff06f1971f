"""The training script of a printed file: a plain loop, for the recipes that it can follow."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import fields

from cifar_dsl.compiler import Analysis
from cifar_dsl.export.source.layout import Call, lines_of
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.text import listed
from cifar_dsl.ir import Graph, Recipe
from cifar_dsl.ir.recipe import Schedule
from cifar_dsl.operations.recipe.settings import SETTINGS

NAMES = frozenset({"load", "augment", "normalization", "factor", "accuracy", "main"})  # that the script defines
_OPTIMIZERS = {"sgd": "torch.optim.SGD", "adam": "torch.optim.Adam", "adamw": "torch.optim.AdamW"}


def training_script(analysis: Analysis, network: str) -> str:
    """The constants and functions that train `network`, the name of its class.

    Raises UserError for a recipe that a plain loop can't follow, with the settings that it can't have.
    """
    recipe, graph = analysis.require_recipe(), analysis.graph
    if problems := list(_unsupported(recipe, graph)):
        raise UserError(
            f"a training script can't have {listed(problems, 'or')}",
            f"{_removal(problems)}, or export the network alone, without --train",
            reason="it is a plain loop: docs/export.md lists what it can have",
        )
    parts = [
        _settings(recipe),
        _LOAD.get(recipe.data.name, _NPZ),
        _augment(recipe),
        _MEASURED if recipe.normalize.name == "per_channel" else "",
        _factor(recipe),
        _ACCURACY,
        "\n".join([*_setup(recipe, graph, network), *_loop(recipe)]),
        'if __name__ == "__main__":\n    main()',
    ]
    return "\n\n\n".join(filter(None, parts))


_FOLLOWED = frozenset(
    {
        "data",
        "normalize",
        "augment",
        "epochs",
        "batch",
        "drop_last",
        "optimizer",
        "schedule",
        "loss",
        "clip",
        "precision",
    }
)
_SETTING = {"groups": "group"}


def _removal(problems: Sequence[str]) -> str:
    """How to get a recipe without them: the settings among them that can be `none` by name."""
    named = dict.fromkeys(problem.strip("`").split()[0] for problem in problems)
    removable = {each.name for each in SETTINGS.values() if each.default == () or _described(each.default) == "none"}
    sets = " ".join(f"--set train.{name}=none" for name in named if name in removable)
    return f"remove it: {sets}" if sets else "change it with --set"


def _all(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _described(value: Any) -> str:
    """A setting's value in a message: the name of a choice or group, or a number."""
    return str(getattr(value, "name", value))


def _unsupported(recipe: Recipe, graph: Graph) -> Iterator[str]:
    """What a script can't have, as in a spec."""
    if recipe.optimizer.name not in _OPTIMIZERS:
        yield f"`optimizer {recipe.optimizer.name}`"
    if recipe.schedule.name not in _SCHEDULES:
        yield f"`schedule {recipe.schedule.name}`"
    elif recipe.schedule.name == "one_cycle":
        arguments = recipe.schedule.arguments()
        yield from (f"`one_cycle({name}=...)`" for name, plain in _PLAIN_CYCLE.items() if arguments[name] != plain)
    if recipe.data.subset:
        yield f"`data {recipe.data.brief()}`"
    yield from (f"`augment {one.name}`" for one in recipe.augment if one.name not in _AUGMENTATIONS)
    for one in recipe.augment:
        if one.arguments().get("mode", "zeros") != "zeros" or one.arguments().get("fill", "black") != "black":
            yield f"`{one.brief()}`"
    loss = recipe.loss.arguments()
    if recipe.loss.name != "cross_entropy" or loss["reduction"] != "mean" or loss["weights"] != "none":
        yield f"`loss {recipe.loss.brief()}`"
    if recipe.epochs != int(recipe.epochs):
        yield f"`epochs {recipe.epochs:g}`"
    if recipe.precision != "fp32":
        yield f"`precision {recipe.precision}`"
    if recipe.clip.name != "none":
        yield f"`clip {recipe.clip.name}`"
    for info in fields(Recipe):  # those that the language has later, too
        value = getattr(recipe, info.name)
        if info.name not in _FOLLOWED and value != info.default:
            yield from (f"`{_SETTING.get(info.name, info.name)} {_described(one)}`" for one in _all(value))
    if graph.exits:
        yield "exits"
    if any(node.operation.arguments().get("global_share") for node in graph.nodes):
        yield "`global_share`"
    if any(parameter.initial.name == "whitening" for node in graph.nodes for parameter in node.parameters):
        yield "`init=whitening`"


# ---- data


_NPZ = '''def load(path: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The arrays of an npz file: images (N, H, W, C) of bytes, and labels (N,)."""
    with np.load(path) as arrays:
        x_train, x_test = (torch.from_numpy(arrays[name]) for name in ("x_train", "x_test"))
        y_train, y_test = (torch.from_numpy(arrays[name]) for name in ("y_train", "y_test"))
    return x_train, y_train.long(), x_test, y_test.long()'''

_CIFAR = '''def load(path: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The images (N, 32, 32, 3) of bytes and labels (N,) of {title}.

    `path` is the folder of the extracted binary version, {archive}.
    """

    def read(*names: str) -> tuple[Tensor, Tensor]:
        files = [np.fromfile(Path(path, name), np.uint8) for name in names]
        records = torch.from_numpy(np.concatenate(files)).view(-1, {labels} + 3072)
        images = records[:, {labels}:].view(-1, 3, 32, 32).permute(0, 2, 3, 1)
        return images.contiguous(), records[:, {labels_end}].long()

    x_train, y_train = read({train})
    x_test, y_test = read("{test}.bin")
    return x_train, y_train, x_test, y_test'''

_CIFAR10 = _CIFAR.format(
    title="CIFAR-10",
    archive="cifar-10-binary.tar.gz",
    labels=1,
    labels_end=0,
    train='*(f"data_batch_{number}.bin" for number in range(1, 6))',
    test="test_batch",
)
_CIFAR100 = _CIFAR.format(
    title="CIFAR-100", archive="cifar-100-binary.tar.gz", labels=2, labels_end=1, train='"train.bin"', test="test"
)

_LOAD = {"cifar10": _CIFAR10, "cifar100": _CIFAR100}
_FILES = {
    "cifar10": "folder of the extracted cifar-10-binary.tar.gz",
    "cifar100": "folder of the extracted cifar-100-binary.tar.gz",
}
_ARRAYS = "npz file with x_train, y_train, x_test and y_test"


# ---- images


_CROP = """    count, height, width, _ = images.shape
    padded = F.pad(images, (0, 0, {padding}, {padding}, {padding}, {padding}))
    top, left = torch.randint(0, {positions}, (2, count), device=images.device)
    rows = top[:, None] + torch.arange(height, device=images.device)
    columns = left[:, None] + torch.arange(width, device=images.device)
    every = torch.arange(count, device=images.device)[:, None, None]
    images = padded[every, rows[:, :, None], columns[:, None, :]]"""
_FLIP = """    is_flipped = torch.rand(len(images), device=images.device) < {p}
    images = torch.where(is_flipped[:, None, None, None], images.flip(2), images)"""
_CUTOUT = """    count, height, width, _ = images.shape
    top = torch.randint(0, height, (count, 1), device=images.device) - {half}
    left = torch.randint(0, width, (count, 1), device=images.device) - {half}
    rows = torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device)
    in_rows = (rows >= top) & (rows < top + {size})
    in_columns = (columns >= left) & (columns < left + {size})
    square = in_rows[:, :, None] & in_columns[:, None, :]
    images = images.masked_fill(square[..., None], 0)"""

_AUGMENTATIONS: dict[str, Callable[..., str]] = {
    "crop": lambda padding, **_: _CROP.format(padding=padding, positions=2 * padding + 1),
    "translate": lambda pixels, **_: _CROP.format(padding=pixels, positions=2 * pixels + 1),
    "flip": lambda p: _FLIP.format(p=_number(p)),
    "cutout": lambda size, **_: _CUTOUT.format(size=size, half=size // 2),
}


def _augment(recipe: Recipe) -> str:
    if not recipe.augment:
        return ""
    changes = [_AUGMENTATIONS[one.name](**one.arguments()) for one in recipe.augment]
    shown = " -> ".join(one.brief() for one in recipe.augment)
    head = f'def augment(images: Tensor) -> Tensor:\n    """Images (B, H, W, C) of bytes after `{shown}`."""'
    return "\n".join([head, *changes, "    return images"])


_MEASURED = '''def normalization(images: Tensor) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of the images, from 0 to 1."""
    std, mean = torch.std_mean(images.flatten(0, 2).float() / 255, 0, correction=0)
    return mean.tolist(), std.tolist()'''


# ---- the schedule


_PLAIN_CYCLE = {"anneal": "linear", "momentum": "none"}


def _warmed(after: str, warmup: float) -> list[str]:
    """Warm-up, then `after`, an expression of `progress`."""
    if not warmup:
        return ["progress = epoch / EPOCHS", f"return {after}"]
    start = _number(warmup)
    return [
        f"if epoch < {start}:  # warm-up",
        f"    return epoch / {start}",
        f"progress = (epoch - {start}) / (EPOCHS - {start})",
        f"return {after}",
    ]


def _cosine(final: float, warmup: float) -> list[str]:
    cosine = "(1 + math.cos(math.pi * progress)) / 2"
    end = _number(final)
    return _warmed(f"{end} + (1 - {end}) * {cosine}" if final else cosine, warmup)


def _linear(final: float, warmup: float) -> list[str]:
    return _warmed(f"1 + ({_number(final)} - 1) * progress", warmup)


def _constant(warmup: float) -> list[str]:
    return [f"return epoch / {_number(warmup)} if epoch < {_number(warmup)} else 1.0" if warmup else "return 1.0"]


def _step(at: tuple[int, ...], gamma: float, warmup: float) -> list[str]:
    drops = f"drops = sum(epoch >= start for start in {at!r})"
    dropped = f"math.pow({_number(gamma)}, drops)"
    if not warmup:
        return [drops, f"return {dropped}"]
    start = _number(warmup)
    return [drops, f"return {dropped} * min(1.0, epoch / {start})"]


def _exponential(gamma: float, every: float) -> list[str]:
    passed = f"epoch // {_number(every)}" if every else "epoch"
    return [f"return math.pow({_number(gamma)}, {passed})"]


def _one_cycle(peak: float, start: float, final: float, **_: object) -> list[str]:
    top, first, last = map(_number, (peak, start, final))
    return [
        "progress = epoch / EPOCHS",
        f"if progress < {top}:",
        f"    return {first} + (1 - {first}) * progress / {top}",
        f"return 1 + ({last} - 1) * (progress - {top}) / (1 - {top})",
    ]


_SCHEDULES: dict[str, Callable[..., list[str]]] = {
    "constant": _constant,
    "cosine": _cosine,
    "linear": _linear,
    "step": _step,
    "exponential": _exponential,
    "one_cycle": _one_cycle,
}


def _factor(recipe: Recipe) -> str:
    schedule = recipe.schedule
    if _is_constant(schedule):
        return ""
    body = _SCHEDULES[schedule.name](**schedule.arguments())
    head = [
        "def factor(epoch: float) -> float:",
        f'    """The factor on the learning rate after some epochs: `{schedule.brief()}`."""',
    ]
    return "\n".join([*head, *(f"    {line}" for line in body)])


def _is_constant(schedule: Schedule) -> bool:
    return schedule.name == "constant" and not schedule.arguments()["warmup"]


# ---- the loop


_ACCURACY = '''@torch.no_grad()
def accuracy(network: nn.Module, batches: Iterable[Tensor], labels: Tensor) -> float:
    """The share of images, in batches, that the network classifies correctly."""
    network.eval()
    predicted = torch.cat([network(images).argmax(1) for images in batches])
    return int((predicted == labels).sum()) / len(labels)'''


def _settings(recipe: Recipe) -> str:
    return f"EPOCHS = {recipe.epochs:g}\nBATCH = {recipe.batch}\nLR = {_number(recipe.optimizer.lr)}"


def _setup(recipe: Recipe, graph: Graph, network: str) -> list[str]:
    """The lines of `main` up to the loop."""
    optimizer = recipe.optimizer
    plain = {"lr", *optimizer.call().defaults}
    given = [(name, _value(value)) for name, value in optimizer.arguments().items() if name not in plain]
    arguments = (("", "network.parameters()"), ("lr", "LR"), *given, ("fused", "True"))
    described = _FILES.get(recipe.data.name, _ARRAYS)
    return [
        "def main() -> None:",
        '    """Train the network, print its accuracy after each epoch, and save its weights."""',
        "    parser = argparse.ArgumentParser()",
        f'    parser.add_argument("data", help="{described}")',
        '    parser.add_argument("--seed", type=int, default=0)',
        '    parser.add_argument("--weights", default="weights.pt", help="file to write")',
        "    arguments = parser.parse_args()",
        "    torch.manual_seed(arguments.seed)",
        '    device = "cuda" if torch.cuda.is_available() else "cpu"',
        "    tensors = [tensor.to(device) for tensor in load(arguments.data)]",
        "    x_train, y_train, x_test, y_test = tensors",
        *_constants(recipe, graph),
        "",
        "    def normalized(images: Tensor) -> Tensor:",
        '        """Bytes (B, H, W, C) as floats (B, C, H, W): (x / 255 - mean) / std."""',
        "        return torch.addcmul(offset, images.float(), scale).permute(0, 3, 1, 2)",
        "",
        f"    network: nn.Module = {network}()",
        "    network = network.to(device).to(memory_format=torch.channels_last)",
        *lines_of("    optimizer = ", Call(_OPTIMIZERS[optimizer.name], arguments)),
    ]


def _loop(recipe: Recipe) -> list[str]:
    """The lines of `main` from the loop on."""
    smoothing = recipe.loss.arguments()["label_smoothing"]
    smoothed = (("label_smoothing", _number(smoothing)),) if smoothing else ()
    loss = Call("F.cross_entropy", (("", "scores"), ("", "y_train[index]"), *smoothed))
    rates = [
        "            for group in optimizer.param_groups:",
        '                group["lr"] = LR * factor(epoch + step / steps)',
    ]
    batches = "order.split(BATCH)[:steps]" if recipe.drop_last else "order.split(BATCH)"
    images = "augment(x_train[index])" if recipe.augment else "x_train[index]"
    return [
        f"    steps = {'len(x_train) // BATCH' if recipe.drop_last else 'math.ceil(len(x_train) / BATCH)'}",
        "    for epoch in range(EPOCHS):",
        "        network.train()",
        "        order = torch.randperm(len(x_train), device=device)",
        "        total = torch.zeros((), device=device)",
        f"        for step, index in enumerate({batches}):"
        if not _is_constant(recipe.schedule)
        else f"        for index in {batches}:",
        *([] if _is_constant(recipe.schedule) else rates),
        f"            scores = network(normalized({images}))",
        *lines_of("            loss = ", loss),
        "            optimizer.zero_grad()",
        "            loss.backward()",
        "            optimizer.step()",
        "            total += loss.detach()",
        "        test = accuracy(network, map(normalized, x_test.split(500)), y_test)",
        "        loss_mean = total.item() / steps",
        '        print(f"epoch {epoch + 1}: loss {loss_mean:.4f}, accuracy {100 * test:.2f} %")',
        "    torch.save(network.state_dict(), arguments.weights)",
    ]


def _constants(recipe: Recipe, graph: Graph) -> list[str]:
    """The lines that make `scale` and `offset`, tensors of one number per channel."""
    if recipe.normalize.name == "per_channel":
        lines = ["    mean, std = normalization(x_train)"]
    else:
        known = recipe.normalize.standardization(graph.input.channels)
        assert known is not None
        lines = [*lines_of("    mean = ", _numbers(known.mean)), *lines_of("    std = ", _numbers(known.std))]
    return [
        *lines,
        "    scale = torch.tensor([1 / (255 * s) for s in std], device=device)",
        "    shifts = [-m / s for m, s in zip(mean, std, strict=True)]",
        "    offset = torch.tensor(shifts, device=device)",
    ]


def _numbers(values: tuple[float, ...]) -> str:
    return f"[{', '.join(map(_number, values))}]"


def _number(value: float) -> str:
    return repr(float(value)) if value != int(value) else repr(int(value))


def _value(value: bool | float | tuple[float, ...]) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_number, value))})"
    return repr(value) if isinstance(value, bool) else _number(value)
