"""Tensors that pretend to lie on a GPU: torch's FakeTensors, which have shapes, types and devices, but no values."""

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import numpy as np
import torch
import torch._dynamo  # of FakeTensorMode, which can't import it where torch.cuda is replaced
from helpers.pretended_gpu.device import Gpu
from torch import Tensor, nn
from torch._subclasses import fake_tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.optim import optimizer
from torch.utils import _foreach_utils
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_SHAPED_BY_DATA = {
    "nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "repeat_interleave", "bincount",
}  # fmt: skip
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}
_LAUNCHES_NOTHING = {
    "detach", "empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view",
}  # fmt: skip
_READS = {"_local_scalar_dense", "is_nonzero"}
_COPIES = {"_to_copy", "copy_"}
_COMPARES = {"lt", "le", "gt", "ge"}


def is_possible() -> bool:
    """Whether this build of torch knows CUDA; no driver is needed."""
    return torch.backends.cuda.is_built()


@contextmanager
def pretended(gpu: Gpu) -> Iterator[None]:
    """The context in which torch has this GPU."""
    torch._C._ensureCUDADeviceGuardSet()
    # Otherwise optimizers would take FakeTensors one by one, where they take those of a GPU all at once.
    taken_at_once = [Tensor, nn.Parameter, FakeTensor]

    def tolist(tensor: Tensor) -> object:
        return _list(gpu, tensor)

    with ExitStack() as stack:
        stack.enter_context(gpu.installed())
        for where, name, replacement in (
            (fake_tensor, "init_gpu_context", lambda *_: None),
            (nn.Module, "_apply", _apply),
            (Tensor, "backward", _backward),
            (FakeTensor, "__deepcopy__", _deepcopy),
            (FakeTensor, "tolist", tolist),
            (FakeTensor, "numpy", _numpy),
            (optimizer, "_foreach_supported_types", taken_at_once),
            (_foreach_utils, "_foreach_supported_types", taken_at_once),
        ):
            stack.enter_context(mock.patch.object(where, name, replacement, create=True))
        stack.enter_context(_Pretended(allow_non_fake_inputs=True))
        stack.enter_context(_Watch(gpu))
        yield


class _Pretended(FakeTensorMode):
    """Touches no device, although torch is told that there is one."""

    avoid_device_init = True  # type: ignore[assignment]


class _Watch(TorchDispatchMode):
    """Sees every operator, also those of backward passes, before FakeTensorMode works out its result."""

    def __init__(self, gpu: Gpu) -> None:
        super().__init__()
        self._gpu = gpu
        self._compared: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.namespace in {"profiler", "prim"}:
            return func(*args, **kwargs)
        name = func.overloadpacket.__name__
        leaves = tree_leaves((args, kwargs))
        taken = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        if name in _READS:
            return self._read(name, taken[0])
        if name == "equal":
            if any(map(_is_on_gpu, taken)):
                self._gpu.host_waits(name)
            return True
        if any(map(_is_on_gpu, taken)) and (name in _SHAPED_BY_DATA or (name in _INDEXING and _has_mask(args[1]))):
            self._gpu.note("shape", name)
        # Fused steps change tensors in place; torch can't tell the shapes for some of them.
        result = None if name.startswith("_fused_") and name.endswith("_") else func(*args, **kwargs)
        made = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if name in _COMPARES:
            self._compared[made[0].untyped_storage()] = name
        self._note(func, name, args, kwargs, taken, made)
        if self._gpu.trace:
            self._gpu.trace.add(f"{func}{_text(leaves)}", taken, made)
        return result

    def _read(self, name: str, tensor: Tensor) -> object:
        """A number for the host that raises no alarm, or the known one of a constant."""
        if _is_on_gpu(tensor):
            self._gpu.host_waits(f"{name}: item, bool, float, int")
        constant = getattr(tensor, "constant", None)
        if constant is not None:
            return constant.item()
        if tensor.dtype == torch.bool:  # of a check such as `if lr < 0`, which finds nothing
            return self._compared.get(tensor.untyped_storage()) not in {"lt", "le"}
        return _some(tensor.dtype)

    def _note(
        self,
        func: Any,
        name: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        taken: list[Tensor],
        made: list[Tensor],
    ) -> None:
        gpu = self._gpu
        if name in _COPIES:
            is_in_place = name == "copy_"
            self._note_copy(args[is_in_place], args[0] if is_in_place else made[0], args, kwargs)
        is_launch = any(map(_is_on_gpu, (*taken, *made))) and not func.is_view and name not in _LAUNCHES_NOTHING
        if is_launch:
            written = [*_changed(func, args, kwargs), *made]
            gpu.launch(list(filter(_is_on_gpu, taken)), list(filter(_is_on_gpu, written)))
        if not gpu.capture:
            return
        if is_launch and name not in _COPIES and not all(map(_is_on_gpu, taken)):
            gpu.ledger.note("baked", f"{name} takes a number of the host")
        if made and not any(map(_is_on_gpu, (*taken, *made))):
            gpu.ledger.note("baked", f"{name} computes on the host")

    def _note_copy(self, source: Tensor, target: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        gpu = self._gpu
        is_asynchronous = bool(kwargs.get("non_blocking", len(args) > 2 and args[2]))
        if _is_on_gpu(source) and not _is_on_gpu(target):
            if not is_asynchronous:  # torch pins the target otherwise
                gpu.host_waits("a copy to the host")
            elif gpu.capture:
                gpu.ledger.note("forbidden", "a copy to the host")
        elif _is_on_gpu(target) and not _is_on_gpu(source):
            gpu.note("copy in", f"{tuple(source.shape)} {source.dtype}")
            gpu.host_clock |= gpu.stream.clock  # torch waits until memory that isn't pinned is copied


def _is_on_gpu(tensor: Tensor) -> bool:
    return tensor.device.type == "cuda"


def _has_mask(indices: object) -> bool:
    return any(isinstance(one, Tensor) and one.dtype in {torch.bool, torch.uint8} for one in tree_leaves(indices))


def _some(dtype: torch.dtype) -> object:
    return True if dtype == torch.bool else 0.5 if dtype.is_floating_point else 1


def _changed(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Tensor]:
    """The tensors that an operator changes in place."""
    found: list[Tensor] = []
    for number, argument in enumerate(func._schema.arguments):
        if argument.alias_info is not None and argument.alias_info.is_write:
            value = args[number] if number < len(args) else kwargs.get(argument.name)
            found += [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
    return found


def _text(leaves: Sequence[object]) -> str:
    return ", ".join(
        f"{leaf.dtype}{tuple(leaf.shape)}@{leaf.device.type}" if isinstance(leaf, Tensor) else repr(leaf)
        for leaf in leaves
    )


# ---- in place of torch's own


def _list(gpu: Gpu, tensor: Tensor) -> object:
    """One wait, however many numbers."""
    if _is_on_gpu(tensor):
        gpu.host_waits("tolist")

    def filled(shape: Sequence[int]) -> object:
        return [filled(shape[1:]) for _ in range(shape[0])] if shape else _some(tensor.dtype)

    return filled(tuple(tensor.shape))


def _numpy(tensor: Tensor) -> np.ndarray:
    """Zeros, of a tensor of the host."""
    if _is_on_gpu(tensor):
        raise TypeError("can't convert a tensor of a GPU to numpy")
    return np.zeros(tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))


@torch.no_grad()
def _backward(root: Tensor, *_: object, **__: object) -> None:
    """Torch's own engine asks the driver for streams; this one walks the same nodes and asks nobody."""
    start: Any = root.grad_fn
    uses: Counter[Any] = Counter()
    seen, stack = {start}, [start]
    while stack:
        for node, _slot in stack.pop().next_functions:
            if node is not None:
                uses[node] += 1
                if node not in seen:
                    seen.add(node)
                    stack.append(node)
    gradients: dict[Any, dict[int, Tensor]] = {start: {0: torch.ones_like(root)}}
    ready = [start]
    while ready:
        node = ready.pop()
        got = gradients.pop(node, {})
        compute = node if callable(node) else node.apply  # of a function of Python
        outcome = compute(*[got.get(number) for number in range(len(node._input_metadata))]) if got else ()
        outcome = outcome if isinstance(outcome, tuple) else (outcome,)
        for number, (following, slot) in enumerate(node.next_functions):
            if following is None:
                continue
            gradient = outcome[number] if number < len(outcome) else None
            if gradient is not None:
                expected = following._input_metadata[slot]
                if gradient.shape != expected.shape:
                    gradient = gradient.sum_to_size(expected.shape)
                gradient = gradient.to(expected.dtype)
                kept = gradients.setdefault(following, {})
                kept[slot] = kept[slot] + gradient if slot in kept else gradient
            uses[following] -= 1
            if not uses[following]:
                ready.append(following)


def _apply(module: nn.Module, function: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
    """As torch's, which can't exchange FakeTensors in place."""
    if recurse:
        for child in module.children():
            child._apply(function)
    for name, parameter in module._parameters.items():
        if parameter is not None:
            with torch.no_grad():
                module._parameters[name] = nn.Parameter(function(parameter).detach(), parameter.requires_grad)
    for name, buffer in module._buffers.items():
        if buffer is not None:
            module._buffers[name] = function(buffer)
    return module


def _deepcopy(tensor: Tensor, memo: dict[int, object]) -> object:
    if id(tensor) not in memo:
        copied = tensor.detach().clone()
        is_parameter = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = nn.Parameter(copied, tensor.requires_grad) if is_parameter else copied
    return memo[id(tensor)]
