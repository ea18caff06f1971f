"""How much of a training step on a CPU its convolutions and matrix products take, which no loop can save.

    python bench/cpu_floor.py                                    # baseline.arch and residual.arch
    python bench/cpu_floor.py specs/wider.arch --precision bf16 --threads 1

Each convolution and dense layer of the spec runs alone, with its shapes: forward, and the gradients that a step takes.
The sum of the shortest times is a floor for every loop that calls these kernels, since alone they find their inputs in
the cache. Layers of other kinds that multiply matrices, such as attention, aren't counted. A step is that of the loop
behind `cifar-dsl train`; the two are interleaved, and the best rounds count.

Claim: the kernels' floor is at least half of a step. Exits with 1 if it isn't.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from loops import ours
from measure import interleaved, report, verdict
from torch import Tensor, nn

import cifar_dsl

_SPECS = Path(__file__).parents[1] / "specs"
_BATCH = 64
_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
Kernel = Callable[[], object]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("specs", nargs="*", type=Path, default=[_SPECS / "baseline.arch", _SPECS / "residual.arch"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=_TYPES, default="fp32")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    claims: dict[str, bool] = {}
    for spec in options.specs:
        step = ours(spec, options.steps * _BATCH, _BATCH, torch.device("cpu"), f"train.precision={options.precision}")
        of_layers = kernels(spec, _TYPES[options.precision])
        flop = 2 * sum(macs for macs, _ in of_layers)
        alone = [kernel for _, kernel in of_layers]
        step()  # the first steps of a process are slower
        times = interleaved(
            {
                "step": lambda step=step: step() * 1000 / options.steps,
                "kernels": lambda alone=alone: sum(map(_shortest_ms, alone)),
            },
            options.rounds,
        )
        title = f"a step of {spec.name} in {options.precision}, batch {_BATCH}, {options.threads} threads"
        report(title, times, "ms", reference="step")
        best = {name: min(values) for name, values in times.items()}
        share = best["kernels"] / best["step"]
        print(f"\nbest: kernels {share:.0%} of a step, at {flop / best['kernels'] / 1e6:.0f} GFLOP/s\n")
        claims[f"{spec.stem}: convolutions and matrix products take at least half of a step"] = share >= 0.5
    return verdict(claims)


def kernels(spec_path: Path, dtype: torch.dtype) -> list[tuple[int, Kernel]]:
    """The kernels that the convolutions and dense layers of a spec call in a step, with their multiply-accumulates."""
    made: list[tuple[int, Kernel]] = []
    network = cifar_dsl.load(spec_path).build().to(memory_format=torch.channels_last)

    def add(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        made.extend(_of_layer(layer, inputs[0], output, dtype))

    for layer in network.modules():
        if type(layer) in (nn.Conv2d, nn.Linear):  # subclasses compute more than that
            layer.register_forward_hook(add)
    network(torch.randn(_BATCH, 3, 32, 32).to(memory_format=torch.channels_last))
    return made


def _of_layer(layer: nn.Module, x: Tensor, y: Tensor, dtype: torch.dtype) -> list[tuple[int, Kernel]]:
    """Forward, the gradient of the input unless that is an image, and those of weight and bias."""
    needs_input_gradient = x.requires_grad
    x, gradient = x.detach().to(dtype), torch.randn_like(y).to(dtype)
    weight: Tensor = layer.weight.detach().to(dtype)  # type: ignore[union-attr,assignment]
    bias = None if layer.bias is None else layer.bias.detach().to(dtype)  # type: ignore[union-attr,operator]
    if isinstance(layer, nn.Linear):
        x, gradient = x.flatten(0, -2), gradient.flatten(0, -2)
        macs = weight.numel() * len(x)
        backward = [partial(torch.mm, gradient, weight)] * needs_input_gradient + [partial(torch.mm, gradient.T, x)]
        return [(macs, partial(nn.functional.linear, x, weight, bias)), *((macs, kernel) for kernel in backward)]
    assert isinstance(layer, nn.Conv2d)
    assert not isinstance(layer.padding, str)
    macs = gradient.numel() * weight[0].numel()
    window = (layer.stride, layer.padding, layer.dilation)
    backward = partial(
        torch.ops.aten.convolution_backward,
        gradient,
        x,
        weight,
        None if bias is None else [len(bias)],
        *window,
        False,  # not transposed
        (0, 0),
        layer.groups,
        (needs_input_gradient, True, bias is not None),
    )
    return [
        (macs, partial(torch.conv2d, x, weight, bias, *window, layer.groups)),
        ((1 + needs_input_gradient) * macs, backward),
    ]


@torch.no_grad()
def _shortest_ms(run: Kernel) -> float:
    """The shortest of several times of a kernel."""
    run()
    shortest = float("inf")
    for _ in range(7):
        start = time.perf_counter()
        run()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest * 1000


if __name__ == "__main__":
    sys.exit(main())
