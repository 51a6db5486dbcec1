"""Containers flattened and put together again."""

from collections import OrderedDict, defaultdict, namedtuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_poly.engine.errors import StructureError
from tinygrad_poly.func.containers import flatten, mapped

Point = namedtuple("Point", ["x", "y"])

leaves = st.integers()
trees = st.recursive(
    leaves | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2) | st.integers(), inner, max_size=3)
        | st.tuples(inner, inner).map(lambda values: Point(*values))
    ),
    max_leaves=8,
)


@given(tree=trees)
def test_flattening_is_undone(tree):
    leaves, structure = flatten(tree)
    assert structure.unflatten(leaves) == tree
    assert structure.leaves(tree, "they") == leaves
    assert len(list(structure.paths())) == len(leaves)
    assert flatten(mapped(lambda leaf: leaf + 1, tree)) == ([leaf + 1 for leaf in leaves], structure)


@given(tree=trees)
def test_each_path_leads_to_its_leaf(tree):
    leaves, structure = flatten(tree)
    for leaf, path in zip(leaves, structure.paths(), strict=True):
        assert eval(f"tree{path}", {"tree": tree}) == leaf


@given(a=trees, b=trees)
def test_leaves_are_found_in_trees_of_the_same_structure_only(a, b):
    structure = flatten(a)[1]
    if flatten(b)[1] == structure:
        assert sorted(structure.leaves(b, "they")) == sorted(flatten(b)[0])
    else:
        with pytest.raises(StructureError, match="they must have the same structure"):
            structure.leaves(b, "they")


def test_dicts_are_matched_by_key():
    _, structure = flatten({"a": 1, "b": 2})
    assert structure.leaves({"b": 20, "a": 10}, "they") == [10, 20]


@pytest.mark.parametrize(
    ("tree", "shown"),
    [(1, "*"), (None, "None"), ([], "[]"), ((), "()"), ((1,), "(*,)"), ([1, (2, 3)], "[*, (*, *)]"),
     ({"a": 1, 2: None}, "{'a': *, 2: None}"), (Point(1, [2]), "Point(x=*, y=[*])"),
     (OrderedDict(a=1), "{'a': *}")],
)  # fmt: skip
def test_a_structure_is_shown_as_the_containers_around_stars(tree, shown):
    assert str(flatten(tree)[1]) == shown


@pytest.mark.parametrize("tree", [defaultdict(list, a=1), type("Mine", (list,), {})([1]), {1}, "ab", range(2)])
def test_other_classes_are_leaves(tree):
    """How to build one of them again, nobody says."""
    assert flatten(tree)[0] == [tree]


def test_classes_of_containers_are_told_apart():
    for tree in ([1, 2], (1, 2), Point(1, 2), {0: 1, 1: 2}, OrderedDict({0: 1, 1: 2})):
        for other in ([1, 2], (1, 2), Point(1, 2), {0: 1, 1: 2}, OrderedDict({0: 1, 1: 2})):
            same = flatten(tree)[1] == flatten(other)[1]
            assert same == (type(tree) is type(other))
