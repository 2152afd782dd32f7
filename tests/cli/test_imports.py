"""Loading torch without the garbage collector."""

from __future__ import annotations

import gc
import sys

import pytest

from dirac_enhance.cli.imports import quick_imports


def test_collection_rests_while_torch_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen: list[bool] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(gc.isenabled()))
    monkeypatch.delitem(sys.modules, "torch")

    with quick_imports():
        assert not gc.isenabled()

    assert gc.isenabled()
    assert frozen == [False]


def test_nothing_changes_where_torch_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", sys)
    before = gc.get_freeze_count()
    with quick_imports():
        assert gc.isenabled()
    assert gc.get_freeze_count() == before
