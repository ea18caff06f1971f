import pytest
from helpers.specs import codes_of, errors_of, graph_of, paths_of, text_of

from cifar_dsl.foundation import limits

UNIT = "block unit(c, k=3) { conv(c, k, pad=same) -> relu }"

# ---- paths


def test_stages_are_named_after_their_layer_and_numbered() -> None:
    assert paths_of("conv(4, 1) -> relu\nconv(4, 1) -> relu -> conv(4, 1)") == [
        "conv",
        "relu",
        "conv2",
        "relu2",
        "conv3",
    ]


def test_blocks_joins_and_tensors_are_parts_of_a_path() -> None:
    stages = "unit(4)\nadd { identity | unit(4) }\nlet skip = conv(4, 1)\nadd { skip | relu }\nunit(4) as last"
    assert paths_of(stages, UNIT) == [
        "unit.conv",
        "unit.relu",
        "add.branch1.identity",
        "add.branch2.unit.conv",
        "add.branch2.unit.relu",
        "add",
        "skip.conv",
        "add2.branch2.relu",
        "add2",
        "last.conv",
        "last.relu",
    ]


@pytest.mark.parametrize("more", ["conv(4, 1)", "unit(4)", "add { identity | relu }", "repeat 2 { relu }"])
def test_appending_a_stage_renames_nothing(more: str) -> None:
    stages = "conv(4, 1) -> relu\nunit(4)\nadd { identity | relu }"
    before = paths_of(stages, UNIT)
    assert paths_of(f"{stages}\n{more}", UNIT)[: len(before)] == before


def test_inserting_a_stage_renames_only_later_ones_of_its_kind() -> None:
    before = paths_of("conv(4, 1) -> relu -> conv(4, 1) -> bn")
    after = paths_of("conv(4, 1) -> conv(4, 1) -> relu -> conv(4, 1) -> bn")
    assert set(before) < set(after)


def test_comments_and_blank_lines_rename_nothing() -> None:
    assert paths_of("conv(4, 1)\n\n# comment\n -> relu # more\n") == paths_of("conv(4, 1) -> relu")


def test_loops_and_conditions_leave_no_trace_in_paths() -> None:
    assert paths_of("for c in [4, 8] { conv(c, 1) }\nif true { relu }\nrepeat 2 { bn }") == [
        "conv",
        "conv2",
        "relu",
        "bn",
        "bn2",
    ]


def test_a_loop_may_be_named() -> None:
    assert paths_of("repeat 2 { relu } as stem\nrelu") == ["stem.relu", "stem.relu2", "relu"]


def test_automatic_names_skip_given_names() -> None:
    assert paths_of("relu as relu2\nrelu\nrelu\nrelu") == ["relu2", "relu", "relu3", "relu4"]


def test_names_that_end_in_a_digit_are_numbered_with_an_underscore() -> None:
    assert paths_of("conv1\nconv1", "block conv1() { relu }") == ["conv1.relu", "conv1_2.relu"]


def test_a_tensor_named_in_a_loop_is_numbered() -> None:
    stages = "repeat 2 {\nlet new = relu -> bn\nconcat { identity | new }\n}"
    assert [path for path in paths_of(stages) if path.startswith("new")] == [
        "new.relu",
        "new.bn",
        "new2.relu",
        "new2.bn",
    ]


@pytest.mark.parametrize("stages", ["relu as a -> bn as a", "let y = relu -> relu\nlet y = bn -> bn\nrelu"])
def test_duplicate_stage_names_are_rejected(stages: str) -> None:
    assert codes_of(text_of(stages)) == ["E0212"]


def test_thousands_of_stages_are_numbered() -> None:
    assert paths_of("repeat 9_999 { relu }")[-1] == "relu9999"


def test_a_stage_named_in_a_loop_is_numbered() -> None:
    assert paths_of("repeat 3 { relu as act }") == ["act", "act2", "act3"]
    assert paths_of("for i in 0..2 { repeat 1 { relu -> bn } as part }")[2:] == ["part2.relu", "part2.bn"]


# ---- let


def test_let_names_a_value_or_a_tensor() -> None:
    graph = graph_of("let k = in_channels * 2\nlet y = conv(k, 1)\nlet pad_by = 0 if k > 1 else 1\ny -> conv(k, 1)")
    assert [(node.path, node.inputs) for node in graph.nodes] == [("y.conv", (0,)), ("conv", (1,))]


def test_let_does_not_move_the_flow() -> None:
    graph = graph_of("let y = conv(3, 1)\nadd { identity | y }")
    assert graph.nodes[-1].inputs == (2, 1)
    assert graph.nodes[1].inputs == (0,)


def test_let_can_alias_a_tensor() -> None:
    assert graph_of("let y = conv(3, 1)\nlet z = y\nrelu\nadd { identity | z }").nodes[-1].inputs == (3, 1)


def test_an_inner_let_hides_an_outer_one() -> None:
    graph = graph_of("let c = 4\nif true { let c = 8\nconv(c, 1) }\nconv(c, 1)")
    assert [node.shape.extents[0] for node in graph.nodes] == [8, 4]


def test_an_error_in_a_let_is_reported_once() -> None:
    assert codes_of(text_of("let k = 1 // 0\nconv(k, 1) -> conv(k + 1, 1)\nconv(k, 1)")) == ["E0210"]


# ---- control


@pytest.mark.parametrize(
    ("stages", "channels"),
    [
        ("for c in [4, 8] { conv(c, 1) }", [4, 8]),
        ("for (c, k) in [(4, 1), (8, 3)] { conv(c, k) }", [4, 8]),
        ("for i in 1..4 { conv(2 * i, 1) }", [2, 4, 6]),
        ("for i in 3..3 { conv(i, 1) }\nrelu", [3]),
        ("for c in [] { conv(c, 1) }\nrelu", [3]),
        ("repeat 2 { conv(2 * in_channels, 1) }", [6, 12]),
        ("repeat 0 { conv(4, 1) }\nrelu", [3]),
        ("if in_channels == 3 { conv(4, 1) } else { conv(5, 1) }", [4]),
        ("if false { conv(4, 1) } else if height == width { conv(5, 1) } else { conv(6, 1) }", [5]),
        ("if false { conv(4, 1) } else if false { conv(5, 1) } else { conv(6, 1) }", [6]),
        ("if false { conv(4, 1) }\nrelu", [3]),
        ("conv(len([1, 2, 3]), 1) -> conv(max(2, 5), 1) -> conv(round(2.5), 1)", [3, 5, 3]),
        ("conv(floor(7 / 2), 1) -> conv(ceil(7 / 2), 1) -> conv(abs(-2), 1)", [3, 4, 2]),
        ("conv(max([4, 9]), 1) -> conv(min(4, 9, 2), 1)", [9, 2]),
    ],
)
def test_control_and_arithmetic(stages: str, channels: list[int]) -> None:
    assert [node.shape.extents[0] for node in graph_of(stages).nodes] == channels


def test_and_and_or_short_circuit() -> None:
    assert paths_of("if false and 1 // 0 == 1 { bn }\nif true or 1 // 0 == 1 { relu }") == ["relu"]


def test_a_number_is_not_a_condition() -> None:
    assert paths_of("if 1 == true { bn } else { relu }") == ["relu"]


@pytest.mark.parametrize(
    "stages",
    [
        "conv(1 // 0, 1)",
        "conv(1 % 0, 1)",
        "conv(true + 1, 1)",
        "if 1 { relu }",
        "if not 3 { relu }",
        "repeat 1.5 { relu }",
        "repeat true { relu }",
        "for c in 4 { relu }",
        "for (a, b) in [(1, 2, 3)] { relu }",
        "for (a, b) in [1] { relu }",
        "conv([1, 2][2], 1)",
        "conv([1, 2][-1], 1)",
        "conv(3[0], 1)",
        "conv(1000G * 2, 1)",
        "conv(len(3), 1)",
        "conv(abs(1, 2), 1)",
        "conv(min(), 1)",
        "conv(abs(x=1), 1)",
        "flatten -> dense(height)",
        "conv(same + 1, 1)",
    ],
)
def test_expressions_without_a_value(stages: str) -> None:
    assert codes_of(text_of(stages)) == ["E0210"]


@pytest.mark.parametrize("stages", ["64", "[1]", "same == same", "let k = 3\nk", "1 -> relu"])
def test_values_are_not_stages(stages: str) -> None:
    assert codes_of(text_of(stages)) == ["E0213"]


# ---- blocks


@pytest.mark.parametrize(
    ("call", "kernel"),
    [("unit(4)", 3), ("unit(4, 5)", 5), ("unit(k=1, c=4)", 1), ("unit(4, k=7)", 7)],
)
def test_arguments_and_defaults(call: str, kernel: int) -> None:
    assert graph_of(call, UNIT).nodes[0].operation.arguments()["kernel"] == (kernel, kernel)


def test_a_default_can_use_earlier_parameters_and_the_current_tensor() -> None:
    graph = graph_of("u(4)\nu(8, 5)", "block u(c, d=c + in_channels) { conv(c, 1) -> conv(d, 1) }")
    assert [node.shape.extents[0] for node in graph.nodes] == [4, 7, 8, 5]


def test_a_block_sees_params_but_not_the_names_of_its_caller() -> None:
    assert codes_of(text_of("let k = 4\nu", "block u() { conv(k, 1) }")) == ["E0202"]
    items = "param k = 4\nblock u() { conv(k, 1) }"
    assert graph_of("let k = 8\nu", items).nodes[0].shape.extents[0] == 4


def test_blocks_are_arguments() -> None:
    items = "block a(c) { conv(c, 1) }\nblock b(c) { conv(c, 3) }\nblock twice(inner, c) { inner(c) -> inner(c) }"
    assert paths_of("twice(a, 4)\ntwice(b, 4)", items) == [
        "twice.a.conv",
        "twice.a2.conv",
        "twice2.b.conv",
        "twice2.b2.conv",
    ]


def test_a_block_can_call_a_later_block() -> None:
    assert paths_of("a", "block a() { b }\nblock b() { relu }") == ["a.b.relu"]


@pytest.mark.parametrize(
    ("items", "cycle"),
    [
        ("block a() { a }", "a -> a"),
        ("block a() { b }\nblock b() { relu -> a }", "a -> b -> a"),
        ("block a() { h(a) }\nblock h(inner) { inner }", "a -> h -> a"),
    ],
)
def test_recursion_names_its_cycle(items: str, cycle: str) -> None:
    (diagnostic,) = errors_of(text_of("a", items))
    assert diagnostic.code == "E0208"
    assert diagnostic.message.endswith(cycle)


@pytest.mark.parametrize(
    ("model", "items", "count"),
    [
        ("stack(3, stack)", "block stack(n: int, f: block) { relu\nif n > 0 { f(n - 1, f) } }", 4),
        ("twice(twice)", "block twice(f: block) { if f == relu { f } else { f(relu) -> f(relu) } }", 2),
        ("down(down)", "block down(f: block) { relu\nif height > 2 { maxpool(2) -> f(f) } }", 3),
    ],
)
def test_a_block_that_is_passed_to_itself_is_no_recursion_if_it_ends(model: str, items: str, count: int) -> None:
    assert sum(node.operation.name == "relu" for node in graph_of(model, items).nodes) == count


def test_blocks_that_are_passed_on_without_end_exceed_the_limit() -> None:
    items = "block grow(f: block) { conv(in_channels + 1, 1) -> f(f) }"
    (diagnostic,) = errors_of(text_of("grow(grow)", items))
    assert (diagnostic.code, diagnostic.message) == ("E0211", "block calls can be nested at most 64 deep")


def test_lists_hold_blocks() -> None:
    items = "param all = [wide, relu]\nblock wide() { conv(8, 1) }\nblock use(c, f: block) { conv(c, 1) -> f }"
    model = "for f in all { f }\nfor (c, f) in [(2, wide), (3, tanh)] { use(c, f) }\nlet last = all[1]\nlast"
    names = [node.operation.brief() for node in graph_of(model, items).nodes]
    assert " -> ".join(names) == "conv(8, 1) -> relu -> conv(2, 1) -> conv(8, 1) -> conv(3, 1) -> tanh -> relu"


def test_an_error_inside_a_block_lists_the_calls() -> None:
    items = "block inner(k) { conv(4, k) }\nblock outer(k) { inner(k) }"
    (diagnostic,) = errors_of(text_of("relu\nouter(99)", items))
    assert diagnostic.code == "E0307"
    assert [note for note in diagnostic.notes if note.startswith("in ")] == [
        "in `inner(99)`, called at <text>:4:18",
        "in `outer(99)`, called at <text>:7:1",
    ]


# ---- joins, claims, budgets


def test_branches_have_the_same_input() -> None:
    graph = graph_of("relu\nconcat { conv(2, 1) | identity -> bn | conv(4, 1) }")
    assert graph.shape_of(graph.output).extents == (9, 8, 8)
    assert [node.inputs for node in graph.nodes] == [(0,), (1,), (1,), (3,), (1,), (2, 4, 5)]


def test_a_join_may_stand_in_a_branch_and_have_one_branch() -> None:
    assert graph_of("add { add { relu } | mul { identity | global_avgpool -> dense(3) } }").nodes[-1].path == "add"


@pytest.mark.parametrize(
    ("stages", "codes"),
    [
        ("conv(4, 3) : 4x6x6 -> flatten : 144 -> dense(1000) : 1k", []),
        ("conv(4, 3) : 4x6x7", ["E0309"]),
        ("conv(4, 3) : 4x6", ["E0309"]),
        ("add { identity | relu } : 3x8x8\nrepeat 2 { conv(4, 3) } : 4x4x4", []),
        ("let y = conv(4, 3) : 4x6x7\nrelu", ["E0309"]),
        ("cnov(4) : 4x6x7", ["E0201"]),
    ],
)
def test_claims(stages: str, codes: list[str]) -> None:
    assert (codes_of(text_of(stages)) if codes else []) == codes
    assert codes or graph_of(stages)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("params == 112", True),
        ("params < 112", False),
        ("macs == 108 * 36", True),
        ("macs < 1k or params > 100", True),
        ("width * 28 == params", True),
    ],
)
def test_budgets(condition: str, holds: bool) -> None:
    items = f"param width2 = 4\nassert {condition.replace('width', 'width2')}"
    assert ([] if holds else codes_of(text_of("conv(4, 3)", items))) == ([] if holds else ["E0310"])
    assert not holds or graph_of("conv(4, 3)", items)


@pytest.mark.parametrize("size", ["0x8x8", "3x8", "1x3x8x8"])
def test_the_input_is_an_image(size: str) -> None:
    assert codes_of(text_of("relu", size=size)) == ["E0304"]


# ---- bounds


@pytest.mark.parametrize(
    ("stages", "items"),
    [
        (f"repeat {limits.DEFAULTS.layers + 1} {{ relu }}", ""),
        (f"repeat {limits.DEFAULTS.steps + 1} {{ }}", ""),
        (f"conv({limits.DEFAULTS.tensor // 64 + 1}, 1, bias=false)", ""),  # of 8x8
        ("repeat 1000 { repeat 1000 { } }", ""),
        ("for i in 0..1000G { }", ""),
        ("flatten -> dense(1_000_000) -> dense(1_000_000)", ""),
        (
            "b0",
            "".join(f"block b{i}() {{ b{i + 1} }}\n" for i in range(limits.DEFAULTS.block_depth))
            + "block b64() { relu }",
        ),
        (
            "b0",
            "".join(f"block b{i}() {{ {'repeat 1 { ' * 30} b{i + 1} {'}' * 30} }}\n" for i in range(9))
            + "block b9() { relu }",
        ),
        (
            "relu",
            "\n".join(f"param a{i} = a{i + 1}" for i in range(limits.DEFAULTS.param_depth + 1)) + "\nparam a65 = 1",
        ),
    ],
)
def test_expansion_is_limited(stages: str, items: str) -> None:
    assert "E0211" in codes_of(text_of(stages, items))


def test_expansion_accepts_specs_within_the_limits() -> None:
    blocks = (
        "".join(f"block b{i}() {{ b{i + 1} }}\n" for i in range(limits.DEFAULTS.block_depth - 1))
        + "block b63() { relu }"
    )
    params = "\n".join(f"param a{i} = a{i + 1}" for i in range(limits.DEFAULTS.param_depth - 1)) + "\nparam a63 = 1"
    assert graph_of("b0", blocks + "\n" + params)
    assert len(graph_of(f"repeat {limits.DEFAULTS.layers} {{ relu }}").nodes) == limits.DEFAULTS.layers
    assert graph_of(f"conv({limits.DEFAULTS.tensor // 64}, 1, bias=false)").nodes


def test_nested_lists_are_limited() -> None:
    params = "param a0 = [1, 1]\n" + "\n".join(f"param a{i + 1} = [a{i}, a{i}]" for i in range(60))
    assert codes_of(text_of("relu", params)) == ["E0210"]


def test_the_help_for_groups_is_computed_quickly() -> None:
    (diagnostic,) = errors_of(text_of("conv(1_000_000_000, 1, groups=7)", size="999999999999x1x1"))
    assert diagnostic.code == "E0302"


def test_the_deepest_spec_fits_the_interpreter_s_stack() -> None:
    body = "relu"
    for _ in range(60):
        body = f"if (1 if false or true and not 1 > 2 + 3 * -1 else 2) == 2 {{ {body} }}"
    assert paths_of(body) == ["relu"]


def test_an_empty_model_outputs_its_input() -> None:
    graph = graph_of("")
    assert (graph.nodes, graph.output, graph.shape_of(0)) == ((), 0, graph.input)


# ---- several mistakes


def test_errors_cause_no_follow_up_errors() -> None:
    assert codes_of(text_of("cnov(8, 3) -> conv(8, 3) -> add { identity | conv(4, 1) } -> dense(10)")) == ["E0201"]


def test_all_errors_are_reported() -> None:
    assert codes_of(text_of("conv(0, 3)\nconv(8, kernl=1)\nmaxpol(2)\nrelu(3)")) == [
        "E0304",
        "E0301",
        "E0201",
        "E0301",
    ]


@pytest.mark.parametrize(
    ("stages", "codes"),
    [
        # A join whose input is unknown still compares its branches.
        ("flatten\nlet t = dense(8)\nadd { identity | t }\nmul { t[1:] | t }", ["E0308", "E0308"]),
        ("let t = conv(8, 1)\nconv(8, 99)\nconcat { t | t -> flatten }", ["E0307", "E0308"]),
        # A block is checked with the arguments that are right.
        ("unit(1 / 0, 99)", ["E0210", "E0307", "E0301"]),
        ('unit("text", 1)\nunit(8, 0)', ["E0304", "E0304", "E0301"]),
        ("unit(width=8)", ["E0301", "E0301"]),
        ("unit(8, nosuch=3)", ["E0301", "E0301"]),
        ("unit()", ["E0303", "E0307", "E0301"]),
        # What depends on an unknown value isn't reported.
        ("let e = 1 / 0\nconv(8, 3) -> e", ["E0210"]),
        ("let e = 1 / 0\ne = relu", ["E0210"]),
        ("let e = 1 / 0\nconv(e, 99, stride=e)\nconv(8, 0)", ["E0210", "E0304"]),
        ("let y = conv(8, 1)\nrepeat 1 / 0 { y = conv(9, 1) }\nadd { y | conv(9, 1) }", ["E0210"]),
        ("let y = conv(8, 1)\nif 3 { y = conv(9, 1) }\nadd { y | conv(9, 1) }", ["E0210"]),
        # A name that is taken hides nothing.
        ("relu as a\nconv(8, 99) as a", ["E0212", "E0307"]),
        ("relu as a\nadd { conv(8, 99) | identity } as a", ["E0212", "E0307"]),
    ],
)
def test_after_an_error_the_rest_is_checked_without_assumptions(stages: str, codes: list[str]) -> None:
    block = "block unit(c: int, k: int = 99) { conv(8, k) -> conv(c, 1)\nrelu(nosuch=1) }"
    assert sorted(codes_of(text_of(stages, block if "unit" in stages else ""))) == sorted(codes)


def test_a_wrong_input_hides_no_other_error() -> None:
    assert codes_of(text_of("conv(0, 3) -> conv(8, 3, nosuch=1)", size="0x8x8")) == ["E0304", "E0304", "E0301"]


def test_a_budget_is_checked_after_an_error() -> None:
    assert codes_of(text_of("conv(0, 3)", "assert 1 / 0 < params\nassert params < macs")) == ["E0210", "E0304"]


def test_nested_function_calls_are_evaluated_once() -> None:
    assert graph_of(f"conv({'min(' * 60}8{')' * 60}, 1)").cost.parameters == 8 * 3 + 8


def test_evaluation_work_is_limited() -> None:
    assert codes_of(text_of(f"repeat 2_000 {{ let k = 1{' + 1' * 1000} }}\nrelu")) == ["E0211"]


def test_the_minimum_of_a_list() -> None:
    assert paths_of("repeat min([3, 2]) { relu }\nrepeat max([1, 0]) { bn }") == ["relu", "relu2", "bn"]
    assert codes_of(text_of("repeat min([true, 2]) { relu }")) == ["E0210"]


def test_a_let_can_alias_a_name() -> None:
    assert graph_of("let c = in_channels\nlet d = c\nconv(d, 1)").nodes[0].shape.extents[0] == 3
