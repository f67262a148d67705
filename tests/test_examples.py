"""What the examples of the docstrings print is what stands below them."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from ccp_analysis import config, models, results

PACKAGES = (config, models, results)
FINDER = doctest.DocTestFinder()
MODULES = [
    importlib.import_module(module.name)
    for package in PACKAGES
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
]
# With no names but those that an example imports: it can be copied as it stands.
FOUND = [example for module in MODULES for example in FINDER.find(module, globs={})]
EXAMPLES = [example for example in FOUND if example.examples]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_prints_what_stands_below_it(example: doctest.DocTest):
    said: list[str] = []
    assert doctest.DocTestRunner().run(example, out=said.append).failed == 0, "".join(said)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_room_with_an_api_page_has_examples(package):
    assert any(example.name.startswith(f"{package.__name__}.") for example in EXAMPLES)
