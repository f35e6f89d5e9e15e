import re
import shlex
from pkgutil import resolve_name

import pytest

from flows.cli import make_app
from tests.support.places import ROOT

README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^python -m flows\.(\w+) (.*?)(?:\s+#.*)?$", README, re.MULTILINE)
SNIPPETS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("name", "arguments"), COMMANDS, ids=str)
def test_every_command_of_the_readme_has_flags_that_exist(name, arguments, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    app = make_app(resolve_name(f"flows.{name}:{name}"), str)
    app.parse_args(shlex.split(arguments), print_error=False, exit_on_error=False)


def test_there_are_commands_and_snippets():
    assert len(COMMANDS) >= 5
    assert len(SNIPPETS) == 3


def test_the_snippets_of_the_readme_run_one_after_the_other(run_json):
    summary = run_json("pipeline", "--image-size", "32", "--head", "svm")
    scope = {}
    for snippet in SNIPPETS:
        exec(snippet, scope)
    assert scope["X"].shape == (summary["ingest"]["train"], *summary["extract"]["feature_shape"])
    features, labels = next(iter(scope["dataset"]))
    assert features.shape[0] == labels.shape[0] == 32
