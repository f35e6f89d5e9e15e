"""The front door: public names, each imported when it is used."""

import inspect
import subprocess
import sys

import pytest

import gargalo
from tasks.heads import KINDS, class_names
from tests.support.places import ROOT


@pytest.mark.parametrize("name", gargalo.__all__)
def test_each_public_name_is_there_and_says_what_it_is(name):
    text = inspect.getdoc(getattr(gargalo, name))
    assert ">>> " in text or (text and f"gargalo.{name}" in gargalo.__doc__)


def test_importing_it_imports_nothing_heavy():
    heavy = {"tensorflow", "keras", "prefect", "sklearn", "h5py", "pyarrow", "numpy"}
    code = f"import sys, gargalo; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'FeatureStor'; dir"):
        gargalo.FeatureStor  # noqa: B018


def test_a_heads_class_is_public_without_another_line():
    assert set(class_names()) <= set(dir(gargalo))
    assert {kind for kind, _ in class_names().values()} == set(KINDS)
