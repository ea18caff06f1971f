"""Errors without Ray, or without a cluster; `slow/test_ray.py` has a cluster."""

import os
import socket
import sys

import pytest

from cifar_dsl.experiments.jobs.ray import check_reachable, connect
from cifar_dsl.foundation.errors import UserError


def test_without_ray_the_error_has_the_install_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError) as caught:
        connect()
    assert "install the extra: pip install 'cifar-dsl[ray]'" in caught.value.help
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_an_unreachable_address_is_reported_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and listens to nobody
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        for each in (address, f"ray://{address}"):
            with pytest.raises(UserError, match=f"there is no Ray cluster at {each}"):
                check_reachable(each)
        taken.listen()
        check_reachable(address)
    check_reachable("auto")
