"""Torch's generators, from which dropout draws: one for each network, and all left as they were in the end."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from attrs import define, field
from torch import Tensor


@define
class Generator:
    """The state that torch's default generator of a device has while one network draws from it."""

    device: torch.device
    _state: Tensor | None = field(default=None, init=False)  # while the device's generator is elsewhere
    _is_shared: bool = field(default=False, init=False)

    def share(self) -> None:
        """From now on others draw from the device's generator too, in turn."""
        self._is_shared = True

    def seed(self, seed: int) -> None:
        """Begin a new stream of numbers."""
        seed_generator(self.device, seed)
        self._state = _state(self.device) if self._is_shared else None

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """While this network draws."""
        if not self._is_shared:
            yield
            return
        assert self._state is not None
        _set_state(self.device, self._state)
        yield
        self._state = _state(self.device)

    def state(self) -> Tensor:
        """Where the stream is."""
        return _state(self.device) if self._state is None else self._state

    def restore(self, state: Tensor) -> None:
        """`resume` is to go on from what `state` gave."""
        self._state = state

    def resume(self) -> None:
        """Go on from there."""
        if not self._is_shared and self._state is not None:
            _set_state(self.device, self._state)
            self._state = None


def seed_generator(device: torch.device, seed: int) -> None:
    """Seed the generator of `device` alone; `torch.manual_seed` would reseed those of all devices."""
    match device.type:
        case "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        case "mps":
            torch.mps.manual_seed(seed)
        case _:
            torch.default_generator.manual_seed(seed)


@contextmanager
def generators_kept(device: torch.device) -> Iterator[None]:
    """Leave torch's generators, of the CPU and of `device`, in the end as they were."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):  # knows nothing of mps
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
