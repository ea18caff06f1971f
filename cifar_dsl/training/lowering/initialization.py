"""Initialization of weights, as the layers declare it."""

import hashlib

import torch
from torch import nn

from cifar_dsl.ir import Graph, Parameter

OF_WEIGHT = ("norms", "singular")  # initial values that follow from the layer's weight


def initialize(module: nn.Module, graph: Graph, seed: int) -> None:
    """Fill every parameter and buffer of `module` in place, except those whose values follow from the layer's weight.

    Each has a generator of its own, seeded with (seed, path), so no weight depends on the presence of another.
    """
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    with torch.no_grad():
        for node in graph.nodes:
            for parameter in node.parameters:
                path = f"{node.path}.{parameter.name}"
                _fill(tensors.pop(path), parameter, seed, path)
    if tensors:
        raise AssertionError(f"tensors without a declaration: {', '.join(tensors)}")


def _fill(tensor: torch.Tensor, parameter: Parameter, seed: int, path: str) -> None:
    initial = parameter.initial
    arguments = {name: float(str(value)) for name, value in initial.arguments}
    generator = generator_of(seed, path)
    match initial.name:
        case "constant":
            tensor.fill_(arguments["value"])
        case "uniform" | "whitening":  # `whiten` replaces these values when training starts
            tensor.uniform_(-arguments["bound"], arguments["bound"], generator=generator)
        case "normal":
            tensor.normal_(0, arguments["std"], generator=generator)
        case "truncated_normal":
            nn.init.trunc_normal_(tensor, std=arguments["std"], generator=generator)
        case "orthogonal":
            nn.init.orthogonal_(tensor, gain=arguments["gain"], generator=generator)
        case "unit_variance":
            tensor.uniform_(-arguments["bound"], arguments["bound"], generator=generator)
            tensor /= tensor.std()
        case "dirac":
            tensor.uniform_(-arguments["bound"], arguments["bound"], generator=generator)
            identity = nn.init.eye_ if tensor.dim() == 2 else nn.init.dirac_
            for group in tensor.chunk(parameter.groups):
                identity(group[: group.shape[1]])
        case name if name in OF_WEIGHT:
            pass
        case "sine":
            tensor.copy_(_sines(tensor, **arguments))
        case name:
            raise AssertionError(f"unknown initializer {name}")


def generator_of(seed: int, path: str) -> torch.Generator:
    """The generator of a tensor's initial values."""
    digest = hashlib.sha256(f"{seed}/{path}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


def _sines(
    tensor: torch.Tensor,
    rows: float,
    columns: float,
    temperature: float,
    normalized: float,
) -> torch.Tensor:
    """Sines and cosines of the positions of tokens, (T, D): along the sequence, or in a grid at its end."""
    tokens, features = tensor.shape
    if not rows:
        waves = _waves(_places(tokens, normalized), features // 2, temperature)
        return torch.stack([waves.sin(), waves.cos()], 2).flatten(1)
    across = _places(int(columns), normalized).repeat(int(rows))
    down = _places(int(rows), normalized).repeat_interleave(int(columns))
    both = [_waves(axis, features // 4, temperature) for axis in (across, down)]
    sines = [wave for axis in both for wave in (axis.sin(), axis.cos())]
    inside = torch.cat(sines, 1)
    return torch.cat([inside.new_zeros(tokens - len(inside), features), inside])


def _places(count: int, normalized: float) -> torch.Tensor:
    """The positions along an axis, from 0, or up to 2 pi."""
    places = torch.arange(count, dtype=torch.float64)
    return 2 * torch.pi * (places + 1) / count if normalized else places


def _waves(positions: torch.Tensor, count: int, temperature: float) -> torch.Tensor:
    """The positions times `count` falling frequencies, (positions, frequencies)."""
    frequencies = temperature ** (-torch.arange(count, dtype=torch.float64) / count)
    return positions[:, None] * frequencies
