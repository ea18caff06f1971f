from pathlib import Path

import pytest
from helpers.specs import write_specs

from cifar_dsl.compiler import Analysis, analyze
from cifar_dsl.foundation.limits import DEFAULTS
from cifar_dsl.language.diagnostics import SpecError

BASE = """\
arch base
input 3x8x8
param width = 4
param head = width * 2
block unit(c) { conv(c, 3) -> relu }
model {
    unit(width)
    flatten
    dense(head)
    dense(10)
}
"""


def code(path: Path, root: Path | None = None) -> str:
    with pytest.raises(SpecError) as caught:
        analyze(path, root)
    return caught.value.diagnostics[0].code


def layers(analysis: Analysis) -> list[str]:
    return [node.operation.name for node in analysis.graph.nodes]


def extended(folder: Path, items: str) -> Analysis:
    return analyze(write_specs(folder, own=f'arch own extends "base.arch"\n{items}\n', base=BASE))


def channels(analysis: Analysis) -> list[int]:
    return [node.shape.extents[0] for node in analysis.graph.nodes]


def test_params_are_overridden_and_dependent_params_follow(tmp_path: Path) -> None:
    assert channels(extended(tmp_path, "param width = 6")) == [6, 6, 6 * 36, 12, 10]  # `head` is 2 * 6


def test_blocks_are_overridden(tmp_path: Path) -> None:
    assert layers(extended(tmp_path, "block unit(c) { conv(c, 3) -> bn -> relu }"))[:3] == ["conv", "bn", "relu"]


def test_model_and_input_are_overridden(tmp_path: Path) -> None:
    analysis = extended(tmp_path, "input 1x5x5\nmodel { unit(head) }")
    assert [str(node.shape) for node in analysis.graph.nodes] == ["8x3x3", "8x3x3"]


def test_new_names_that_are_used_may_be_added(tmp_path: Path) -> None:
    assert channels(extended(tmp_path, "param depth = 5\nparam width = depth"))[0] == 5


def test_a_block_of_the_base_calls_the_new_definition_of_another(tmp_path: Path) -> None:
    base = BASE.replace("model {\n    unit(width)", "block pair(c) { unit(c) -> unit(c) }\nmodel {\n    pair(width)")
    own = 'arch own extends "base.arch"\nblock unit(c) { conv(c, 1) }\n'
    assert layers(analyze(write_specs(tmp_path, own=own, base=base)))[:2] == ["conv", "conv"]


def test_single_settings_are_overridden(tmp_path: Path) -> None:
    own = 'arch own extends "base.arch"\ntrain { clip norm(1.0) }\n'
    text = BASE.replace("3x8x8", "3x32x32") + "train {\n data cifar10\n epochs 1\n batch 8\n optimizer sgd(0.1)\n}\n"
    recipe = analyze(write_specs(tmp_path, own=own, base=text)).recipe
    assert recipe
    assert (recipe.batch, recipe.clip.name, recipe.optimizer.arguments()["lr"]) == (8, "norm", 0.1)


def test_assertions_of_the_base_stay(tmp_path: Path) -> None:
    own = 'arch own extends "base.arch"\nparam width = 60\n'
    assert code(write_specs(tmp_path, own=own, base=BASE + "assert params < 10k\n")) == "E0310"


def test_a_shipped_spec_is_extended_by_its_bare_name(tmp_path: Path) -> None:
    analysis = analyze(write_specs(tmp_path, own="arch own extends residual\nparam head = [8]\n"))
    assert analysis.program.lineage == ("own", "residual", "baseline")


def test_a_bare_name_never_means_a_file(tmp_path: Path) -> None:
    path = write_specs(tmp_path, own="arch own extends baseline\n", baseline=BASE)
    assert analyze(path).graph.cost.parameters == 122_570


def test_a_base_in_a_folder_below(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write_specs(tmp_path / "sub", base=BASE)
    assert analyze(write_specs(tmp_path, own='arch own extends "sub/base.arch"\n'))


def test_a_base_above_needs_a_root_above(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write_specs(tmp_path, base=BASE)
    own = write_specs(tmp_path / "sub", own='arch own extends "../base.arch"\n')
    assert code(own) == "E0204"
    assert analyze(own, root=tmp_path)


@pytest.mark.parametrize("name", ["/etc/passwd", "~/base.arch", "sub\\\\base.arch", "../../../../etc/passwd"])
def test_other_paths_outside_the_root_are_rejected(tmp_path: Path, name: str) -> None:
    assert code(write_specs(tmp_path, own=f'arch own extends "{name}"\n')) == "E0204"


def test_a_symbolic_link_can_not_leave_the_root(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    outside = write_specs(tmp_path, base=BASE)
    (inside / "link.arch").symlink_to(outside)
    assert code(write_specs(inside, own='arch own extends "link.arch"\n')) == "E0204"


def test_a_link_that_points_to_itself(tmp_path: Path) -> None:
    (tmp_path / "loop.arch").symlink_to("loop.arch")
    assert code(write_specs(tmp_path, own='arch own extends "loop.arch"\n')) in {"E0204", "E0105", "E0203"}


@pytest.mark.parametrize(
    ("own", "second"),
    [("own", 'arch second extends "own.arch"\n'), ("own", 'arch second extends "./second.arch"\n')],
)
def test_a_cycle_ends(tmp_path: Path, own: str, second: str) -> None:
    assert code(write_specs(tmp_path, own='arch own extends "second.arch"\n', second=second)) == "E0205"


@pytest.mark.parametrize(("bases", "expected"), [(DEFAULTS.extends_depth, None), (DEFAULTS.extends_depth + 1, "E0205")])
def test_chains_are_limited(tmp_path: Path, bases: int, expected: str | None) -> None:
    texts = {f"s{i}": f'arch s{i} extends "s{i + 1}.arch"\n' for i in range(bases)} | {f"s{bases}": BASE}
    path = write_specs(tmp_path, **texts)
    if expected:
        assert code(path) == expected
    else:
        assert len(analyze(path).program.lineage) == bases + 1


def test_a_missing_base_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        analyze(write_specs(tmp_path, own='arch own extends "bsae.arch"\n', base=BASE))
    assert caught.value.diagnostics[0].help == ("did you mean `base.arch`?",)


def test_a_missing_file_has_no_place(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        analyze(tmp_path / "none.arch")
    assert (caught.value.diagnostics[0].code, caught.value.diagnostics[0].label) == ("E0105", None)


@pytest.mark.parametrize(("size", "expected"), [(DEFAULTS.file_bytes, None), (DEFAULTS.file_bytes + 1, "E0104")])
def test_files_are_limited(tmp_path: Path, size: int, expected: str | None) -> None:
    path = write_specs(tmp_path, own=BASE + "#" * (size - len(BASE)))
    assert (code(path) if expected else None) == expected
    assert expected or analyze(path)


def test_the_total_size_of_files_is_limited(tmp_path: Path) -> None:
    texts = {f"s{i}": f'arch s{i} extends "s{i + 1}.arch"\n' + "#" * 60_000 for i in range(5)} | {"s5": BASE}
    assert code(write_specs(tmp_path, **texts)) == "E0104"


def test_devices_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "zero.arch").symlink_to("/dev/zero")
    assert code(tmp_path / "zero.arch") == "E0105"
    assert code(tmp_path) == "E0105"


def test_a_byte_order_mark_and_carriage_returns_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.arch"
    path.write_bytes(b"\xef\xbb\xbf" + BASE.replace("\n", "\r\n").encode())
    plain = write_specs(tmp_path, plain=BASE)
    assert analyze(path).fingerprint == analyze(plain).fingerprint


def test_unused_new_names_are_rejected_only_in_specs_that_extend(tmp_path: Path) -> None:
    assert code(write_specs(tmp_path, own='arch own extends "base.arch"\nparam widht = 6\n', base=BASE)) == "E0206"
    assert analyze(write_specs(tmp_path, own=BASE + "param unused = 1\n"))
