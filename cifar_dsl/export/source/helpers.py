"""Classes and functions that printed files have in front of their own, where they use them."""

CHAIN, CHAIN_OF_INPUTS, JOIN, JOIN_OF_INPUTS = "Stages", "StagesOfInputs", "Join", "JoinOfInputs"
NUMBERED = "numbered"
AGAIN, TIE = "Again", "tie"
HELPERS = {
    CHAIN: '''class Stages(nn.Sequential):
    """Stages that run in order, each under its name."""

    def __init__(self, **stages: nn.Module) -> None:
        super().__init__()
        for name, stage in stages.items():
            self.add_module(name, stage)''',
    CHAIN_OF_INPUTS: '''class StagesOfInputs(Stages):
    """Stages that run in order, of which the first takes several inputs."""

    def forward(self, *inputs: Tensor) -> Any:
        first, *others = self.children()
        x = first(*inputs)
        for stage in others:
            x = stage(x)
        return x''',
    JOIN: '''class Join(nn.Module):
    """Branches that all get the input, and the join of their outputs."""

    def __init__(self, join: nn.Module, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)
        self.join = join

    def forward(self, x: Tensor) -> Tensor:
        *branches, join = self.children()
        y: Tensor = join(*(branch(x) for branch in branches))
        return y''',
    JOIN_OF_INPUTS: '''class JoinOfInputs(nn.Module):
    """Branches that each get an input, and the join of their outputs."""

    def __init__(self, join: nn.Module, **branches: nn.Module) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)
        self.join = join

    def forward(self, *inputs: Tensor) -> Tensor:
        *branches, join = self.children()
        pairs = zip(branches, inputs, strict=True)
        y: Tensor = join(*(branch(x) for branch, x in pairs))
        return y''',
    NUMBERED: '''def numbered(name: str, number: int) -> str:
    """The name of a stage: conv, conv2, conv3 ..."""
    return name if number == 1 else f"{name}{number}"''',
    AGAIN: '''class Again(nn.Module):
    """Another use of a stage, whose weights are under the name of its first use."""

    def __init__(self, stage: nn.Module) -> None:
        super().__init__()
        self._stage = (stage,)  # a tuple, so that the stage isn't a child here

    def forward(self, *inputs: Tensor) -> Tensor:
        y: Tensor = self._stage[0](*inputs)
        return y''',
    TIE: '''def tie(network: nn.Module, first: str, *others: str) -> None:
    """Replace stages by other uses of the stage `first`."""
    for path in others:
        around, _, name = path.rpartition(".")
        again = Again(network.get_submodule(first))
        network.get_submodule(around).add_module(name, again)''',
}
