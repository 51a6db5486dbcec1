"""Pages in a real browser: they step, follow the sliders, show the engine's numbers, and load nothing from outside."""

import json

import numpy as np
import pytest

import tinygrad_poly as tg
from tinygrad_poly import explain
from tinygrad_poly.explain.playground import OPTIMIZERS, play
from tinygrad_poly.fitting.formatting import polynomial
from tinygrad_poly.fitting.problems import PROBLEMS

By = pytest.importorskip("selenium.webdriver.common.by").By
Keys = pytest.importorskip("selenium.webdriver.common.keys").Keys


def opened(browser, folder, page):
    path = folder / "page.html"
    path.write_text(page, encoding="utf-8")
    browser.get_log("performance")
    browser.get(path.as_uri())
    return browser


def asked_for(browser):
    """The addresses that the browser asked for since the last look."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return {m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"}


def sin_loss(a, b, c, d):
    x = tg.linspace(-3, 3, 200, dtype=tg.float64)
    y_pred = a + b * x + c * x**2 + d * x**3
    return ((y_pred - tg.sin(x)) ** 2).sum()


def start(*values):
    return [tg.tensor(value, dtype=tg.float64, requires_grad=True) for value in values]


@pytest.fixture
def page(browser, tmp_path):
    return opened(browser, tmp_path, explain.steps(sin_loss, *start(0.5, -1.0, 0.25, 2.0)).to_html("A step"))


def text(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector).text


def press(browser, *keys):
    browser.find_element(By.TAG_NAME, "body").send_keys(*keys)


def test_the_page_loads_nothing_and_reports_no_error(page):
    assert all(url.startswith(("file:", "data:")) for url in asked_for(page))
    assert page.get_log("browser") == []


def test_keys_and_buttons_take_steps_and_the_current_value_is_marked(page):
    assert text(page, "#count") == "before the backward pass"
    press(page, Keys.ARROW_RIGHT)
    assert text(page, "#count").startswith("step 1 of")
    assert text(page, "#gradient") == "1"
    page.find_element(By.ID, "next").click()
    press(page, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert text(page, "#count").startswith("step 2 of")
    assert len(page.find_elements(By.CSS_SELECTOR, ".vertex.now")) == 1


def test_the_last_steps_show_what_backward_computes(page):
    weights = start(0.5, -1.0, 0.25, 2.0)
    sin_loss(*weights).backward()
    shown = page.execute_script(
        "const last = page.steps.filter((s) => !s.sent.length);"
        "return last.map((s) => [page.vertices[s.vertex].name, found[s.gradient.at]])"
    )
    assert [name for name, _ in sorted(shown)] == ["a", "b", "c", "d"]
    for (_, mine), w in zip(sorted(shown), weights):
        assert mine == pytest.approx(w.grad.item(), rel=1e-12)


def test_a_slider_computes_every_number_anew(page):
    page.execute_script(
        "const s = document.querySelector('.weight'); s.value = 0.75; s.dispatchEvent(new Event('input'))"
    )
    shown = page.execute_script("return found[page.vertices.at(-1).value.at]")
    assert shown == pytest.approx(sin_loss(*start(0.75, -1.0, 0.25, 2.0)).item(), rel=1e-12)


def test_a_narrow_screen_needs_no_scrolling_sideways(page):
    page.set_window_size(420, 800)
    wide, seen = page.execute_script("return [document.body.scrollWidth, document.documentElement.clientWidth]")
    page.set_window_size(1200, 900)
    assert wide <= seen


def test_what_the_browser_cannot_compute_stands_still_and_says_so(browser, tmp_path):
    w = tg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    opened(browser, tmp_path, explain.steps(lambda w: (w @ w).sum(), w).to_html())
    assert "stand still" in text(browser, "#notes")
    assert browser.find_elements(By.CLASS_NAME, "weight") == []
    press(browser, Keys.ARROW_RIGHT)
    assert text(browser, "#gradient") == "1"
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("curve", ["sin", "line"])
def test_a_hundred_steps_on_the_page_are_those_of_the_engine(browser, tmp_path, curve):
    problem = PROBLEMS[curve]
    settings = {"points": 50, "degree": 3, "data": None, "dtype": "float64", "seed": 1, "start": None}
    task = problem.set_up(settings | {"degree": problem.defaults["degree"]})
    opened(browser, tmp_path, play(task.loss, polynomial, task.start, task.x, task.y, lr=1e-5))
    for name, (kind, options) in OPTIMIZERS.items():
        lr = 0.01 if name == "Adam" else 1e-5
        weights = {key: w.detach().clone().requires_grad_() for key, w in task.start.items()}
        optimizer = kind(list(weights.values()), lr=lr, **options)
        for _ in range(100):
            optimizer.zero_grad()
            loss = task.loss(weights, task.x, task.y)
            loss.backward()
            optimizer.step()
        mine = browser.execute_script(
            f"$('optimizer').value = '{name}'; rates(); again(); $('lr').value = Math.log10({lr}); take(100);"
            "return [weights, losses.at(-1)]"
        )
        # The rate on the page is 10 to the power of a rounded logarithm.
        assert np.allclose(mine[0], [w.item() for w in weights.values()], rtol=1e-12, atol=1e-12)
        assert mine[1] == pytest.approx(loss.item(), rel=1e-12)


def test_divergence_is_seen_as_it_happens(browser, tmp_path):
    task = PROBLEMS["line"].set_up(
        {"points": 6, "degree": 1, "data": None, "dtype": "float64", "seed": 0, "start": None}
    )
    opened(browser, tmp_path, play(task.loss, polynomial, task.start, task.x, task.y, lr=0.2, stable=0.06))
    assert "This one is larger." in text(browser, "#limit")
    browser.find_element(By.ID, "many").click()
    assert "it diverges" in text(browser, "#told")
    assert browser.get_log("browser") == []
    browser.find_element(By.ID, "again").click()
    assert "diverges" not in text(browser, "#told")
