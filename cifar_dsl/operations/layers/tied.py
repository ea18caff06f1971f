"""Tied blocks: stages whose uses all have the same weights."""

from cifar_dsl.ir import declared
from cifar_dsl.operations.layers.base import SCOPES, Enclosure


@SCOPES.register("tied")
@declared
class Tied(Enclosure):
    """A stage whose uses all have the same weights, which the first use makes: `let f = tied { conv(8, 3, pad=1) }`.

    `f` is a stage, as a block is: `f -> relu -> f`. The weights stand under the path of the first use, and their
    gradient is the sum over the uses. As in recurrent convolutional networks, Liang and Hu 2015, and ALBERT, Lan et al.
    2019, https://arxiv.org/abs/1909.11942.
    """

    runs_in_place = False
