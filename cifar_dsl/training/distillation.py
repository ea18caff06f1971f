"""Distillation: a teacher's scores for the images of a batch, and what a network learns from them."""

from collections.abc import Sequence

import torch
from safetensors.torch import load
from torch import Tensor

from cifar_dsl.foundation.errors import RunError
from cifar_dsl.ir import Recipe, TrainedOutput
from cifar_dsl.training.artifacts import TeacherFile
from cifar_dsl.training.engines import Engine
from cifar_dsl.training.images import normalized
from cifar_dsl.training.losses import DISTILLATION_MODULES
from cifar_dsl.training.lowering.torch_module import build_module, make


class Teacher:
    """A trained network in evaluation mode on a device, which several students can share: nothing changes it.

    `graph` is its network.
    """

    def __init__(self, file: TeacherFile, device: torch.device, engine: Engine) -> None:
        self.graph = file.graph
        self._module = build_module(file.graph, "teacher", seed=0)
        try:
            self._module.load_state_dict(load(file.content))
        except RuntimeError as error:
            reason = str(error).partition("\n")[0]
            raise RunError(
                f"the weights of the teacher, {file.record.path}, are not those of its network",
                "pass another run, or train its spec again",
                reason=reason,
            ) from error
        self._module.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._module.requires_grad_(requires_grad=False)
        self._module.eval()
        engine.prepare_module(self._module)
        self._scale = torch.tensor(file.normalization.scale, device=device)
        self._offset = torch.tensor(file.normalization.offset, device=device)

    @torch.no_grad()
    def __call__(self, values: Tensor) -> Tensor:
        """Images before normalization, (N, H, W, C) from 0 to 255 -> scores (N, classes) float32, without gradient."""
        scores: Tensor = self._module(normalized(values, self._scale, self._offset))
        return scores.float()


class Lesson:
    """The losses of a network's outputs in a recipe that distills, from labels and a teacher, in their shares.

    If some outputs learn from the teacher, these learn from it alone, and the others from the labels alone. Else, each
    learns from both. `reduction` is that of the losses of labels, "none" for those of each image.
    """

    def __init__(self, recipe: Recipe, outputs: Sequence[TrainedOutput], reduction: str) -> None:
        self._weight = recipe.distill.weight
        self._function = make(recipe.distill.lower(reduction), DISTILLATION_MODULES)
        self._learn_from_teacher = [one.learns_from_teacher for one in outputs]

    def losses(self, of_labels: Sequence[Tensor], scores: Sequence[Tensor], taught: Tensor) -> list[Tensor]:
        """The loss of each output, for that of the labels, both () or (N,), and the scores of both, (N, classes)."""
        shared = [(1 - self._weight) * loss for loss in of_labels]
        if not any(self._learn_from_teacher):
            return [loss + self._of_teacher(one, taught) for loss, one in zip(shared, scores, strict=True)]
        return [
            self._of_teacher(one, taught) if is_pupil else loss
            for is_pupil, loss, one in zip(self._learn_from_teacher, shared, scores, strict=True)
        ]

    def _of_teacher(self, scores: Tensor, taught: Tensor) -> Tensor:
        return self._weight * self._function(scores, taught)  # type: ignore[no-any-return]
