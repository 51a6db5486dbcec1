"""What is recorded: `no_grad`, `enable_grad`, and updates in place."""

import asyncio
import threading

import pytest
import torch

import tinygrad_poly as tg
from tinygrad_poly.engine.recording import is_grad_enabled

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
