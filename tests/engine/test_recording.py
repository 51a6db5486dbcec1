"""What is recorded: `no_grad`, `enable_grad`, observers, and updates in place."""

import asyncio
import threading

import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.recording import Observer, is_grad_enabled

from ..helpers import both, leaf


@both
def test_nothing_is_recorded_inside_no_grad(m):
    x = leaf(m, 2.0)
    with m.no_grad():
        y = x * x
        assert not m.is_grad_enabled()
    assert not y.requires_grad
    assert y.is_leaf
    assert m.is_grad_enabled()
    assert (x * x).requires_grad


@both
def test_new_leaves_can_be_made_inside_no_grad(m):
    with m.no_grad():
        x = leaf(m, 2.0)
    (x * x).backward()
    assert x.grad.item() == 4.0


@both
def test_recording_is_restored_after_an_exception(m):
    def fail():
        with m.no_grad():
            raise ZeroDivisionError

    @m.no_grad()
    def fail_too():
        raise ZeroDivisionError

    for function in (fail, fail_too):
        with pytest.raises(ZeroDivisionError):
            function()
        assert m.is_grad_enabled()


@both
def test_enable_grad_records_again_inside_no_grad(m):
    x = leaf(m, 2.0)
    with m.no_grad():
        with m.enable_grad():
            y = x * x
        assert not m.is_grad_enabled()
    y.backward()
    assert x.grad.item() == 4.0


@both
def test_the_same_object_can_be_entered_again(m):
    quiet = m.no_grad()
    for _ in range(2):
        with quiet:
            assert not m.is_grad_enabled()
        assert m.is_grad_enabled()


def test_the_same_object_can_be_entered_inside_itself():
    quiet, loud = tg.no_grad(), tg.enable_grad()
    with quiet:
        with loud:
            with quiet:
                assert not is_grad_enabled()
            assert is_grad_enabled()
            with loud:
                assert is_grad_enabled()
        assert not is_grad_enabled()
    assert is_grad_enabled()


@both
@pytest.mark.parametrize("brackets", [True, False])
def test_a_decorated_function_records_nothing(m, brackets):
    x = leaf(m, 2.0)

    def double(factor, *, offset=0.0):
        """Twice."""
        return x * factor + offset

    decorated = m.no_grad()(double) if brackets else m.no_grad(double)
    assert not decorated(2.0, offset=1.0).requires_grad
    assert (decorated.__name__, decorated.__doc__) == ("double", "Twice.")
    assert m.is_grad_enabled()


def test_a_decorated_function_can_call_itself():
    @tg.no_grad()
    def depth(n):
        assert not is_grad_enabled()
        return n if n == 0 else depth(n - 1)

    assert depth(5) == 0
    assert is_grad_enabled()


def test_a_decorated_coroutine_records_nothing_until_it_ends():
    states = []

    @tg.no_grad()
    async def work():
        states.append(is_grad_enabled())
        await asyncio.sleep(0)
        states.append(is_grad_enabled())
        return 5

    async def main():
        result = await work()
        states.append(is_grad_enabled())
        return result

    assert asyncio.run(main()) == 5
    assert states == [False, False, True]


def test_a_generator_is_refused_with_the_way_out():
    def numbers():
        yield 1

    async def more_numbers():
        yield 1

    for mode in (tg.no_grad, tg.enable_grad):
        for function in (numbers, more_numbers):
            with pytest.raises(TypeError, match=f"with {mode.__name__}"):
                mode()(function)


def test_other_threads_go_on_recording():
    inside, checked, seen = threading.Event(), threading.Event(), {}

    def quiet():
        with tg.no_grad():
            inside.set()
            checked.wait(5)
            seen["quiet"] = is_grad_enabled()

    def loud():
        inside.wait(5)
        seen["loud"] = is_grad_enabled()
        checked.set()

    threads = [threading.Thread(target=quiet), threading.Thread(target=loud)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"quiet": False, "loud": True}
    assert is_grad_enabled()


def test_one_object_can_be_used_by_two_threads_at_once():
    quiet, barrier, errors = tg.no_grad(), threading.Barrier(2), []

    def work(order):
        try:
            if order:
                barrier.wait(5)
            with quiet:
                if not order:
                    barrier.wait(5)
                barrier.wait(5)
                assert not is_grad_enabled()
                if order:  # the first to enter is the first to leave
                    barrier.wait(5)
            assert is_grad_enabled()
            if not order:
                barrier.wait(5)
        except Exception as error:
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=work, args=(order,)) for order in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_other_tasks_go_on_recording():
    seen = []

    async def quiet():
        with tg.no_grad():
            await asyncio.sleep(0)
            seen.append(("quiet", is_grad_enabled()))
            await asyncio.sleep(0)

    async def loud():
        seen.append(("loud", is_grad_enabled()))
        await asyncio.sleep(0)
        seen.append(("loud", is_grad_enabled()))

    async def main():
        await asyncio.gather(quiet(), loud())

    asyncio.run(main())
    assert set(seen) == {("quiet", False), ("loud", True)}


def test_updates_inside_no_grad_keep_the_leaf_a_leaf():
    for m in (tg, torch):
        w = leaf(m, 2.0)
        with m.no_grad():
            w -= 0.5
            w *= 2
        assert (w.item(), w.requires_grad, w.is_leaf) == (3.0, True, True)
        (w * w).backward()
        assert w.grad.item() == 6.0


# observers


class Noted(Observer):
    """Remembers what it is told."""

    def __init__(self):
        self.told = []

    def recorded(self, operation, inputs, options, result):
        self.told.append((operation.name, inputs, options, result))

    def names(self):
        return [name for name, *_ in self.told]

    def __len__(self):
        return len(self.told)


def test_an_observer_is_told_of_every_way_to_record():
    x, noted = leaf(tg, 2.0), Noted()
    with noted:
        product = 3 * x  # an operator
        power = x**2  # one tensor, with an option
        chosen = tg.where(product > 1, power, product)  # a row of several inputs
        joined = tg.stack([chosen, power])  # a row of any number of inputs
    assert noted.told == [
        ("Mul", (2.0, 3), (), product),
        ("Pow", (2.0,), (2,), power),
        ("Where", (True, 4.0, 6.0), (), chosen),
        ("Stack", (4.0, 4.0), (0,), joined),
    ]
    for *_, result in noted.told:
        assert result.node.operation is not None
    x * x
    assert len(noted) == 4
    joined.sum().backward()
    assert x.grad.item() == 8.0


def test_an_observer_is_told_the_operands_in_their_order():
    x, noted = leaf(tg, 2.0), Noted()
    with noted:
        y = 6 / x
    assert noted.told == [("Div", (6, 2.0), (), y)]
    assert y.node.parents == (None, x.node)


def test_an_observer_is_told_only_of_what_is_recorded():
    x, constant, noted = leaf(tg, 2.0), tg.tensor(2.0), Noted()
    with noted:
        constant * constant
        constant.sin()
        tg.where(constant > 0, constant, 1.0)
        assert x > 1
        assert not noted.told
        assert is_grad_enabled() is True
        with tg.no_grad():
            x * x
            assert is_grad_enabled() is False
            with tg.enable_grad():
                x.sin()
                with tg.enable_grad():
                    x.cos()
            x * x
        x.exp()
    assert noted.names() == ["Sin", "Cos", "Exp"]


def test_an_observer_sees_a_backward_pass_that_is_recorded_and_no_other():
    x, noted = leaf(tg, 2.0), Noted()
    y = x.sin()
    with noted:
        tg.grad(y, x, retain_graph=True)
        assert not noted.told
        tg.grad(y, x, create_graph=True)
    assert noted.names() == ["Cos", "Mul"]


def test_entering_an_observer_does_not_start_recording():
    x, noted = leaf(tg, 2.0), Noted()
    with tg.no_grad():
        with noted:
            assert not (x * x).requires_grad
            assert not is_grad_enabled()
            with tg.enable_grad():
                assert (x * x).requires_grad
        assert not is_grad_enabled()
        with tg.enable_grad():
            x.sin()
    assert is_grad_enabled()
    assert noted.names() == ["Mul"]


def test_the_innermost_observer_is_told_and_one_may_be_entered_twice():
    x, outer, inner = leaf(tg, 2.0), Noted(), Noted()
    with outer:
        x.sin()
        with inner, tg.no_grad(), tg.enable_grad():
            x.cos()
            with outer:
                x.exp()
            x.tan()
        x.sinh()
    x.cosh()
    assert outer.names() == ["Sin", "Exp", "Sinh"]
    assert inner.names() == ["Cos", "Tan"]


def test_an_observer_is_left_after_an_exception():
    x, noted = leaf(tg, 2.0), Noted()
    with pytest.raises(ZeroDivisionError), noted:
        x.sin() / (1 // 0)
    with pytest.raises(ValueError, match="do not fit"), noted:
        tg.ones(2, requires_grad=True) + tg.ones(3)
    x.cos()
    assert noted.names() == ["Sin"]


def test_an_exception_of_an_observer_ends_the_operation_and_changes_nothing():
    class Failing(Observer):
        def recorded(self, operation, inputs, options, result):
            raise LookupError(operation.name)

    x, failing = leaf(tg, 2.0), Failing()
    with failing:
        for operation in (lambda: x * x, x.sin, lambda: tg.maximum(x, x)):
            with pytest.raises(LookupError):
                operation()
            assert is_grad_enabled()
    assert (x * x).requires_grad
    with pytest.raises(NotImplementedError, match=r"Observer has to define recorded"), Observer():
        x * x


def test_what_an_observer_computes_is_not_told_and_recorded_only_if_it_asks():
    class Curious(Observer):
        found = None

        def recorded(self, operation, inputs, options, result):
            assert not (result * result).requires_grad
            with tg.enable_grad():
                y = result * result
            assert self.found is None
            (self.found,) = tg.grad(y, result)

    x, curious = leaf(tg, 3.0), Curious()
    with curious:
        x * x
        assert is_grad_enabled()
    assert curious.found.item() == 18.0


def test_other_threads_do_not_tell_and_tasks_that_it_starts_do():
    x, noted = leaf(tg, 2.0), Noted()

    async def sine():
        await asyncio.sleep(0)
        return x.sin()

    async def main():
        with noted:
            inside = asyncio.create_task(sine())
        with Noted():
            x.cos()
        x.tan()
        await inside

    with noted:
        thread = threading.Thread(target=lambda: x * x)
        thread.start()
        thread.join()
    asyncio.run(main())
    assert noted.names() == ["Sin"]


def test_a_generator_tells_whoever_asks_for_its_next_value():
    x, noted = leaf(tg, 2.0), Noted()

    def values():
        yield x.sin()
        yield x.cos()
        yield x.tan()

    generator = values()
    next(generator)
    with noted:
        next(generator)
    next(generator)
    assert noted.names() == ["Cos"]


def test_an_observer_finds_the_line_of_the_program():
    class Lines(Noted):
        def recorded(self, operation, inputs, options, result):
            self.told.append(self.line())

    x, lines = leaf(tg, 2.0), Lines()
    with lines:
        y = x.sin()
        tg.nn.Linear(1, 1)(tg.ones(1, 1))
        x.softmax(0) if x.ndim else tg.nn.functional.mse_loss(y, x)
    assert {line.filename for line in lines.told} == {__file__}
    assert {line.line for line in lines.told} == {
        "y = x.sin()",
        "tg.nn.Linear(1, 1)(tg.ones(1, 1))",
        "x.softmax(0) if x.ndim else tg.nn.functional.mse_loss(y, x)",
    }
    first = test_an_observer_finds_the_line_of_the_program.__code__.co_firstlineno
    assert lines.told[0].lineno - first == 7
    assert lines.told[0].name == "test_an_observer_finds_the_line_of_the_program"


# in place


@both
def test_in_place_on_a_leaf_outside_no_grad_is_an_error(m):
    for change in ("__iadd__", "__isub__", "__imul__", "__itruediv__", "add_", "sub_", "mul_", "div_", "fill_"):
        w = leaf(m, 3.0)
        with pytest.raises(RuntimeError, match=r"in[- ]place"):
            getattr(w, change)(1.0)
        with pytest.raises(RuntimeError, match=r"in[- ]place"):
            w.zero_()
        assert w.item() == 3.0


@both
def test_in_place_on_a_computed_tensor_is_recorded_and_seen_by_its_aliases(m):
    x = leaf(m, 3.0)
    y = x * 2
    alias = y
    y += 1
    y *= x
    assert alias is y
    alias.backward()  # (2x + 1) x
    assert (alias.item(), x.grad.item()) == (21.0, 13.0)


@both
def test_in_place_with_a_tracked_operand_starts_tracking(m):
    x, total = leaf(m, 3.0), m.zeros(())
    for _ in range(3):
        total += x * x
    total.backward()
    assert x.grad.item() == 18.0


@both
def test_zeroing_a_computed_tensor_cuts_the_gradient_but_not_the_graph(m):
    x = leaf(m, 3.0)
    y = x * x
    y.zero_()
    assert y.requires_grad
    y.backward()
    assert x.grad.item() == 0.0
