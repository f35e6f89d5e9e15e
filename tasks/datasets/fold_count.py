"""The number of folds of a cross-validation. Light: `--help` imports it."""

from typing import Annotated

from pydantic import AfterValidator

from tasks.errors import InputError

_MOST = 100


def _several(count: int) -> int:
    if count != 0 and not 2 <= count <= _MOST:
        raise ValueError(f"expected 0, or 2 to {_MOST} folds")
    return count


FoldCount = Annotated[int, AfterValidator(_several)]


def check_fold_seed(folds: int, seed: int) -> None:
    """Raise InputError for a seed of folds where there are no folds."""
    if seed and not folds:
        raise InputError(f"--fold-seed {seed}: there are no folds; add --folds 5")
