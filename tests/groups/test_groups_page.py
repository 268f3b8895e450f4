"""The page on groups says what is so."""

import doctest
import re
from pathlib import Path

import equisphere.groups

PAGE = Path(__file__).parents[2] / "docs" / "groups.md"


def test_its_examples_run():
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert failed == 0
    assert tried > 20


def test_a_group_of_ones_own_takes_ten_lines():
    (lines,) = re.findall(r">>> (class Affine.*?)>>> A = ", PAGE.read_text(), flags=re.DOTALL)
    assert len(lines.splitlines()) <= 11  # the line `class ...` and ten


def test_it_names_every_group_and_action():
    missing = [
        name
        for name in equisphere.groups.__all__
        if (name.startswith(("act_", "check_")) or name[0].isupper()) and name not in PAGE.read_text()
    ]
    assert missing in ([], ["EquivarianceError"])
