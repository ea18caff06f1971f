"""The command group: help, exit codes and errors."""

import re
import shlex
import subprocess
import sys

import click
import pytest

import cifar_dsl
from cifar_dsl.cli import check
from cifar_dsl.cli.main import group
from cifar_dsl.foundation import limits

COMMANDS = tuple(group.list_commands(click.Context(group)))  # tests/golden/manual.json pins them


def test_the_version_is_shown(cli):
    outcome = cli("--version")
    assert (outcome.code, outcome.out, outcome.err) == (0, f"cifar-dsl {cifar_dsl.__version__}\n", "")


@pytest.mark.parametrize(("module", "code"), [("lark.lexer", 1), ("cifar_dsl.nothing", 101), ("json.nothing", 101)])
def test_a_required_package_that_is_missing_is_no_bug(cli, monkeypatch, module, code):
    def fail(_: str) -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("importlib.import_module", fail)
    outcome = cli("fmt", "x.arch")
    assert (outcome.code, outcome.out) == (code, "")
    assert ("error: this needs lark, which is not installed" in outcome.err) == (code == 1)
    assert ("pip install cifar-dsl" in outcome.err) == (code == 1)


def test_help_lists_every_command(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    outcome = cli("--help")
    assert outcome.code == 0
    assert all(f"\n  {name}  " in outcome.out for name in COMMANDS)
    assert len(outcome.out.splitlines()) <= 44
    assert max(map(len, outcome.out.splitlines())) <= 80


@pytest.mark.parametrize("command", [(), ("data",)])
def test_a_group_without_a_command_prints_its_help(cli, command):
    outcome = cli(*command)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == cli(*command, "--help").out


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_in_help_name_their_command_and_its_options(cli, name):
    out = cli(name, "--help").out
    whole = cli(name, "--help-all").out if "--help-all" in out else out
    _, _, examples = out.partition("\nExamples:\n")
    for example in filter(None, map(str.strip, examples.partition("\n\n")[0].splitlines())):
        program, command, *given = shlex.split(example, comments=True)
        assert (program, command) == ("cifar-dsl", name)
        assert all(flag in whole for flag in given if flag.startswith("--"))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(cli, name):
    outcome = cli(name, "--help")
    assert "\\b" not in outcome.out  # click's mark for lines that are to stay as they are
    assert outcome.code == 0
    assert outcome.out.startswith("Usage: ")
    assert len(outcome.out.splitlines()) <= 30  # a screen
    assert all(len(line) <= 80 for line in outcome.out.splitlines())


@pytest.mark.parametrize("name", ["train", "lr", "compare", "sweep", "evaluate"])
def test_help_on_a_screen_has_examples_that_are_valid_and_one_line_for_each_option(cli, name):
    out, whole = cli(name, "--help").out, cli(name, "--help-all").out
    assert f"cifar-dsl {name} --help-all" in out
    _, examples, options = re.split(r"^(?:Examples|Common options):\n", out, flags=re.MULTILINE)
    shown = re.findall(r"^  (--[\w-]+)(?: \S+)?  +\S", options, re.MULTILINE)
    assert len(shown) > 8
    assert all(re.search(rf"^  (-\w, )?{flag}\b", whole, re.MULTILINE) for flag in shown)
    for example in filter(None, map(str.strip, examples.splitlines())):
        program, command, *given = shlex.split(example, comments=True)
        assert (program, command) == ("cifar-dsl", name)
        assert all(flag in whole for flag in given if flag.startswith("--"))
        assert example in whole


def all_commands():
    """The words of each command, with the command."""
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from (((name, word), each) for word, each in command.commands.items())
        else:
            yield (name,), command


def test_an_option_is_never_taken_for_the_value_of_another(cli, tmp_path):
    tried = set()
    for words, command in all_commands():
        for option in command.params:
            if isinstance(option, click.Option) and not option.is_flag:
                name = option.opts[-1]
                outcome = cli(*words, name, "--help")
                assert (outcome.code, outcome.out) == (2, ""), (words, name)
                assert f"Option '{name}' requires a value, but '--help' is an option" in outcome.err
                tried.add(words)
    assert {("predict",), ("runs", "prune"), ("data", "import"), ("import",), ("playground",)} <= tried


@pytest.mark.parametrize(
    ("words", "end"),
    [
        (("train", "--drryrun"), "No such option '--drryrun'. Did you mean '--dry-run'?"),
        (("check", "--rot", "."), "No such option '--rot'. Did you mean '--root'?"),
        (("train", "--everywhere"), "No such option '--everywhere'."),
        (("sweep", "--epoch", "2"), "No such option '--epoch'. Did you mean '--epochs'?"),
        (("evaluate", "--epochs", "2"), "No such option '--epochs'."),
    ],
)
def test_an_unknown_option_suggests_the_nearest_or_none(cli, words, end):
    outcome = cli(*words)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.rstrip().endswith(end)


def test_an_unknown_command_suggests_the_nearest(cli):
    outcome = cli("trian")
    assert (outcome.code, outcome.out) == (2, "")
    assert "No such command 'trian'. Did you mean 'train'?" in outcome.err


def test_an_unknown_command_with_none_near_lists_all(cli):
    outcome = cli("xyzzy")
    assert outcome.code == 2
    assert f"Commands: {', '.join(COMMANDS)}." in outcome.err


def test_an_unknown_option_is_a_usage_error(cli, tiny):
    outcome = cli("check", "--formt=full", tiny)
    assert outcome.code == 2
    assert "--format" in outcome.err


def test_ctrl_c_ends_with_130(cli, tiny, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "inspect", interrupt)
    outcome = cli("check", tiny)
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "\ninterrupted\n")


def test_a_disk_that_is_full_is_no_bug(cli, tiny, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    monkeypatch.setattr(check, "inspect", fail)
    outcome = cli("check", tiny)
    assert outcome.code == 1
    assert outcome.err == (
        "error: somewhere: No space left on device\n  = help: free some space on that disk, then rerun the command\n"
    )


def test_check_starts_with_few_imports(tiny):
    """Each module that `check` imports costs about half a millisecond, at every save and before every commit.

    What only some specs need is imported by them. If a module more is worth it for all, raise the number.
    """
    code = (
        "import sys; from cifar_dsl.cli import main; main(['check', sys.argv[1]]); "
        "ours = [name for name in sys.modules if name.startswith('cifar_dsl')]; "
        "heavy = {'attr', 'attrs', 'cattrs', 'filelock', 'json.tool', 'lark', 'lzma', 'rich', 'shutil', 'torch'}; "
        "print(len(ours), sorted(heavy & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code, tiny], capture_output=True, text=True, check=True)
    count, _, heavy = done.stdout.splitlines()[-1].partition(" ")
    assert heavy == "[]"
    assert int(count) <= 175


@pytest.mark.parametrize("command", ["check", "show"])
def test_commands_that_need_no_torch_import_none(tiny, command):
    code = (
        "import sys; from cifar_dsl.cli import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'numpy', 'rich'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, command, tiny], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_program_is_run_as_a_module_too(tiny):
    done = subprocess.run(
        [sys.executable, "-m", "cifar_dsl", "check", tiny, "missing.arch"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "There is no file missing.arch." in done.stderr


def test_a_reader_that_stops_reading_is_no_error_to_speak_of(tiny):
    done = subprocess.run(
        f"{sys.executable} -m cifar_dsl show {tiny} --json | head -c 1", shell=True, capture_output=True, check=False
    )
    assert (done.stdout, done.stderr) == (b"{", b"")


# ---- limits


@pytest.fixture
def deep(make_spec):
    """A spec with one layer more than the limit."""
    return make_spec("deep", f"arch deep\ninput 3x32x32\nmodel {{ repeat {limits.DEFAULTS.layers + 1} {{ relu }} }}\n")


def test_a_limit_is_raised_for_one_command(cli, deep):
    assert "cifar-dsl --limit LAYERS=... COMMAND" in cli("check", deep).err + cli("check", deep).out
    assert cli("--limit", "LAYERS=10_001", "check", deep).code == 0
    assert cli("--limit", "layers=20000", "--limit", "STEPS=2000000", "show", deep).code == 0
    assert cli("check", deep).code == 1


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("LAYRES=20000", "LAYRES is not a limit. Did you mean LAYERS?"),
        ("nonsense", "NONSENSE is not a limit. Limits that can be raised: FILE_BYTES, "),
        ("NESTING=100", "NESTING can't be raised. Limits that can be raised: "),
        ("LAYERS", "LAYERS has no integer value; use LAYERS=1_000_000."),
        ("LAYERS=many", "LAYERS=many has no integer value"),
        ("LAYERS=9_999", "LAYERS is 10,000 by default and can only be raised."),
        (f"FILE_BYTES={10**20}", "FILE_BYTES can be at most 1,000,000,000,000,000."),
        (f"FILE_BYTES={'9' * 5000}", "has no integer value"),
    ],
)
def test_a_limit_that_can_not_be_raised_so_is_wrong_usage(cli, tiny, option, expected):
    outcome = cli("--limit", option, "check", tiny)
    assert (outcome.code, outcome.out) == (2, "")
    assert expected in outcome.err


def test_a_limit_after_the_command_is_explained(cli, tiny):
    outcome = cli("check", tiny, "--limit", "LAYERS=20000")
    assert outcome.code == 2
    assert "--limit must come before the command: cifar-dsl --limit ... COMMAND" in outcome.err
