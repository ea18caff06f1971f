"""A server that gets bad messages answers the good ones between them. In full: `bench/promises.py editor`."""

from pathlib import Path

from helpers.wire import survive


def test_good_requests_between_bad_messages_are_answered(tmp_path: Path) -> None:
    survive(tmp_path.resolve(), seed=1, count=400)
