"""Operations that make the host wait for the device, found on a CPU: a step with one of them can't be recorded."""

from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

# Reading a number, a shape that depends on values, and a tensor made from Python numbers.
_WAITS = {"_local_scalar_dense", "is_nonzero", "nonzero", "masked_select", "lift_fresh"}


class HostWaits(TorchDispatchMode):
    """A context that collects the names of these operations in `found`."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket.__name__ in _WAITS:
            self.found.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))
