"""Syntax of Python, YAML, C and notes that people write by habit, and what to write instead.

A habit is a pattern at the place of a syntax error, and a rewriting of what it matches. A rewriting counts only if the
parser then reads further, so whoever follows the advice gets past the error.
"""

import re
from collections.abc import Callable, Iterator

from cifar_dsl.foundation.records import frozen
from cifar_dsl.language.diagnostics import nearest

Change = tuple[int, int, str]  # start, end, and the text that replaces it
_LONGEST_BRACKETS = 2_000  # characters between brackets that a habit replaces


@frozen
class Habit:
    """`pattern` is searched in the line of the error and the line before; `rewrite` makes the text for a match.

    `body`, if given, makes all changes to a text for a match. `is_safe`: the meaning is certain.
    """

    why: str
    pattern: re.Pattern[str]
    rewrite: Callable[[re.Match[str]], str] | str = ""
    is_safe: bool = True
    body: Callable[[str, re.Match[str]], list[Change]] | None = None

    def changes(self, text: str, match: re.Match[str]) -> list[Change]:
        """The changes that follow the habit's advice."""
        if self.body:
            return self.body(text, match)
        new = match.expand(self.rewrite) if isinstance(self.rewrite, str) else self.rewrite(match)
        return [(match.start(), match.end(), new)]


def _habit(why: str, pattern: str, rewrite: Callable[[re.Match[str]], str] | str = "", **options: object) -> Habit:
    """A habit. In `pattern`, a space is any space within a line, `~` is at least one, and NAME is a name.

    Both take all the space there is and give none back: a line of spaces would be tried in all ways to divide it.
    A `$` at its end is the end of a line, before which there may be a comment.
    """
    if pattern.endswith("$"):
        pattern = f"{pattern.removesuffix('$').rstrip(' ')}(?= (?:#[^\\n]*)?$)"
    shorthand = {" ": r"[ \t]*+", "~": r"[ \t]++", "NAME": r"[A-Za-z_]\w*"}
    whole = re.sub("|".join(shorthand), lambda match: shorthand[match[0]], pattern)
    return Habit(why, re.compile(whole, re.MULTILINE), rewrite, **options)  # type: ignore[arg-type]


def _indented(text: str, match: re.Match[str]) -> list[Change]:
    """Braces around the lines below a head with a colon, as far as they are indented more, and not empty."""
    start = text.rfind("\n", 0, match.start("colon")) + 1
    head = text[start:]
    depth = len(head) - len(head.lstrip(" \t"))
    end = text.find("\n", match.start("colon"))
    last = end = len(text) if end < 0 else end
    while end < len(text):
        following = text.find("\n", end + 1)
        following = len(text) if following < 0 else following
        line = text[end + 1 : following]
        if line.strip() and len(line) - len(line.lstrip(" \t")) <= depth:
            break
        last, end = (following if line.strip() else last), following
    closing = f"\n{head[:depth]}}}"
    return [(*match.span("colon"), " {"), (last, last, closing)] if last > match.end("colon") else []


def _unwrapped(text: str, match: re.Match[str]) -> list[Change]:
    """The text without the braces around everything below the header."""
    last = text.rfind("}")
    return [(match.start("brace"), match.end("brace"), ""), (last, last + 1, "")] if last > match.end() else []


def _braces(text: str, match: re.Match[str]) -> list[Change]:
    """Braces for the brackets that `open` opens."""
    end = _closing(text, match.start("open"))
    return [(*match.span("open"), "{"), (end, end + 1, "}")] if end >= 0 else []


def _method(text: str, match: re.Match[str]) -> list[Change]:
    """An arrow for the dot behind the name of a tensor."""
    name = match["tensor"]
    is_tensor = any(text.find(start, 0, match.start()) >= 0 for start in (f"let {name} =", f"{name}: tensor"))
    return [(match.start(), match.end(), f"{name} -> ")] if is_tensor else []


def _else(_: str, match: re.Match[str]) -> list[Change]:
    """`else` for a name that resembles it."""
    return [(*match.span("name"), "else")] if nearest(match["name"], ["else"]) else []


_BRACKET = re.compile(r"[()\[\]{}]")
_SEPARATOR = re.compile(r",|\|\|")


def _closing(text: str, start: int) -> int:
    """Where the bracket at `start` is closed, or -1 if that is far away."""
    depth = 0
    for bracket in _BRACKET.finditer(text, start, start + _LONGEST_BRACKETS):
        depth += 1 if bracket[0] in "([{" else -1
        if depth == 0:
            return bracket.start()
    return -1


def _join(text: str, match: re.Match[str]) -> list[Change]:
    """A join of the values between brackets: `add { x | y }` for `add(x, y)`."""
    start = match.start("open")
    end = _closing(text, start)
    inside = text[start + 1 : end]
    if end < 0 or (match["open"] == "{" and not any(_SEPARATOR.match(inside, i) for i in _separators(inside))):
        return []
    branches = [part.strip() for part in _split(inside)]
    if len(branches) == 1:
        branches = ["identity", *branches]
    return [(match.start(), end + 1, f"{match['join']} {{ {' | '.join(branches)} }}")] if all(branches) else []


def _separators(text: str) -> Iterator[int]:
    """Where the commas and `|` of a text stand that no brackets enclose."""
    depth = 0
    for i, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and character in ",|":
            yield i


def _split(text: str) -> Iterator[str]:
    """The parts of a text between its separators, without empty ones before the last."""
    begin = 0
    for i in _separators(text):
        if text[begin:i].strip():
            yield text[begin:i]
        begin = i + 1
    yield text[begin:]


def _word(match: re.Match[str]) -> str:
    """Quoted text, without quotes if it is a name."""
    is_base = match.string[: match.start()].rstrip().endswith("extends")
    return match["text"] if match["text"].isidentifier() and not is_base else f'"{match["text"]}"'


def _size(match: re.Match[str]) -> str:
    return "x".join(re.findall(r"\d+", match["size"]))


def _power(match: re.Match[str]) -> str:
    base, exponent = match["base"], int(match["exponent"])
    if base.isdigit():
        return str(int(base) ** exponent)
    return " * ".join([base] * exponent)


HABITS = (
    _habit("file names are enclosed in double quotes", r"(?<=extends\x20) (?P<file>[\w/.-]+\.arch)\b", r'"\g<file>"'),
    _habit("quotes are double, and words have none", r"'(?P<text>[^'\n\"]*)'", _word),
    _habit(
        "a space separates a setting and its value",
        r'^(?P<indent> )"(?P<name>NAME)" [:=] ',
        r"\g<indent>\g<name> ",
    ),
    _habit("comments start with `#`", r'"""(?P<text>[^\n]*?)"""', lambda match: f"# {match['text'].strip()}"),
    _habit("comments start with `#`", r"/\*(?P<text>[^\n]*?)\*/", lambda match: f"# {match['text'].strip()}"),
    _habit(
        "comments start with `#`",
        r"(?<!\S)(?://|--(?!>)|%%?)(?P<text>[^\n]*)",
        lambda match: f"# {match['text'].strip()}",
    ),
    _habit(
        "delete it: an array file is passed on the command line, with `--data npz:PATH`",
        r"^ data~[^\n{}]*\.npz\b[^\n{}]*",
        is_safe=False,
    ),
    _habit("numbers start with a digit", r"(?<![\w.])\.(?=\d)", "0."),
    _habit("numbers end with a digit", r"(?<![\w.])(?P<digits>\d+)\.(?![\w.])", r"\g<digits>"),
    _habit("a tensor stands before an arrow, not a dot", r"\b(?P<tensor>NAME)\.(?=NAME)", body=_method),
    _habit("names have no module prefix", r"\b(?:NAME\.)+(?=NAME)"),
    _habit("`k` stands for 1,000", r"\b(?P<digits>\d[\d_.]*)K\b", r"\g<digits>k"),
    _habit("there is no power operator", r"\b(?P<base>\w+) (?:\*\*|\^) (?P<exponent>[2-9])\b", _power),
    _habit(
        "sizes are written with `x`",
        r"(?<!\w)[(\[] (?P<size>\d+(?: , \d+){1,2}) ,? [)\]]",
        _size,
    ),
    _habit("sizes are written with `x`", r"(?P<size>\b\d+(?: [xX\u00d7*] \d+){1,2})\b", _size),
    _habit("sizes are written with `x`", r"(?<=input\x20)(?P<size>\d+ , \d+ , \d+)", _size),
    # heads of items
    _habit(
        "`param` names a value of the whole spec",
        r"^(?P<indent> )(?:let|var|const|val|auto|set)(?=~\w+ =)",
        r"\g<indent>param",
    ),
    _habit(
        "`param` names a value of the whole spec",
        r"^(?P<indent> )(?=NAME =[^=])",
        r"\g<indent>param ",
    ),
    _habit(
        "a `param` has a value and no type",
        r"^(?P<head> (?:param|let)~NAME)(?: : NAME =| :=?|~) (?=[\w\[(\"-])",
        r"\g<head> = ",
    ),
    _habit(
        "`let` names a value",
        r"^(?P<indent> )(?:var|const|val|auto|set)(?=~\w+ =)",
        r"\g<indent>let",
    ),
    _habit(
        "`let` names a value",
        r"^(?P<indent> )(?P<name>NAME) := ",
        r"\g<indent>let \g<name> = ",
    ),
    _habit(
        "functions of stages are called `block`",
        r"^(?P<indent> )(?:def|fn|func|function|fun|module|macro|class|define)(?=~NAME \()",
        r"\g<indent>block",
    ),
    _habit(
        "the network is called `model`",
        r"^(?P<indent> )(?:network|net|layers|architecture|backbone|body|forward|stages|Model) (?:\( \))? (?=\{)",
        r"\g<indent>model ",
    ),
    _habit(
        "the recipe is called `train`",
        r"^(?P<indent> )(?:training|recipe|trainer|fit|hyperparameters|hparams|config) (?=\{)",
        r"\g<indent>train ",
    ),
    _habit("a block has parentheses", r"^(?P<head> block~NAME) (?=\{)", r"\g<head>() "),
    _habit(
        "a type follows its parameter",
        r"\b(?P<type>int|float|bool|list|size)~(?P<name>NAME)(?= [,)=])",
        r"\g<name>: \g<type>",
    ),
    _habit(
        "enclose a body in `{` and `}`",
        r"^(?P<head> (?:model|train|group~NAME|block~NAME \([^()\n]*\))) [:=] (?=\{)",
        r"\g<head> ",
    ),
    _habit(
        "`model` and `train` have no name",
        r"^(?P<head> (?:model|train)) (?:\( \)|NAME(?:-\w+)*) (?=\{)",
        r"\g<head> ",
    ),
    _habit(
        "enclose a body in `{` and `}`",
        r"^(?P<head> block~NAME \([^()\n]*\)) (?:=>|=|->|:) (?P<stages>[^\n#{}]*[^\s#{}]) $",
        r"\g<head> { \g<stages> }",
    ),
    _habit("enclose a body in `{` and `}`", r"^ (?:model|train) (?P<open>[\[(])", body=_braces),
    _habit(
        "enclose a body in `{` and `}`",
        r"^ (?:for|if|else|repeat|block|model|train|group)\b[^\n{}#]*?(?P<colon> :) $",
        body=_indented,
    ),
    _habit(
        "enclose a body in `{` and `}`",
        r"\b(?P<head>(?:for|if|else|repeat)\b[^\n{}#:]*?) : (?P<stages>[^\s#{}][^\n#{}]*)$",
        r"\g<head> { \g<stages> }",
    ),
    # the header
    _habit(
        "delete the braces around the items of a spec",
        r"^ arch~NAME(?:~extends~\S+)? (?P<brace>\{)",
        body=_unwrapped,
    ),
    _habit("a space follows the keyword", r"^(?P<head> (?:arch|library|input)) [:=] (?=\S)", r"\g<head> "),
    _habit(
        "names are not quoted",
        r'^(?P<head> (?:arch|library)~)"(?P<name>[A-Za-z_][^"\n]*)"',
        lambda match: match["head"] + re.sub(r"\W+", "_", match["name"]).rstrip("_"),
    ),
    _habit(
        "the base follows `extends`",
        r"^(?P<head> arch~NAME) (?:\n extends~|[:<] |(?:extend|inherits|from|base)~)(?P<base>\S+)",
        r"\g<head> extends \g<base>",
    ),
    _habit(
        "the base follows `extends`",
        r"^(?P<head> arch~NAME) \( (?P<base>NAME) \)",
        r"\g<head> extends \g<base>",
    ),
    _habit(
        "a spec starts with `arch`",
        r"\A(?P<indent> )(?:name|network|net|model|title|spec) [:=]? (?P<name>NAME) $",
        r"\g<indent>arch \g<name>",
    ),
    _habit("`==` compares", r"\b(?P<head>if\b[^={\n]*[^=!<>{\n])=(?!=)", r"\g<head>=="),
    # settings
    _habit(
        "arguments are enclosed in parentheses",
        r'^(?P<head> NAME)(?: [:=] |~)"?(?P<name>NAME)"? , (?P<arguments>NAME = [^\n#,=]+(?:, NAME = [^\n#,=]+)*)$',
        r"\g<head> \g<name>(\g<arguments>)",
    ),
    _habit(
        "an optimizer has a name",
        r"^(?P<head> optimizer)~(?:lr|learning_rate) = (?P<value>[\w.+-]+)",
        r"\g<head> adam(lr=\g<value>)",
        is_safe=False,
    ),
    _habit(
        "arguments are enclosed in parentheses",
        r"^(?P<head> NAME~NAME) = (?P<value>[\w.+-]+)",
        r"\g<head>(\g<value>)",
    ),
    _habit(
        "arguments are enclosed in parentheses",
        r"^(?P<head> NAME~NAME)(?: ,)?~(?P<name>NAME)(?: = |~)(?P<value>[\d.][\w.+-]*)",
        r"\g<head>(\g<name>=\g<value>)",
    ),
    _habit(
        "a space separates a setting and its value", r"^(?P<head> [A-Za-z_][\w.]*) (?::|=(?!=)) (?=\S)", r"\g<head> "
    ),
    _habit("a setting has a value", r"^(?P<head> NAME)(?= (?:#|\n|\Z))", r"\g<head> true"),
    _habit(
        "augmentations are connected with `->`",
        r"^(?P<head> (?:augment|average|test_augment)~[^\n#|]*?) \| (?=NAME)",
        r"\g<head> -> ",
    ),
    # stages
    _habit("the branches of a join are enclosed in braces", r"\b(?P<join>add|concat|mul) (?P<open>[(\[{])", body=_join),
    _habit("`=` follows the name of an argument", r"(?P<name>[(,] NAME) : (?=[\w.\"\[])", r"\g<name>="),
    _habit(
        "shares are numbers from 0 to 1",
        r"(?P<head>[(,=] )(?P<percent>\d+(?:\.\d+)?) %(?= [,)])",
        lambda match: f"{match['head']}{float(match['percent']) / 100:g}",
    ),
    _habit("`group` is a keyword", r"\bgroup(?= =)", "groups"),
    _habit("the last stage is the result", r"\breturn~"),
    _habit("the keyword is `else if`", r"\b(?:elif|elseif|elsif)\b", "else if"),
    _habit("the keyword is `else`", r"\} (?P<name>NAME) (?=\{|if\b)", body=_else, is_safe=False),
    _habit("the operator is `and`", r" &&? ", " and "),
    _habit("the operator is `or`", r" \|\| ", " or "),
    _habit("the operator is `not`", r"! (?!=)", "not "),
    _habit("`repeat` is followed by a number", r"\brepeat~(?P<count>\d+) x\b", r"repeat \g<count>"),
    _habit("`repeat` is followed by a number", r"\b(?P<count>\d+) [*x] (?=\{)", r"repeat \g<count> "),
    _habit("stages are connected with `->`", r" (?:=>|>>|\|>|-->|→|⇒) ", " -> "),
    _habit("a line needs no `;`", r" ;+(?= (?:#|$))"),
    _habit(
        "write each stage or setting on a line of its own",
        r"^(?P<head>(?P<indent> )[^\n;]*?) ; ",
        r"\g<head>\n\g<indent>",
    ),
    _habit("a line needs no `,`", r" ,(?= (?:#|$))"),
    _habit("stages are connected with `->`", r" [,+] (?=[A-Za-z_])", " -> ", is_safe=False),
    _habit("names have no hyphen", r"\bNAME(?:-\w+)+", lambda match: match[0].replace("-", "_")),
    _habit(
        "arguments are enclosed in parentheses",
        r"(?<![\w.])(?P<name>NAME)(?P<values>(?:~\d[\w.]*)+)(?= (?:$|#|->))",
        lambda match: f"{match['name']}({', '.join(match['values'].split())})",
        is_safe=False,
    ),
)
