"""Warnings are ignored while any thread reads, and shown again after."""

import threading
import warnings

import pytest

from tasks.images.quiet_pillow import quiet


def test_threads_that_overlap_leave_the_filters_as_they_were():
    """The kind: the first to end brings the warnings back for the others, the last takes them."""
    inside, may_end = threading.Event(), threading.Event()

    def read():
        with quiet():
            inside.set()
            may_end.wait(10)

    before = list(warnings.filters)
    with quiet():
        other = threading.Thread(target=read)
        other.start()
        inside.wait(10)
    warnings.warn("while the other reads", UserWarning, stacklevel=1)
    may_end.set()
    other.join()
    assert warnings.filters == before
    with pytest.warns(UserWarning, match="after"):
        warnings.warn("after", UserWarning, stacklevel=1)
