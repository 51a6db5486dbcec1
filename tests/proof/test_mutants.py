import pytest

from tinygrad_poly.checking.cases import Case
from tinygrad_poly.checking.programs import Input, Problem, Program

from . import mutants
from .judge import check_exactly
from .mutants import Mutant
from .prove import sample

BOX = Input((1, 2, 3), (1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
# What few problems in a small sample would show.
RARE = [
    # (x + c).sum() with c repeated: the cotangent is a scalar, and c was used three times.
    Problem(
        Program((Input((3,), (1.0, 2.0, 3.0)), Input((1,), (2.0,))), (("add", 0, 1), ("sum", 2, None, False))),
        (2.0,),
        ((1.0, 2.0, -3.0), (0.5,)),
    ),
    # Turning three axes around is not its own inverse.
    Problem(Program((BOX,), (("permute", 0, (-2, -1, -3)),)), (2.0, -3.0, 5.0, 0.5, 7.0, -1.0), ((1.0,) * 6,)),
]


@pytest.fixture(scope="module")
def cases():
    return [*sample(300, start=1), *map(Case, RARE)]


@pytest.mark.parametrize("mistake", [*{m.mistake: None for m in mutants.mutants()}])
def test_every_live_mutant_is_caught(mistake, cases):
    outcomes = [mutants.try_out(m, cases, until_caught=True) for m in mutants.mutants() if m.mistake == mistake]
    assert any(o.live for o in outcomes)
    assert not [o.mutant for o in outcomes if o.missed]


def test_the_right_engine_is_no_mutant(cases):
    from contextlib import nullcontext

    right = Mutant("none", "nowhere", nullcontext)
    assert mutants.try_out(right, cases) == mutants.Outcome(right, live=0, caught=0)


def test_a_mutant_leaves_the_engine_as_it_was():
    x = Input((2,), (1.0, 3.0))
    case = Case(Problem(Program((x, x), (("multiply", 0, 1), ("add", 2, 0))), (2.0, 3.0), ((1.0, 2.0),) * 2))
    for mutant in mutants.mutants():
        with mutant.plant():
            pass
        check_exactly(case)


def test_a_mutant_whose_target_has_changed_says_so():
    plant = mutants._rewritten(mutants.is_live, ("this text is not in it", ""))
    with pytest.raises(LookupError, match="is_live no longer has"), plant():
        pass
