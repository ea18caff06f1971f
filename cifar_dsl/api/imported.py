"""Networks of PyTorch as specs, in Python."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cifar_dsl.api.arguments import image_shape
from cifar_dsl.api.specs import PathLike, Spec, spec_of_text
from cifar_dsl.foundation.errors import UserError
from cifar_dsl.foundation.records import frozen

if TYPE_CHECKING:
    from torch import nn

    from cifar_dsl.importing.importer import Imported
    from cifar_dsl.importing.verification import Agreement


@frozen
class ImportedSpec:
    """A spec that computes what a module of PyTorch computes. Created by `from_torch`.

    `agreement` tells how the scores of both compare.
    """

    spec: Spec
    imported: "Imported"
    module: "nn.Module"

    @property
    def agreement(self) -> "Agreement":
        """The largest differences of the scores, and their spread between images."""
        return self.imported.agreement

    def network(self) -> "nn.Module":
        """The network of the spec as a module on the CPU, with the weights of the imported one."""
        from cifar_dsl.importing.importer import network_of

        return network_of(self.imported, self.module)

    def save(self, path: PathLike) -> None:
        """Write the spec, and its weights beside it as a file that ends in .safetensors. Raises OSError."""
        from cifar_dsl.importing.importer import safetensors, save

        place = Path(path)
        content = safetensors(self.imported, self.module)
        save(self.imported, content, place, place.with_suffix(".safetensors"), f"a {type(self.module).__name__}")


def from_torch(module: "nn.Module", input: Sequence[int], name: str = "imported") -> ImportedSpec:  # noqa: A002
    """Import a module that takes a batch of images of shape `input`, (C, H, W), as a spec called `name`.

    Compares the scores of both. Raises UserError if torch can't trace the module, the language can't say it, or the
    scores differ.
    """
    from torch import nn

    from cifar_dsl.importing.importer import import_module

    if not isinstance(module, nn.Module):
        raise UserError(f"from_torch takes a torch.nn.Module, not a {type(module).__name__}")
    imported = import_module(module, image_shape(input), name)
    return ImportedSpec(spec_of_text(imported.text, f"{name}.arch"), imported, module)
