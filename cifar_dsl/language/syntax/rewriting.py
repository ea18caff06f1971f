"""Rewrites the habits in a text with syntax errors, so that the errors behind them are found, too."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from cifar_dsl.foundation.records import define, evolve, field, frozen
from cifar_dsl.language.diagnostics import Advice, Diagnostic, Edit, Fix, Label
from cifar_dsl.language.source import Source, Span
from cifar_dsl.language.syntax.explanations import Brackets, Misplaced, character_error
from cifar_dsl.language.syntax.habits import HABITS, Change, Habit
from cifar_dsl.language.syntax.lalr import MisplacedError, Parser, Token
from cifar_dsl.language.syntax.lexer import UnreadableError, raw_tokens, whole_tokens
from cifar_dsl.language.syntax.newlines import NEW_LINE, NewLineFilter, OversizeError, UnbalancedError
from cifar_dsl.language.syntax.tables import tables
from cifar_dsl.language.syntax.words import HEADERS

_MOST = 20  # rewritings of one text
_LONGEST_TEXT = 50_000  # characters: a longer text is not read once more to rewrite it
_WORK = 150_000  # characters that are searched for habits, or read after a rewriting
_WORK_OF_A_SEARCH = 4  # for each character, since all habits are searched
_STRIDE = 500  # characters between the places from which a rewritten text is read
_FOLLOWING = 2  # habits that follow one at once
_WIDEST = 1_000  # characters in which habits are searched
_LONGEST = 60  # characters of a line that help shows whole
_NEXT_TOKEN = re.compile(r"[ \t]*(?:\w+|\S|\n|\Z)")


@frozen
class _Mark:
    """A place up to which a text parses: the parser there, the open brackets, and the token that ends there."""

    place: int
    parser: Parser
    open: tuple[Token, ...]
    previous: str | None


@frozen
class _Trial:
    """A rewritten text: the habit, its changes, the text, and the end of the token after the first change."""

    habit: Habit
    changes: list[Change]
    text: str
    following: int


@frozen
class _Reading:
    """The first error of a text, None if there is none, and the marks before it."""

    left: Exception | None
    marks: list[_Mark]

    def is_past(self, trial: _Trial) -> bool:
        """Whether the text of a trial was read further than its change."""
        reached = _place(self.left, trial.text)
        return reached is None or reached >= trial.following

    def is_next(self, trial: _Trial) -> bool:
        """Whether the next error is directly behind the change of a trial."""
        reached = _place(self.left, trial.text)
        start, _, new = trial.changes[0]
        return reached is not None and reached >= start + len(new)


@define
class Rewriter:
    """Rewrites the habits in a text, one at each syntax error, and records a diagnostic for each.

    A rewritten text is read on from the last mark before its change, and all work is limited, so the time is linear in
    the length of the text.
    """

    source: Source
    start: str  # the rule of the grammar
    text: str = field(init=False)
    _found: list[tuple[Diagnostic, str]] = field(factory=list, init=False)  # each with the habit's reason
    _work_done: int = field(default=0, init=False)
    _marks: list[_Mark] = field(factory=list, init=False)  # of `text`; empty if they aren't known
    _changes: list[Change] = field(factory=list, init=False)  # of the source's text, sorted

    def __attrs_post_init__(self) -> None:
        self.text = self.source.text

    def run(self, error: Exception) -> Exception | None:
        """Rewrite as much as possible, from the first error of the source on; the first error that is left, or None."""
        left: Exception | None = error
        if len(self.text) > _LONGEST_TEXT:
            return left
        while left is not None and len(self._found) < _MOST:
            found = self._rewritten(left)
            if found is None:
                break
            left, self._marks = found.left, found.marks
        return left

    @property
    def errors(self) -> list[Diagnostic]:
        """The errors that were rewritten; those within one line as one error, whose fix rewrites the line."""
        by_line: dict[object, list[tuple[Diagnostic, str]]] = {}
        for one, why in self._found:
            assert one.label
            edits = [edit for fix in one.fixes for edit in fix.edits]
            is_within = not any("\n" in edit.span.text + edit.replacement for edit in edits)
            line = one.label.span.line
            is_within = is_within and all(edit.span.line == line for edit in edits)
            by_line.setdefault(line if is_within else one, []).append((one, why))
        return [self._merged(found) if len(found) > 1 else found[0][0] for found in by_line.values()]

    def _merged(self, found: list[tuple[Diagnostic, str]]) -> Diagnostic:
        first, *others = sorted((one for one, _ in found), key=lambda one: one.sort_key)
        assert first.label
        edits = tuple(edit for one, _ in found for fix in one.fixes for edit in fix.edits)
        source, line = self.source, first.label.span.line
        start = source.line_start(line)
        changes = [(edit.span.start - start, edit.span.end - start, edit.replacement) for edit in edits]
        text = _changed(source.line_text(line), changes).strip()
        is_safe = all(fix.is_safe for one, _ in found for fix in one.fixes)
        why = "; ".join(dict.fromkeys(why for _, why in found))
        help_text, title = (f"write `{text}`: {why}", f"write `{text}`") if len(text) <= _LONGEST else (why, why)
        labels = tuple(one.label for one in others if one.label)
        return evolve(first, secondary=labels, help=(help_text,), fixes=(Fix(title, edits, is_safe),))

    def restored(self, diagnostic: Diagnostic) -> Diagnostic:
        """A diagnostic of the rewritten text as one of the source's."""

        def span(one: Span) -> Span:
            return Span(self.source, self._original(one.start), self._original(one.end, is_end=True))

        def label(one: Label) -> Label:
            return Label(span(one.span), one.text)

        fixes = tuple(
            Fix(fix.title, tuple(Edit(span(edit.span), edit.replacement) for edit in fix.edits), fix.is_safe)
            for fix in diagnostic.fixes
        )
        return Diagnostic(
            diagnostic.code,
            diagnostic.message,
            label(diagnostic.label) if diagnostic.label else None,
            tuple(map(label, diagnostic.secondary)),
            diagnostic.notes,
            diagnostic.help,
            fixes,
        )

    def _rewritten(self, error: Exception) -> _Reading | None:
        """Rewrite the habit at an error and record it; the reading of the rewritten text, or None without a habit."""
        stuck: list[tuple[_Trial, _Reading]] = []
        for trial in self._tried(self.text, error):
            reading = self._reading(trial, self._marks)
            if reading.is_past(trial) and self._is_new(trial.changes):
                self._record(error, trial)
                return reading
            if reading.is_next(trial):
                stuck.append((trial, reading))
        for trial, reading in stuck:  # other habits follow at once
            if self._is_new(trial.changes) and self._leads_on(trial, reading, _FOLLOWING):
                self._record(error, trial)
                return reading
        return None

    def _leads_on(self, trial: _Trial, reading: _Reading, habits: int) -> bool:
        """Whether habits at the error that a trial leads to, at most that number of them, lead past it."""
        assert reading.left is not None
        for after in self._tried(trial.text, reading.left):
            following = self._reading(after, reading.marks)
            if following.is_past(after):
                return True
            if habits > 1 and following.is_next(after) and self._leads_on(after, following, habits - 1):
                return True
        return False

    def _reading(self, trial: _Trial, marks: Sequence[_Mark]) -> _Reading:
        """Read the text of a trial; `marks` are those of the text that it changes."""
        line = trial.text.rfind("\n", 0, trial.changes[0][0])  # no token is longer than a line
        before = [mark for mark in marks if mark.place <= max(line, 0)]
        return self._read(before, raw_tokens(trial.text, before[-1].place))

    def _read(self, marks: list[_Mark], tokens: Iterable[Token]) -> _Reading:
        """Read tokens that begin at the last mark, and append marks to the list."""
        begin = marks[-1]
        parser, filtered = begin.parser.copy(), NewLineFilter(begin.open, begin.previous)
        place = begin.place
        try:
            for token in filtered.process(iter(tokens)):
                parser.feed(token)
                if token.end > marks[-1].place + _STRIDE and token.type != NEW_LINE:
                    marks.append(_Mark(token.end, parser.copy(), tuple(filtered.open_brackets), token))
                place = token.end
            parser.finish()
        except (UnreadableError, MisplacedError, UnbalancedError, OversizeError) as error:
            return _Reading(error, marks)
        finally:
            self._work_done += place - begin.place
        return _Reading(None, marks)

    def _tried(self, text: str, error: Exception) -> Iterator[_Trial]:
        """The habits at an error in `text`."""
        place = _place(error, text)
        for habit, changes in self._candidates(text, place, error) if place is not None else ():
            after = _changed(text, changes)
            if after == text:
                continue
            if not self._marks:
                start = _Mark(0, Parser(tables(), self.start), (), None)
                self._marks = self._read([start], whole_tokens(self.text)).marks
            if self._work_done > _WORK:
                return
            following = _NEXT_TOKEN.match(after, changes[0][0] + len(changes[0][2]))
            if following:
                yield _Trial(habit, changes, after, following.end())

    def _candidates(self, text: str, place: int, error: Exception) -> Iterator[tuple[Habit, list[Change]]]:
        """The habits whose patterns match at a place of `text`, with their changes."""
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        begin = text.rfind("\n", 0, max(0, text.rfind("\n", 0, place))) + 1
        line = text[text.rfind("\n", 0, place) + 1 : end]
        is_balanced = all(line.count(one) == line.count(partner) for one, partner in ("()", "[]"))
        habits = [habit for habit in HABITS if habit.is_safe or is_balanced] if end - begin <= _WIDEST else []
        self._work_done += _WORK_OF_A_SEARCH * (end - begin)
        for habit in habits:
            for match in habit.pattern.finditer(text, begin, end):
                changes = habit.changes(text, match)
                self._work_done += changes[-1][1] - changes[0][0] if changes else 0
                is_here = bool(changes) and changes[0][0] <= place and not text[changes[-1][1] : place].strip()
                if is_here and any(change[0] < change[1] or change[2] for change in changes):
                    yield habit, changes
        accepts = error.parser.accepts() if isinstance(error, MisplacedError) else set()
        if accepts and all(name.lower() in HEADERS for name in accepts):
            stem = PurePath(self.source.name).stem
            name = stem if stem.isidentifier() else "example"
            yield Habit("a spec starts with its name", re.compile("")), [(place, place, f"arch {name}\n")]

    def _is_new(self, changes: list[Change]) -> bool:
        """Whether no change touches what an earlier one wrote."""
        spans = [(self._original(start), self._original(end, is_end=True)) for start, end, _ in changes]
        return all(
            end - start == new_end - new_start and not any(a < end and start < b for a, b, _ in self._changes)
            for (start, end), (new_start, new_end, _) in zip(spans, changes, strict=True)
        )

    def _record(self, error: Exception, trial: _Trial) -> None:
        habit, changes, text = trial.habit, trial.changes, trial.text
        rewritten = Source(self.source.name, self.text)
        edits = tuple(Edit(Span(rewritten, start, end), new) for start, end, new in changes)
        line = text[text.rfind("\n", 0, changes[0][0]) + 1 :].partition("\n")[0]
        line = line.partition("#")[0].strip() if line.strip()[:1] != "#" else line.strip()
        shown = line if 0 < len(line) <= _LONGEST else changes[0][2].strip()
        if changes[0][2].strip("\n").count("\n"):  # a line becomes two
            shown = ""
        help_text = f"write `{shown}`: {habit.why}" if shown and len(changes) == 1 else habit.why
        advice = Advice(help_text, (Fix(f"write `{shown}`" if shown else habit.why, edits, habit.is_safe),))
        found = _diagnostic(rewritten, error)
        diagnostic = Diagnostic(found.code, found.message, found.label, help=(advice.help,), fixes=advice.fixes)
        self._found.append((self.restored(diagnostic), habit.why))
        self._changes += [(self._original(start), self._original(end, is_end=True), new) for start, end, new in changes]
        self._changes.sort()
        self.text = text

    def _original(self, offset: int, *, is_end: bool = False) -> int:
        """The offset in the source of one in the rewritten text; in new text, an end of what it replaces."""
        shift = 0
        for start, end, new in self._changes:
            at = start + shift
            if offset < at or (offset == at and is_end):
                break
            if offset < at + len(new):
                return end if is_end else start
            shift += len(new) - (end - start)
        return offset - shift


def _place(error: Exception | None, text: str) -> int | None:
    match error:
        case UnreadableError(offset=offset):
            return offset
        case MisplacedError(token=token):
            return min(token.start, len(text))
        case UnbalancedError(token=token, opening=opening):
            found = token or opening
            return found.start if found else None
        case _:
            return None


def _changed(text: str, changes: list[Change]) -> str:
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _diagnostic(source: Source, error: Exception) -> Diagnostic:
    """The diagnostic of an error, without the advice of a habit."""
    match error:
        case UnreadableError(offset=offset):
            return character_error(source, offset)
        case MisplacedError(token=token):
            return Misplaced(source, token, set(), Brackets((), ())).diagnostic()
        case UnbalancedError(token=token, opening=opening):
            found = token or opening
            assert found is not None
            return Diagnostic("E0102", f"unmatched `{found}`", Label(Span(source, found.start, found.end)))
        case _:
            raise AssertionError(error)
