"""Specs in the hash of an address."""

import pytest

from cifar_dsl.editors.playground.links import fragment, texts_of


@pytest.mark.parametrize("texts", [("",), ("arch a\n",), ("# Größe 🎈\n" * 100, "arch b extends baseline\n")])
def test_a_link_holds_its_texts(texts):
    link = fragment(*texts)
    assert texts_of(link) == list(texts)
    assert not set(link) & set("+/ \n")


@pytest.mark.parametrize("link", ["", "#", "#b=AwA", "#a=x", "#a=%00", "#a=////"])
def test_a_broken_link_is_an_error(link):
    with pytest.raises(ValueError, match=r"."):
        texts_of(link)
