"""Graph -> picture."""

from helpers.networks import networks
from helpers.specs import graph_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cifar_dsl.compiler import analyze, analyze_text
from cifar_dsl.foundation.resources import specs_directory
from cifar_dsl.views.pictures import draw
from cifar_dsl.views.pictures.model import INPUT, OUTPUT, Arrow, Box, Frame, Item, Picture


def drawn(model: str, items: str = "", depth: int | None = None) -> Picture:
    return draw(graph_of(model, items), "test", depth)


def arrows(picture: Picture) -> list[tuple[str, str, str]]:
    return [(arrow.start, arrow.end, arrow.label) for arrow in picture.arrows]


def frames(items: tuple[Item, ...]) -> dict[str, list[str]]:
    """The keys of the items directly inside each frame."""
    found: dict[str, list[str]] = {}
    for item in items:
        if isinstance(item, Frame):
            found[item.key] = [inner.key for inner in item.items]
            found |= frames(item.items)
    return found


def test_a_chain_of_layers_with_shapes_where_they_change() -> None:
    picture = drawn("conv(4, 3) -> relu -> flatten -> dense(10)")
    assert picture.notes == ("1,562 parameters, 5,328 multiply-accumulates",)
    assert picture.items == (
        Box(INPUT, "terminal", "input"),
        Box("conv", "conv", "conv(4, 3)", ("112 parameters",)),
        Box("relu", "activation", "relu"),
        Box("flatten", "other", "flatten"),
        Box("dense", "dense", "dense(10)", ("1,450 parameters",)),
        Box(OUTPUT, "terminal", "output"),
    )
    assert arrows(picture) == [
        (INPUT, "conv", "3x8x8"),
        ("conv", "relu", "4x6x6"),
        ("relu", "flatten", ""),
        ("flatten", "dense", "144"),
        ("dense", OUTPUT, "10"),
    ]


def test_no_arrow_leads_to_a_learned_tensor() -> None:
    assert arrows(drawn("conv(4, 3) -> mul { identity | learned(4x1x1) }\nrelu")) == [
        (INPUT, "conv", "3x8x8"),
        ("conv", "mul", ""),
        ("mul.branch2.learned", "mul", "4x1x1"),
        ("mul", "relu", "4x6x6"),
        ("relu", OUTPUT, "4x6x6"),
    ]


def test_families_have_different_colours() -> None:
    picture = drawn("conv(4, 1)\nbn\nrelu\nmaxpool(2)\nadd { tanh | identity }\ndropout(0.1)\nflatten\ndense(4)")
    assert [box.family for box in picture.boxes()][1:-1] == [
        *("conv", "norm", "activation", "pool", "activation", "join", "other", "other", "dense")
    ]


BLOCKS = "block inner() { conv(3, 1) -> relu }\nblock outer(c: int) { inner -> conv(c, 1) }"


def test_the_depth_decides_whether_a_block_is_a_box_or_a_frame() -> None:
    closed = drawn("outer(4)", BLOCKS, depth=0)
    assert list(closed.boxes())[1] == Box("outer", "block", "outer(4)", ("28 parameters",))
    half = drawn("outer(4)", BLOCKS, depth=1)
    assert frames(half.items) == {"outer": ["outer.inner", "outer.conv"]}
    assert list(half.boxes())[1].family == "block"
    full = drawn("outer(4)", BLOCKS, depth=2)
    assert frames(full.items) == {
        "outer": ["outer.inner", "outer.conv"],
        "outer.inner": ["outer.inner.conv", "outer.inner.relu"],
    }
    assert drawn("outer(4)", BLOCKS, depth=9) == full == drawn("outer(4)", BLOCKS)


def test_without_a_depth_a_large_network_stays_readable() -> None:
    many = "\n".join(f"outer({c})" for c in range(1, 16))
    assert drawn(many, BLOCKS) == drawn(many, BLOCKS, depth=1)
    assert drawn(f"{many}\n{many}", BLOCKS) == drawn(f"{many}\n{many}", BLOCKS, depth=0)


def test_identities_have_no_box() -> None:
    picture = drawn("identity\nskip\nadd { conv(3, 1) | identity | skip }", "block skip() { identity }", depth=1)
    assert arrows(picture) == [
        (INPUT, "add.branch1.conv", "3x8x8"),
        ("add.branch1.conv", "add", ""),
        (INPUT, "add", ""),
        (INPUT, "add", ""),
        ("add", OUTPUT, "3x8x8"),
    ]
    assert arrows(drawn("identity")) == [(INPUT, OUTPUT, "3x8x8")]


def test_concatenated_branches_show_their_shapes() -> None:
    picture = drawn("concat { conv(4, 1) | conv(2, 1) }")
    assert [label for _, end, label in arrows(picture) if end == "concat"] == ["4x8x8", "2x8x8"]


def test_named_tensors_are_arrows() -> None:
    picture = drawn("let a = conv(4, 1)\nconv(2, 1)\na[:2] -> relu")
    assert ("a.conv", "slice", "4x8x8") in arrows(picture)
    assert not [start for start, _, _ in arrows(picture) if start == "conv"]  # nothing uses it


def test_a_block_gets_one_arrow_per_tensor() -> None:
    picture = drawn("residual", "block residual() { add { conv(3, 1) | identity } }", depth=0)
    assert arrows(picture) == [(INPUT, "residual", "3x8x8"), ("residual", OUTPUT, "3x8x8")]


def test_a_tensor_forks_inside_the_frame() -> None:
    picture = drawn("tanh\nresidual", "block residual() { add { conv(3, 1) | identity } }", depth=1)
    fork = "@residual 1"
    assert frames(picture.items) == {"residual": [fork, "residual.add.branch1.conv", "residual.add"]}
    assert arrows(picture) == [
        (INPUT, "tanh", "3x8x8"),
        (fork, "residual.add.branch1.conv", ""),
        ("residual.add.branch1.conv", "residual.add", ""),
        (fork, "residual.add", ""),
        ("tanh", fork, ""),
        ("residual.add", OUTPUT, "3x8x8"),
    ]


def test_nested_frames_fork_one_after_the_other() -> None:
    items = "block inner() { add { tanh | identity } }\nblock outer() { mul { inner | identity } }"
    starts = {(arrow.start, arrow.end) for arrow in drawn("outer", items).arrows}
    assert {
        (INPUT, "@outer 1"),
        ("@outer 1", "@outer.mul.branch1.inner 1"),
        ("@outer 1", "outer.mul"),
        ("@outer.mul.branch1.inner 1", "outer.mul.branch1.inner.add"),
    } <= starts


def test_repeats_are_drawn_once_with_their_number() -> None:
    rows = "repeat 3 { unit }\nrepeat 2 { conv(4, 3, pad=1) -> bn }"
    picture = drawn(f"conv(4, 1)\n{rows}", "block unit() { relu -> tanh }")
    titles = [(item.key, item.title, item.notes) for item in picture.items if isinstance(item, Frame)]
    assert titles == [("unit", "unit  x3", ()), ("conv2 x2", "x2", ("156 parameters each",))]
    assert arrows(picture)[-3:] == [("unit.tanh", "conv2", ""), ("conv2", "bn", ""), ("bn", OUTPUT, "4x8x8")]


def test_shipped_networks_are_small_pictures() -> None:
    for path in [*specs_directory().glob("*.arch"), *(specs_directory() / "zoo").glob("resnet*.arch")]:
        boxes = list(draw(analyze(path).graph, path.stem).boxes())
        assert 5 < len(boxes) < 50, path.stem


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(networks(), st.none() | st.integers(0, 3))
def test_every_arrow_leads_from_box_to_box(text: str, depth: int | None) -> None:
    graph = analyze_text(text).graph
    picture = draw(graph, "drawn", depth)
    keys = [box.key for box in picture.boxes()]
    assert len(set(keys)) == len(keys)
    assert {key for arrow in picture.arrows for key in (arrow.start, arrow.end)} <= set(keys)
    entered = {arrow.end for arrow in picture.arrows}
    assert set(keys) - entered <= {INPUT}
    assert [arrow.end for arrow in picture.arrows].count(OUTPUT) == 1
    assert not has_circle(picture.arrows)
    paths = {node.path for node in graph.nodes} | {scope.path for scope in graph.scopes}
    assert {key for key in keys if not key.startswith("@")} <= paths


def has_circle(arrows: tuple[Arrow, ...]) -> bool:
    after: dict[str, set[str]] = {}
    for arrow in arrows:
        after.setdefault(arrow.start, set()).add(arrow.end)
    done: set[str] = set()

    def leads_to_itself(key: str, path: frozenset[str]) -> bool:
        if key in done:
            return False
        if key in path:
            return True
        found = any(leads_to_itself(end, path | {key}) for end in after.get(key, ()))
        done.add(key)
        return found

    return any(leads_to_itself(key, frozenset()) for key in list(after))


def test_a_scope_is_a_frame_with_its_parts_inside_and_the_whole_outside() -> None:
    picture = drawn("windows(4) { dense(5) -> relu }\neach(c, h, w -> w, c) { tanh }")
    inner = {item.key: item for item in picture.items if isinstance(item, Frame)}
    assert frames(picture.items) == {"windows": ["windows.dense", "windows.relu"], "each": ["each.tanh"]}
    assert (inner["windows"].title, inner["windows"].notes) == ("windows(4)", ("4 parts of 16x3, 20 parameters",))
    assert (inner["each"].title, inner["each"].notes) == ("each(c, h, w -> w, c)", ("8 parts of 8x5",))
    assert arrows(picture) == [
        (INPUT, "windows.dense", "3x8x8"),
        ("windows.dense", "windows.relu", "16x5"),
        ("windows.relu", "each.tanh", "5x8x8"),
        ("each.tanh", OUTPUT, "5x8x8"),
    ]


def test_windows_of_another_shift_are_no_repeat() -> None:
    picture = drawn("windows(4) { tanh }\nwindows(4) { tanh }\nwindows(4, shift=2) { tanh }")
    titles = [item.title for item in picture.items if isinstance(item, Frame)]
    assert titles == ["windows(4)  x2", "windows(4, shift=2)"]


def test_the_branches_of_attention_have_their_names() -> None:
    picture = drawn("tokens -> attend(1) { tanh | dense(3) | relu }")
    assert [arrow.label for arrow in picture.arrows if arrow.end == "attend"] == ["q", "k", "v"]


def test_of_many_branches_the_first_and_the_last_are_drawn() -> None:
    picture = drawn("concat for i in 0..9 { conv(2 + i, 1) }")
    boxes = [(box.key, box.title, box.notes) for box in picture.boxes()][1:-1]
    assert boxes == [
        ("concat.branch1.conv", "conv(2, 1)", ("8 parameters",)),
        ("concat others", "7 more branches", ("168 parameters",)),
        ("concat.branch9.conv", "conv(10, 1)", ("40 parameters",)),
        ("concat", "concat", ()),
    ]
    assert [arrow.start for arrow in picture.arrows if arrow.end == "concat"] == [
        "concat.branch1.conv",
        "concat others",
        "concat.branch9.conv",
    ]
    assert len(list(drawn("concat for i in 0..8 { conv(2 + i, 1) }").boxes())) == 11


HEAD_OF_EXIT = """
block head() { global_avgpool -> dense(10) }
block unit() {
    conv(4, 3, pad=1) -> relu
    let e = head -> exit(0.3)
}
"""


def test_an_exit_is_an_arrow_that_leaves_with_its_weight() -> None:
    picture = drawn("conv(8, 1)\nlet early = head -> exit(0.25)\nflatten -> dense(10)", HEAD_OF_EXIT)
    (end,) = (box for box in picture.boxes() if box.title == "exit early")
    assert ("early.head.dense", end.key, "weight 0.25") in arrows(picture)
    assert ("early.head", end.key, "weight 0.25") in arrows(
        drawn("conv(8, 1)\nlet early = head -> exit(0.25)\nflatten -> dense(10)", HEAD_OF_EXIT, depth=0)
    )


def test_exits_of_repeats_are_drawn_once() -> None:
    picture = drawn("conv(4, 1)\nrepeat 3 { unit }\nflatten -> dense(10)", HEAD_OF_EXIT)
    assert [box.title for box in picture.boxes() if box.title.startswith("exit")] == ["exit unit.e"]


def test_an_exit_at_the_end_is_the_output() -> None:
    picture = drawn("flatten -> dense(10) -> exit(0.5)")
    assert ("dense", OUTPUT, "10") in arrows(picture)
    assert len(picture.arrows) == 3
