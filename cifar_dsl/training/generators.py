"""The states of torch's generators, which dropout uses: one stream of random numbers per network."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from cifar_dsl.foundation.records import define, field


@define
class Generator:
    """The state of a device's default generator for one network."""

    device: torch.device
    _state: Tensor | None = field(default=None, init=False)  # while another network uses the device's generator
    is_shared: bool = field(default=False, init=False)  # with other networks, in turn

    def share(self) -> None:
        """Prepare for other networks that use the device's generator in turn."""
        self.is_shared = True

    def seed(self, seed: int) -> None:
        """Start a new stream of random numbers."""
        seed_generator(self.device, seed)
        self._state = _state(self.device) if self.is_shared else None

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """The context in which the device's generator is this network's, if it is shared."""
        assert self._state is not None
        _set_state(self.device, self._state)
        yield
        self._state = _state(self.device)

    def state(self) -> Tensor:
        """The position in the stream."""
        return _state(self.device) if self._state is None else self._state

    def restore(self, state: Tensor) -> None:
        """Set the position for `resume` to what `state` returned."""
        self._state = state

    def resume(self) -> None:
        """Continue from the restored position."""
        if not self.is_shared and self._state is not None:
            _set_state(self.device, self._state)
            self._state = None


def seed_generator(device: torch.device, seed: int) -> None:
    """Seed the generator of `device` only; `torch.manual_seed` would seed those of all devices."""
    match device.type:
        case "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        case "mps":
            torch.mps.manual_seed(seed)
        case _:
            torch.default_generator.manual_seed(seed)


@contextmanager
def generators_preserved(device: torch.device) -> Iterator[None]:
    """Restore the states of torch's generators, of the CPU and of `device`, on exit."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):  # it doesn't handle mps
        state = torch.mps.get_rng_state() if device.type == "mps" else None
        try:
            yield
        finally:
            if state is not None:
                torch.mps.set_rng_state(state)


def _state(device: torch.device) -> Tensor:
    match device.type:
        case "cuda":
            return torch.cuda.get_rng_state(device)
        case "mps":
            return torch.mps.get_rng_state()
        case _:
            return torch.get_rng_state()


def _set_state(device: torch.device, state: Tensor) -> None:
    state = state.cpu()
    match device.type:
        case "cuda":
            torch.cuda.set_rng_state(state, device)
        case "mps":
            torch.mps.set_rng_state(state)
        case _:
            torch.set_rng_state(state)
