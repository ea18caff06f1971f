"""`cifar-dsl compare`: which trick is worth how much?"""

from collections import Counter
from pathlib import Path

import click

from cifar_dsl.cli import options
from cifar_dsl.cli.comparing import Contestant, Terms, train_and_compare, with_terms
from cifar_dsl.cli.output import fail
from cifar_dsl.language.diagnostics import SpecError


@click.command(name="compare")
@options.specs
@options.overrides
@options.root
@with_terms
def command(specs: tuple[str, ...], overrides: tuple[str, ...], root: Path | None, terms: Terms) -> int:
    """Train those of SPECS (files, folders or globs) that have no run yet, and compare all runs.

    Every run that is there of a spec on the same data takes part. The table and what it says go to the terminal,
    and into OUT as comparison.md, .csv, .json, .tex (LaTeX), with a chart (.png, .svg) and report.html, which
    needs no other file.
    """
    contestants = _load(specs, overrides, root)
    return 1 if contestants is None else train_and_compare(contestants, terms)


def _load(names: tuple[str, ...], overrides: tuple[str, ...], root: Path | None) -> list[Contestant] | None:
    """The specs; None when one was wrong. All are checked before any is trained.

    Those that are called alike are told apart by their files, unless they mean the same: then one takes part.
    """
    from cifar_dsl import api

    loaded: list[tuple[Path, api.Spec]] = []
    is_wrong = False
    for item in options.spec_paths(names, root):
        try:
            spec = api.load(item.path, root=item.root, overrides=overrides)
        except SpecError as error:
            is_wrong = fail(error)
        else:
            loaded.append((item.path, spec))
    if is_wrong:
        return None
    distinct = {(spec.name, spec.fingerprint): (path, spec) for path, spec in reversed(loaded)}  # the first of equals
    count = Counter(name for name, _ in distinct)
    return [
        Contestant(spec, spec.name if count[spec.name] == 1 else str(path.with_suffix("")), spec.changes)
        for path, spec in reversed(distinct.values())
    ]
