"""`cifar-dsl check`."""

import json

import pytest


def test_a_right_spec_is_one_line(cli, tiny):
    outcome = cli("check", tiny)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == f"{tiny}: ok; 3x32x32 -> 10, 2,682 parameters, 9.47 k multiply-accumulates\n"


def test_quiet_prints_nothing_about_valid_specs(cli, tiny, wrong):
    assert cli("check", "-q", tiny).out == ""
    assert cli("check", "-q", tiny, wrong).out.startswith("error[")


def test_a_wrong_spec_ends_with_1_and_its_place(cli, wrong):
    outcome = cli("check", wrong)
    assert outcome.code == 1
    assert f"--> {wrong}:3:20" in outcome.out
    assert "^^^^" in outcome.out
    assert "dense" in outcome.out
    assert outcome.err == "1 error in 1 of 1 spec\n"


def test_equal_errors_are_shown_once(cli, tmp_path):
    (tmp_path / "a.arch").write_text("arch a\ninput 3x8x8\nmodel {\n" + "cnov(8, 1)\n" * 6 + "}\n")
    outcome = cli("check", "a.arch")
    assert outcome.out.count("unknown layer or block `cnov`") == 1
    assert "the same on lines 5, 6, 7, 8 and 9" in outcome.out
    assert outcome.err == "6 errors in 1 of 1 spec\n"
    assert cli("check", "--format", "concise", "a.arch").out.count("unknown layer or block `cnov`") == 6


def test_an_error_of_a_base_is_shown_once(cli, tmp_path):
    (tmp_path / "base.arch").write_text("arch base\ninput 3x8x8\nmodel { cnov(8, 1) }\n")
    for name in "abc":
        (tmp_path / f"{name}.arch").write_text(f'arch {name} extends "base.arch"\n')
    outcome = cli("check", "a.arch", "b.arch", "c.arch", "base.arch")
    assert outcome.out.count("unknown layer or block `cnov`") == 1
    assert outcome.err == "1 error in 4 of 4 specs\n"


def test_an_error_in_a_base_names_the_spec_that_causes_it(cli, tmp_path):
    (tmp_path / "task.arch").write_text("arch task\ninput 3x8x8\nassert params <= 10\nmodel { relu }\n")
    for name in "ab":
        (tmp_path / f"{name}.arch").write_text(f'arch {name} extends "task.arch"\nmodel {{ conv(8, 1) }}\n')
    outcome = cli("check", "a.arch", "b.arch", "task.arch", "--format", "concise")
    assert [line for line in outcome.out.splitlines() if "E0310" in line] == [
        f"task.arch:3:8: E0310 this assertion does not hold, in {name}.arch" for name in "ab"
    ]
    assert "task.arch: ok" in outcome.out
    assert outcome.err == "2 errors in 2 of 3 specs\n"


def test_concise_errors_are_a_line_each(cli, wrong):
    outcome = cli("check", "--format", "concise", wrong)
    assert outcome.code == 1
    (line,) = outcome.out.splitlines()
    assert line.startswith(f"{wrong}:3:20: E")


def test_json_is_an_array_of_errors_and_nothing_else(cli, tiny, wrong):
    (error,) = json.loads(cli("check", "--format", "json", tiny, wrong).out)
    (label,) = [label for label in error["labels"] if label["primary"]]
    assert (label["file"], label["line"], label["column"], label["end_column"]) == (str(wrong), 3, 20, 24)
    outcome = cli("check", "--format", "json", tiny)
    assert (outcome.code, json.loads(outcome.out)) == (0, [])


def test_a_wrong_spec_does_not_hide_those_after_it(cli, tiny, wrong):
    outcome = cli("check", wrong, tiny)
    assert outcome.code == 1
    assert f"{tiny}: ok" in outcome.out
    assert outcome.err == "1 error in 1 of 2 specs\n"


def test_folders_and_globs_stand_for_their_specs_and_each_is_checked_once(cli, make_spec, tiny, tmp_path):
    make_spec("second", tiny.read_text())
    outcome = cli("check", tmp_path, tmp_path / "*.arch", tiny)
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 2


def test_a_missing_file_suggests_the_nearest(cli, tiny):
    outcome = cli("check", "tinny.arch")
    assert outcome.code == 2
    assert "There is no file tinny.arch. Did you mean tiny.arch?" in outcome.err


def test_a_folder_without_specs_is_a_usage_error(cli, tmp_path):
    (tmp_path / "empty").mkdir()
    outcome = cli("check", tmp_path / "empty")
    assert outcome.code == 2
    assert "There is no spec (*.arch) in" in outcome.err


def test_no_spec_at_all_is_a_usage_error(cli):
    assert cli("check").code == 2


def test_overrides_are_checked_with_the_spec(cli, tiny):
    assert cli("check", tiny, "--set", "train.batch=8").code == 0
    outcome = cli("check", tiny, "--set", "train.batch=0")
    assert outcome.code == 1
    assert "--> --set\n" in outcome.out


def test_the_shipped_specs_are_right(cli):
    from cifar_dsl.foundation.resources import specs_directory

    outcome = cli("check", specs_directory())
    assert (outcome.code, outcome.err) == (0, "")
    assert len(outcome.out.splitlines()) >= 8


def test_a_library_is_checked(cli):
    from cifar_dsl.foundation.resources import specs_directory

    outcome = cli("check", specs_directory() / "library")
    assert (outcome.code, outcome.err) == (0, "")
    assert "convolution.arch: ok; a library of 4 blocks" in outcome.out


WARNED = "arch warned\ninput 3x8x8\nparam unused = 1\nmodel { conv(8, 1) -> bn }\n"


def test_warnings_are_printed_and_exit_with_0(cli, make_spec, wrong):
    warned = make_spec("warned", WARNED)
    outcome = cli("check", warned)
    assert outcome.code == 0
    assert "warning[W0201]" in outcome.out
    assert f"{warned}: ok" in outcome.out
    assert outcome.err == "2 warnings in 1 of 1 spec\n"
    assert cli("check", warned, wrong).err == "1 error and 2 warnings in 2 of 2 specs\n"


def test_strict_ends_with_1_for_warnings_too(cli, make_spec, tiny):
    assert cli("check", "--strict", make_spec("warned", WARNED)).code == 1
    assert cli("check", "--strict", tiny).code == 0


def test_fix_applies_safe_fixes_and_reports_the_rest(cli, make_spec):
    warned = make_spec("warned", WARNED)
    outcome = cli("check", "--fix", warned)
    assert (outcome.code, outcome.err) == (0, f"{warned}: fixed\n1 warning in 1 of 1 spec\n")
    assert "W0203" in outcome.out
    assert "W0201" not in outcome.out
    assert warned.read_text() == WARNED.replace("param unused = 1\n", "")


def test_unsafe_fixes_fix_the_rest_and_misspelt_names(cli, make_spec):
    warned = make_spec("warned", WARNED.replace("conv", "cnov"))
    outcome = cli("check", "--fix", "--unsafe-fixes", warned)
    assert outcome.code == 0
    assert warned.read_text() == WARNED.replace("param unused = 1\n", "").replace("1)", "1, bias=false)")
    assert cli("check", "--strict", warned).code == 0


@pytest.mark.parametrize(("mark", "line_end"), [(b"", b"\r\n"), (b"\xef\xbb\xbf", b"\n"), (b"\xef\xbb\xbf", b"\r\n")])
def test_fixes_keep_line_ends_and_the_byte_order_mark(cli, make_spec, mark, line_end):
    warned = make_spec("warned", WARNED)
    warned.write_bytes(mark + WARNED.encode().replace(b"\n", line_end))
    assert cli("check", "--fix", warned).code == 0
    assert warned.read_bytes() == mark + WARNED.replace("param unused = 1\n", "").encode().replace(b"\n", line_end)


def test_unsafe_fixes_alone_are_a_usage_error(cli, tiny):
    outcome = cli("check", "--unsafe-fixes", tiny)
    assert outcome.code == 2
    assert "--unsafe-fixes requires --fix." in outcome.err


def test_a_file_without_fixes_is_not_written(cli, tiny):
    before = tiny.stat().st_mtime_ns
    assert cli("check", "--fix", "--unsafe-fixes", tiny).code == 0
    assert tiny.stat().st_mtime_ns == before


def test_github_shows_findings_beside_their_lines(cli, wrong, tiny):
    outcome = cli("check", "--format", "github", wrong, tiny)
    assert outcome.code == 1
    (line,) = outcome.out.splitlines()
    assert line.startswith(f"::error title=E0201 unknown layer or block,file={wrong},line=3,col=20,")


def test_sarif_is_one_log_of_all_specs(cli, make_spec, wrong):
    outcome = cli("check", "--format", "sarif", wrong, make_spec("warned", WARNED))
    assert outcome.code == 1
    (run,) = json.loads(outcome.out)["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["E0201", "W0201", "W0203"]


def test_a_link_in_a_folder_does_not_lead_out_of_it(cli, make_spec, tmp_path):
    (tmp_path / "secret.arch").write_text("the secret\n", encoding="utf-8")
    folder = tmp_path / "taken"
    folder.mkdir()
    make_spec("taken/right")
    (folder / "link.arch").symlink_to("right.arch")
    assert cli("check", folder).code == 0
    (folder / "link.arch").unlink()
    (folder / "link.arch").symlink_to("../secret.arch")
    outcome = cli("check", folder)
    assert (outcome.code, outcome.out) == (1, "")
    assert "link.arch is a link to a file outside" in outcome.err
    assert "secret" not in outcome.err
    assert "the secret" in cli("check", folder / "link.arch").out  # asked for by its name
