"""Networks that grow stage by stage: each drawn stage accepts the shape before it."""

from collections.abc import Callable

from attrs import define, field
from helpers.drawn_calls import LARGEST, bound, pattern_calls, shape_after, stages_of
from hypothesis import strategies as st

from cifar_dsl.ir import Shape
from cifar_dsl.operations.layers import JOINS, LAYERS, WEIGHTS, Enclosure
from cifar_dsl.operations.layers.axes import axis_noun
from cifar_dsl.operations.layers.parts import Each, Einsum, Windows
from cifar_dsl.operations.registry import MisfitError

MOST_TOKENS = 36  # that attend to each other in blocks on scores


@define
class Grown:
    """Lines of stages, and their output shape."""

    lines: list[str]
    shape: Shape


@define
class Growth:
    """Draws stages that fit together."""

    draw: st.DrawFn
    classes: int = 0  # outputs of each exit; 0: no exit is drawn
    blocks: list[str] = field(factory=list)
    _count: int = 0
    _loops: int = 0  # around the stages being drawn
    _parts: int = 0  # bodies for parts of an image or several uses, around the stages being drawn: no exits in them
    _attends: int | None = None  # tokens of the shifted window around them, which all attend to each other; 0: none may

    def name(self, stem: str) -> str:
        """A unique name."""
        self._count += 1
        return f"{stem}_{self._count}"

    def body(self, x: Shape, depth: int, least: int = 0) -> Grown:
        """A few stages."""
        grown = Grown([], x)
        for _ in range(self.draw(st.integers(least, 3))):
            stage = self.stage(grown.shape, depth)
            grown = Grown(grown.lines + stage.lines, stage.shape)
        return grown if len(grown.lines) >= least else Grown(["identity"], x)

    def stage(self, x: Shape, depth: int) -> Grown:
        """One stage: a layer or, if `depth` is positive, anything that contains stages."""
        kinds: list[Callable[[Shape, int], Grown]] = [self.layer]
        if depth:
            kinds += [self.block, self.join, self.let, self.slices, self.places, self.carry, self.loop, self.condition]
            kinds += [self.beside, self.library, self.layer, self.layer]
            kinds += [self.holes, self.branch_loop, self.several, self.tree]
            kinds += [self.parts, self.windows, self.product, self.attend, self.attention, self.tied]
            kinds += [self.exit] if self.classes and not self._parts else []
        return self.draw(st.sampled_from(kinds))(x, depth)

    def layer(self, x: Shape, depth: int) -> Grown:
        """A layer that accepts `x`."""
        for _ in range(3):
            text = self.draw(
                st.sampled_from(sorted({*LAYERS} - {"window_mask", "exit"})).flatmap(lambda name: stages_of(name, x))
            )
            shape = shape_after(text, x)
            # Attention that becomes its parts uses the function of its weight in each, and some refuse a part.
            is_risky = text.startswith("attention") and any(one in text for one in {*WEIGHTS} - {"none"})
            is_risky |= text.startswith("attention") and not self._may_attend(x)
            # A whitening layer must be the first; `_spec` draws it there.
            if shape and not is_risky and "whitening" not in text:
                return Grown([text], shape)
        return Grown(["relu"], x)

    def block(self, x: Shape, depth: int) -> Grown:
        """A call of a new block, with parameters of several types, all with defaults."""
        body = self.body(x, depth - 1)
        name, lines = self.name("unit"), list(body.lines)
        parameters = "k: int = 0, act: block = relu, on: bool = true, norm: none | after = none, portion: float = 0"
        lines += ["leaky_relu(slope=k) -> act", "if on { dropout(portion) }", "if norm == after { layernorm }"]
        given = ["", "(1)", "(k=1)", "(1, tanh)", "(act=gelu, on=false)", "(norm=after, portion=0.5)", "(2, noted)"]
        call = self.draw(st.sampled_from(given))
        if "noted" in call:
            self.blocks.append(f"block {name}_act() {{ elu(0.5) }}")
            call = call.replace("noted", f"{name}_act")
        self.blocks.append(f"block {name}({parameters}) {{\n" + "\n".join(lines) + "\n}")
        return Grown([name + call], body.shape)

    def exit(self, x: Shape, depth: int) -> Grown:
        """An exit beside the flow."""
        call = self.draw(st.sampled_from(["exit", "exit(0.3)", "exit(0)"]))
        return Grown([f"let {self.name('early')} = flatten -> dense({self.classes}) -> {call}"], x)

    def beside(self, x: Shape, depth: int) -> Grown:
        """A block with a tensor parameter."""
        block, tensor = self.name("joined"), self.name("other")
        self.blocks.append(f"block {block}(other: tensor) {{ add {{ identity | other -> tanh }} }}")
        return Grown([f"let {tensor} = sigmoid", f"{block}({tensor})"], x)

    def holes(self, x: Shape, depth: int) -> Grown:
        """A block that gets blocks as branches."""
        name, first = self.name("holes"), self.body(x, depth - 1, least=1)
        second = self.body(first.shape, depth - 1, least=1)
        self.blocks.append(f"block {name}(f: block, g: block) {{ f -> g }}")
        return Grown([f"{name} {{", *first.lines, "|", *second.lines, "}"], second.shape)

    def tied(self, x: Shape, depth: int) -> Grown:
        """A tied block that is used in two branches, and again by another one or in a loop, if it keeps the shape."""
        name = self.name("tied")
        self._parts += 1
        body = self.body(x, depth - 1, least=1)
        self._parts -= 1
        lines = [f"let {name} = tied {{", *body.lines, "}", f"add {{ {name} | tanh -> {name} }}"]
        if body.shape == x:
            other = self.name("other")
            again = [f"repeat 2 {{ {name} }}", f"let {other} = tied {{ {name} -> tanh }}\n{other} -> {name} -> {other}"]
            lines.append(self.draw(st.sampled_from(again)))
        return Grown(lines, body.shape)

    def branch_loop(self, x: Shape, depth: int) -> Grown:
        """A join with a branch for each round of a loop."""
        kind = self.draw(st.sampled_from(["add", "concat", "mul", "mean", "max", "shake"]))
        head = self.draw(st.sampled_from(["for i in 0..2", "for (i, j) in [(1, 2), (3, 4)]"]))
        body = self.body(x, depth - 1, least=1)
        shape = JOINS[kind]().infer(body.shape, body.shape)
        if shape.elements > LARGEST:
            return Grown(["relu"], x)
        return Grown([f"{kind} {head} {{", *body.lines, "}"], shape)

    def several(self, x: Shape, depth: int) -> Grown:
        """A block that gives a list of tensors, which get names, are collected, or are branches."""
        name, one, other, all_ = (self.name(stem) for stem in ("several", "one", "other", "all"))
        self.blocks.append(f"block {name}() {{ let a = tanh\nlet b = sigmoid\n[b, a] }}")
        named = [f"let ({one}, {other}) = {name}", f"({one}, {other}) = {name}", f"add {{ {one} | {other} -> relu }}"]
        loop = [f"for i in 0..2 {{ let {one} = relu", f"{all_} = {all_} + [{one}] }}"]
        missing = "if in_channels == 0 { relu } else { [] }"
        collected = [f"let {all_} = {name}", *loop, f"add {{ {all_}[1:] | {all_}[0] | {missing} }}"]
        return Grown(self.draw(st.sampled_from([named, collected])), x)

    def tree(self, x: Shape, depth: int) -> Grown:
        """A block that calls itself."""
        name, body = self.name("tree"), self.body(x, depth - 1, least=1)
        lines = body.lines if body.shape == x else ["tanh"]
        deeper = f"let left = {name}(levels - 1)\nadd {{ left | left -> {name}(levels - 1) }}"
        leaf = "\n".join(lines)
        self.blocks.append(f"block {name}(levels: int = 2) {{ if levels == 0 {{\n{leaf}\n}} else {{ {deeper} }} }}")
        return Grown([name], x)

    def library(self, x: Shape, depth: int) -> Grown:
        """A block of the library."""
        if not x.is_image:
            return Grown(["identity"], x)
        name = self.draw(st.sampled_from(["basic_block", "preact_block", "conv_block"]))
        channels = self.draw(st.integers(1, 4))
        return Grown([f"{name}({channels})"], Shape((channels, *x.extents[1:])))

    def slices(self, x: Shape, depth: int) -> Grown:
        """A tensor split in two and concatenated in reverse order."""
        if x.channels == 1 or x.is_tokens:
            return Grown(["identity"], x)
        name, cut = self.name("whole"), self.draw(st.integers(1, x.channels - 1))
        return Grown([f"let {name} = identity", f"concat {{ {name}[{cut}:] -> tanh | {name}[:{cut}] }}"], x)

    def places(self, x: Shape, depth: int) -> Grown:
        """A slice of every axis."""
        cuts, extents = [], []
        for extent in x.extents:
            start = self.draw(st.integers(0, extent - 1))
            stop, step = self.draw(st.integers(start + 1, extent)), self.draw(st.integers(1, 3))
            extents.append(len(range(start, stop, step)))
            cuts.append(self.draw(st.sampled_from([f"{start}:{stop}:{step}", f"{start or ''}:{stop}:{step}"])))
        if len(cuts) == 1:
            return Grown([f"identity[{cuts[0]}]"], Shape((extents[0],)))
        return Grown([f"identity[{', '.join(cuts)}]"], Shape(tuple(extents)))

    def carry(self, x: Shape, depth: int) -> Grown:
        """A loop that carries a tensor to its next iteration."""
        last, here = self.name("last"), self.name("here")
        body = [f"let {here} = identity", f"add {{ tanh | {last} }}", f"{last} = {here}"]
        return Grown([f"let {last} = identity", "repeat 2 {", *body, "}"], x)

    def join(self, x: Shape, depth: int) -> Grown:
        """A join whose branches fit, after some extents of an elementwise one are cut to 1."""
        kind = self.draw(st.sampled_from(sorted(set(JOINS) - {"einsum", "attend"})))
        join, head = JOINS[kind](), kind
        branches = [self.body(x, depth - 1, least=1) for _ in range(self.draw(st.integers(2, 3)))]
        if kind == "concat":
            first = branches[0].shape
            over = self.draw(st.sampled_from(["first", *(axis_noun(first, i) for i in range(len(first.extents)))]))
            join, head = JOINS[kind](over=over), kind if over == "first" else f"{kind}({over})"
        else:
            if kind == "mean" and self.draw(st.booleans()):
                join, head = JOINS[kind](drop=0.5), "mean(drop=0.5)"
            branches = [self.cut(b) if self.draw(st.booleans()) else b for b in branches]
        fitting: list[Grown] = []
        for b in branches:
            try:
                join.infer(*(one.shape for one in [*fitting, b]))
            except MisfitError:
                continue
            fitting.append(b)
        shape = join.infer(*(b.shape for b in fitting)) if len(fitting) > 1 else None
        if shape is None or shape.elements > LARGEST:
            return Grown(["relu"], x)
        return Grown([f"{head} {{", "\n|\n".join("\n".join(b.lines) for b in fitting), "}"], shape)

    def parts(self, x: Shape, depth: int) -> Grown:
        """A body for each part of a tensor."""
        call = self.draw(pattern_calls("each", x))
        each = bound(Each, call, x)
        assert each is not None
        return self.enclosed(each, call, x, depth)

    def windows(self, x: Shape, depth: int) -> Grown:
        """A body for each window of an image."""
        if not x.is_image:
            return Grown(["tanh"], x)
        sides = [self.draw(st.sampled_from([n for n in range(1, e + 1) if not e % n])) for e in x.extents[1:]]
        shifts = [self.draw(st.integers(0, side - 1)) for side in sides]
        windows = Windows(size=tuple(sides), shift=tuple(shifts))
        shift = f", shift={shifts[0]}x{shifts[1]}" if any(shifts) else ""
        return self.enclosed(windows, f"windows({sides[0]}x{sides[1]}{shift})", x, depth)

    def enclosed(self, scope: Enclosure, call: str, x: Shape, depth: int) -> Grown:
        """A scope whose body gives what it can bring back."""
        part = scope.enter(x).infer(x)
        around = self._attends
        if isinstance(scope, Windows) and any(scope.shift):
            self._attends = part.extents[0] if around is None else 0
        elif around is not None:
            self._attends = 0
        self._parts += 1
        body = self.body(part, depth - 1, least=1)
        self._parts -= 1
        self._attends = around
        try:
            shape = scope.leave(x).infer(body.shape)
        except MisfitError:
            body, shape = Grown(["tanh"], part), x
        if max(body.shape.elements * scope.parts(x), shape.elements) > LARGEST:
            body, shape = Grown(["tanh"], part), x
        return Grown([f"{call} {{", *body.lines, "}"], shape)

    def product(self, x: Shape, depth: int) -> Grown:
        """A product of two branches, summed over some of the axes that they share."""
        branches = [self.body(x, depth - 1, least=1) for _ in range(2)]
        names = iter("abcdefgh")
        first, second = ([(next(names), extent) for extent in branch.shape.extents] for branch in branches)
        for place, (_, extent) in enumerate(second):
            same = [axis for axis in first if axis[1] == extent and axis not in second]
            if same and self.draw(st.booleans()):
                second[place] = self.draw(st.sampled_from(same))
        shared = [axis for axis in first if axis in second]
        summed = [axis for axis in shared if self.draw(st.booleans())]
        kept = self.draw(st.permutations(list(dict.fromkeys(axis for axis in [*first, *second] if axis not in summed))))
        groups: list[list[str]] = [[] for _ in range(self.draw(st.integers(1, 3)))]
        for name, _ in kept:
            self.draw(st.sampled_from(groups)).append(name)
        sides = [", ".join(name for name, _ in side) for side in (first, second)]
        call = f"einsum({' | '.join(sides)} -> {', '.join(' * '.join(group) or '1' for group in groups)})"
        einsum = bound(Einsum, call, *(branch.shape for branch in branches))
        assert einsum is not None
        shape = einsum.infer(*(branch.shape for branch in branches))
        if shape.elements > LARGEST:
            return Grown(["relu"], x)
        lines = [f"{call} {{", *branches[0].lines, "|", *branches[1].lines, "}"]
        return Grown(lines, shape)

    def _may_attend(self, x: Shape) -> bool:
        """Whether the mask of a shifted window, if there is one, fits the tokens or pixels of `x`."""
        return self._attends is None or (x.is_tokens and x.extents[0] == self._attends)

    def attend(self, x: Shape, depth: int) -> Grown:
        """Attention to some of the tokens, or of the pixels of an image."""
        if len(x.extents) == 1:
            return Grown(["tanh"], x)
        tokens = x.elements // x.channels
        if tokens > MOST_TOKENS or not self._may_attend(x):
            return Grown(["sigmoid"], x)
        heads, keys = self.draw(st.integers(1, 2)), self.draw(st.integers(1, tokens))
        if self._attends is not None:
            keys = tokens
        options = [f"before={self.scores_block(tokens)}"] if keys == tokens and self.draw(st.booleans()) else []
        options += [f"after={self.draw(st.sampled_from(['identity', 'tanh']))}"]
        options += self.draw(st.sampled_from([[], ["scaled=false"]]))
        some = self.draw(st.permutations(options))[: self.draw(st.integers(0, len(options)))]
        queries, values = (heads * self.draw(st.integers(1, 3)) for _ in range(2))
        cut = f"identity[:{keys}, :] -> " if keys < tokens else ""
        branches = f"dense({queries}) | {cut}dense({queries}) | {cut}dense({values})"
        opening = ["tokens"] if x.is_image else []
        return Grown([*opening, f"attend({', '.join([str(heads), *some])}) {{ {branches} }}"], Shape((tokens, values)))

    def attention(self, x: Shape, depth: int) -> Grown:
        """Self-attention with blocks on its scores, or on its queries and keys."""
        if not x.is_tokens or x.extents[0] > MOST_TOKENS or not self._may_attend(x):
            return Grown(["sigmoid"], x)
        tokens, features = x.extents
        options = [
            f"before={self.scores_block(tokens)}",
            "after=tanh",
            f"qk_norm={self.draw(st.sampled_from(['layernorm', 'l2norm', 'tanh']))}",
            "qkv_bias=false",
        ]
        some = self.draw(st.permutations(options))[: self.draw(st.integers(0, len(options)))]
        heads = self.draw(st.integers(1, 3))
        if features % heads or self.draw(st.booleans()):
            some.append(f"dim_head={self.draw(st.integers(1, 3))}")
        return Grown([f"attention({', '.join([str(heads), *some])})"], x)

    def scores_block(self, tokens: int) -> str:
        """A block on scores of this many queries and keys."""
        name = self.draw(st.sampled_from(["tanh", "relative_bias"]))
        if name == "relative_bias":
            name = self.name("biased")
            rows = self.draw(st.sampled_from([n for n in range(1, tokens + 1) if not tokens % n]))
            self.blocks.append(f"block {name}() {{ relative_bias(size={rows}x{tokens // rows}) }}")
        return name

    def cut(self, branch: Grown) -> Grown:
        """A branch of which only the first of some axes are left."""
        cuts = [self.draw(st.booleans()) for _ in branch.shape.extents]
        if len(cuts) == 1:
            return Grown([*branch.lines, "identity[:1]"], Shape((1,)))
        extents = tuple(1 if is_cut else e for is_cut, e in zip(cuts, branch.shape.extents, strict=True))
        places = ", ".join(":1" if is_cut else ":" for is_cut in cuts)
        return Grown([*branch.lines, f"identity[{places}]"], Shape(extents))

    def let(self, x: Shape, depth: int) -> Grown:
        """A named tensor, used in another branch or not at all."""
        side = self.body(x, depth - 1, least=1)
        name = self.name("side")
        chain = " -> ".join(side.lines).replace("{ ->", "{")
        if any("let " in line or "{" in line or "}" in line or "|" in line for line in side.lines):
            chain, side = "relu -> relu", Grown([], x)
        use = self.draw(st.sampled_from(["", name, f"{name} -> relu", f"add {{ {name} | {name} -> tanh }}"]))
        return Grown([f"let {name} = {chain} -> identity", *([use] if use else [])], side.shape if use else x)

    def loop(self, x: Shape, depth: int) -> Grown:
        """A loop whose body keeps the shape."""
        head = self.draw(st.sampled_from(["repeat 2", "for i in [1, 2]", "for (i, j) in [(1, 2)]", "for i in 0..2"]))
        self._loops += 1
        body = self.body(x, depth - 1)
        self._loops -= 1
        lines = body.lines if body.shape == x else ["tanh"]
        # A stage in a loop can't have an `as` name: the second iteration would define it again.
        end = "}" if self._loops else self.draw(st.sampled_from(["}", f"}} as {self.name('loop')}"]))
        return Grown([f"{head} {{", *lines, end], x)

    def condition(self, x: Shape, depth: int) -> Grown:
        """A condition on the current tensor with one arm that applies."""
        taken, other = self.body(x, depth - 1), self.body(x, 0)
        if self.draw(st.booleans()):
            return Grown([f"if in_channels == {x.channels} {{", *taken.lines, "}"], taken.shape)
        return Grown(["if in_channels == 0 {", *other.lines, "} else {", *taken.lines, "}"], taken.shape)
