"""Gradient clipping."""

from cifar_dsl.ir import Lowering, argument, declared
from cifar_dsl.ir.recipe import Clip
from cifar_dsl.operations.argument_types import Float
from cifar_dsl.operations.registry import Registry

CLIPS: Registry[Clip] = Registry("clipping")


@CLIPS.register("none")
@declared
class NoClip(Clip):
    """No clipping."""

    def lower(self) -> None:
        return None


@CLIPS.register("norm")
@declared
class ClipNorm(Clip):
    """Scale all gradients together so that their norm is at most `limit`; Pascanu et al. 2012, https://arxiv.org/abs/1211.5063."""

    limit: float = argument(Float(0, open_low=True), "maximum norm")

    def lower(self) -> Lowering:
        return Lowering.to("torch.nn.utils.clip_grad_norm_", max_norm=self.limit)


@CLIPS.register("value")
@declared
class ClipValue(Clip):
    """Clip every element of every gradient to [-limit, limit]."""

    limit: float = argument(Float(0, open_low=True), "maximum absolute value")

    def lower(self) -> Lowering:
        return Lowering.to("torch.nn.utils.clip_grad_value_", clip_value=self.limit)
