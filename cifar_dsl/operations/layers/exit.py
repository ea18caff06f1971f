"""The stage that makes the current tensor an output of the network that is trained."""

from cifar_dsl.ir import Execution, Lowering, Shape, argument, declared
from cifar_dsl.ir.execution import NOTHING
from cifar_dsl.operations.argument_types import Choice, Float
from cifar_dsl.operations.layers.base import LAYERS, Layer, noun
from cifar_dsl.operations.registry import MisfitError

_GROUP = "Exits"


@LAYERS.register("exit", _GROUP)
@declared
class Exit(Layer):
    """Train the current tensor, scores (classes,), as another output of the network, and pass it on.

    The loss is the sum of the losses of all exits and of the network's output, times their weights. The output's
    weight is 1, unless its last stage is an exit. Tests compute the output alone. If an exit learns from a teacher,
    `distill` concerns such exits alone, and the other outputs learn the labels. As the auxiliary classifiers of
    Szegedy et al. 2014, https://arxiv.org/abs/1409.4842.
    """

    execution = Execution(saves=NOTHING, views=True)

    weight: float = argument(Float(0), "factor on its loss; 0: it is measured, and not trained", default=1.0)
    learns: str = argument(
        Choice(("labels", "teacher")),
        "what it learns, if the recipe has `distill`",
        default="labels",
    )

    def infer(self, x: Shape) -> Shape:
        if x.is_image or x.is_tokens:
            score = "global_avgpool -> dense(10)" if x.is_image else "token(0) -> dense(10)"
            raise MisfitError(
                "E0306",
                f"`exit` marks a vector of scores, one for each class, not {noun(x)}",
                help=(f"compute scores before it, such as `{score} -> exit`",),
            )
        return x

    @property
    def exit_weight(self) -> float:
        return self.weight

    @property
    def learns_from_teacher(self) -> bool:
        return self.learns == "teacher"

    def lower(self, x: Shape) -> Lowering:
        return Lowering.to("torch.nn.Identity")
