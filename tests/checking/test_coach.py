"""The coach: a warning for each mistake, in its line, and none for what is right."""

import linecache
import warnings

import pytest

import tinygrad_poly as tg
from tinygrad_poly import nn, optim

X = tg.tensor([1.0, 2.0, 3.0])


def loss_of(w):
    return ((w * X - 2 * X) ** 2).mean()


def weight():
    return tg.tensor(0.5, requires_grad=True)


def forgets_zero_grad(steps):
    w = weight()
    optimizer = optim.SGD([w], lr=0.01)
    for _ in range(steps):
        loss_of(w).backward()  # here
        optimizer.step()


def updates_outside_no_grad(steps):
    w = weight()
    for _ in range(steps):
        loss = loss_of(w)
        w.retain_grad()
        loss.backward()
        w = w - 0.01 * w.grad  # here


def updates_outside_no_grad_by_a_variable(steps):
    w = weight()
    for _ in range(steps + 1):
        loss = loss_of(w)
        w.retain_grad()
        loss.backward()
        gradient = w.grad
        w = w - 0.01 * gradient  # here


def adds_up_losses_with_their_graphs(steps):
    w, total = weight(), 0.0
    for _ in range(steps):
        loss = loss_of(w)
        loss.backward()
        total = total + loss  # here
        with tg.no_grad():
            w -= 0.01 * w.grad
        w.grad = None


def follow(program, steps=4):
    with warnings.catch_warnings(record=True) as told, tg.coach():
        warnings.simplefilter("always")
        program(steps)
    return told


MISTAKES = {
    forgets_zero_grad: ("w adds each step's gradient to the earlier ones'", "zero_grad()"),
    updates_outside_no_grad: ("w keeps its history", "with no_grad(): w -= lr * w.grad"),
    updates_outside_no_grad_by_a_variable: ("w keeps its history", "with no_grad(): w -= lr * w.grad"),
    adds_up_losses_with_their_graphs: ("this graph grows from step to step", "loss.item()"),
}


@pytest.mark.parametrize("program", MISTAKES, ids=lambda p: p.__name__)
def test_a_mistake_is_told_once_with_its_line_and_what_to_write_instead(program):
    (warning,) = follow(program)
    what, instead = MISTAKES[program]
    text = str(warning.message)
    assert text.startswith(what)
    assert instead in text
    assert "Why: " in text
    assert linecache.getline(warning.filename, warning.lineno).endswith("# here\n")


def test_the_first_update_outside_no_grad_is_told():
    assert len(follow(updates_outside_no_grad, 1)) == 1


def test_two_steps_without_zero_grad_are_told_at_the_end():
    assert len(follow(forgets_zero_grad, 2)) == 1


def micro_batches(steps):
    w = weight()
    optimizer = optim.SGD([w], lr=0.01, momentum=0.9)
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=False)
        for _ in range(3):
            loss_of(w).backward()
        optimizer.step()


def a_loop_within_a_step(steps):
    cell, head = nn.Linear(2, 2), nn.Linear(2, 1)
    optimizer = optim.Adam([*cell.parameters(), *head.parameters()])
    state = tg.zeros(1, 2)
    for _ in range(steps):
        state, total = state.detach(), 0.0
        for _ in range(5):
            state = cell(state).tanh()
            total = total + head(state).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()


def a_graph_walked_after_each_part(steps):
    w = weight()
    for _ in range(steps):
        state = tg.tensor(1.0)
        for last in (False, False, False, True):
            state = (state * w).tanh()
            state.backward(retain_graph=not last)
        with tg.no_grad():
            w -= 0.01 * w.grad
            w.grad.zero_()


def an_adversary_whose_gradient_is_dropped(steps):
    maker, judge = nn.Linear(1, 1), nn.Linear(1, 1)
    first, second = optim.SGD(maker.parameters(), lr=0.01), optim.SGD(judge.parameters(), lr=0.01)
    for _ in range(steps):
        made = maker(tg.ones(3, 1))
        judge.zero_grad()
        judge(made.detach()).mean().backward()
        second.step()
        maker.zero_grad()
        judge(made).mean().neg().backward()
        first.step()


def a_gradient_of_a_gradient(steps):
    w = weight()
    for _ in range(steps):
        loss = loss_of(w)
        (slope,) = tg.autograd.grad(loss, [w], create_graph=True)
        (loss + slope**2).backward()
        with tg.no_grad():
            w -= 0.001 * w.grad
        w.grad = None


def a_detached_update(steps):
    w = weight()
    for _ in range(steps):
        loss_of(w).backward()
        w = (w - 0.01 * w.grad).detach().requires_grad_()


RIGHT = (micro_batches, a_loop_within_a_step, a_graph_walked_after_each_part)
RIGHT += (an_adversary_whose_gradient_is_dropped, a_gradient_of_a_gradient, a_detached_update)


@pytest.mark.parametrize("program", RIGHT, ids=lambda p: p.__name__)
def test_what_is_right_is_not_told(program):
    assert [str(warning.message) for warning in follow(program, 6)] == []


def test_it_can_be_switched_on_and_off():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        tg.coach()
        forgets_zero_grad(3)
        tg.coach(False)
        updates_outside_no_grad(3)
    assert len(told) == 1
    assert tg.engine.recording.recording.get() is True
