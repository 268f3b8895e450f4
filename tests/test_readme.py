"""What the README says, is."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_the_example_of_ten_lines_runs():
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    assert len([line for line in code.splitlines() if line.strip()]) <= 12


def test_the_two_commands_are_targets_of_the_makefile():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^    make (\w+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


def test_every_command_exists():
    from equisphere.cli._app import app

    known = {command.callback.__name__ for command in app.registered_commands}
    named = set(re.findall(r"^    equisphere (\w+)", README, flags=re.MULTILINE))
    assert named == known


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\((docs/[\w./-]+)\)", README))))
def test_every_link_leads_somewhere(name):
    assert (ROOT / name).exists()


def test_the_tree_is_the_tree():
    listed = set(re.findall(r"^      (\w+)/ ", README, flags=re.MULTILINE))
    assert listed == {path.parent.name for path in (ROOT / "src" / "equisphere").glob("*/__init__.py")}


def test_every_test_that_the_corrections_name_exists():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "corrections.md").read_text())
    assert len(named) >= 8
    for path, test in named:
        assert f"def {test}(" in (ROOT / path).read_text(), test
