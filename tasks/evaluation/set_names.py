"""The kinds of sets of classes, and by what their coverage is; `--help` shows them."""

from typing import Literal

# lac: how improbable a class is (M. Sadinle et al., Least Ambiguous Set-Valued Classifiers, JASA
# 114, 2019). aps: how probable all classes are that are more probable (Y. Romano et al.,
# Classification with Valid and Adaptive Coverage, NeurIPS 2020, with u = 0).
SetKind = Literal["lac", "aps"]
CoverageBy = Literal["class", "group"]
