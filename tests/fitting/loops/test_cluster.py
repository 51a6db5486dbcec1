"""Fits on a cluster: worker processes that are lost, and clusters that are."""

import math
import os
import signal
import time

import numpy as np
import pytest

from tinygrad_poly.engine.errors import BlockError
from tinygrad_poly.fitting import fit
from tinygrad_poly.fitting.loops import cluster as on_cluster

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
distributed = pytest.importorskip("distributed")


def cluster(processes, workers=2):
    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=processes,
        dashboard_address=":0",
        silence_logs=50,
    )


def problem(points=200_000, chunks=10_000):
    def loss(params, x, y):
        return ((params["a"] + params["b"] * x - y) ** 2).mean()

    x = da.linspace(-math.pi, math.pi, points, chunks=chunks)
    return loss, {"a": 0.5, "b": -0.3}, x, da.sin(x)


def numbers(result):
    return [w.item() for w in result.params.values()]


def tasks(client):
    """How many tasks the scheduler knows, once it has heard that nobody wants them any more."""
    for _ in range(100):
        known = client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))
        if not known:
            break
        time.sleep(0.05)
    return known


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_a_retry_and_not_a_bit_of_the_result():
    how = {"steps": 12, "lr": 0.05, "log_every": 1}
    with dask.config.set(scheduler="synchronous"):
        alone = fit(*problem(), **how, progress=False)
    with cluster(processes=True) as local, distributed.Client(local) as client:
        undisturbed = fit(*problem(), **how, progress=False)
        workers = client.run(os.getpid)
        assert tasks(client) == 0
        assert not client.futures

        def kill_one(t, loss):
            if t == 4:
                os.kill(sorted(workers.values())[0], signal.SIGKILL)

        disturbed = fit(*problem(), **how, progress=kill_one)
        assert client.run(os.getpid) != workers
    assert numbers(disturbed) == numbers(undisturbed) == numbers(alone)
    assert disturbed.losses == undisturbed.losses


def test_blocks_that_were_persisted_stay_where_they_are():
    loss, start, x, y = problem()
    with cluster(processes=False) as local, distributed.Client(local) as client:
        x, y = dask.persist(x, y)
        distributed.wait([x, y])
        stored = tasks_now(client)
        found = fit(loss, start, x, y, steps=3, lr=0.05, progress=False)
        while tasks_now(client) > stored:
            time.sleep(0.05)
    with dask.config.set(scheduler="synchronous"):
        assert numbers(found) == numbers(fit(*problem(), steps=3, lr=0.05, progress=False))


def tasks_now(client):
    return client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks))


def test_a_cluster_without_workers_ends_the_fit_and_keeps_what_it_learned(monkeypatch):
    monkeypatch.setattr(on_cluster, "NO_WORKERS_FOR", "500ms")
    monkeypatch.setattr(on_cluster, "ASKED_EVERY", 0.2)
    with cluster(processes=False) as local, distributed.Client(local) as client:

        def close_them(t, loss):
            if t == 3:
                local.scale(0)
                while client.nthreads():
                    time.sleep(0.05)

        with pytest.raises(BlockError, match=r"the cluster has had no worker for 0\.5 seconds") as caught:
            fit(*problem(), lr=0.05, log_every=1, progress=close_them)
    result = caught.value.result
    assert result.step == 4
    with dask.config.set(scheduler="synchronous"):
        assert numbers(result) == numbers(fit(*problem(), steps=result.step, lr=0.05, progress=False))


def test_a_scheduler_that_is_gone_ends_the_fit_and_keeps_what_it_learned(monkeypatch):
    monkeypatch.setattr(on_cluster, "ASKED_EVERY", 0.2)
    with cluster(processes=False) as local, distributed.Client(local):

        def close(t, loss):
            if t == 3:
                local.close()

        with pytest.raises(BlockError) as caught:
            fit(*problem(), lr=0.05, log_every=1, progress=close)
    assert caught.value.result.step == 4
    assert np.all(np.isfinite(numbers(caught.value.result)))


def test_a_block_that_fails_once_is_tried_again(tmp_path):
    marker = tmp_path / "failed"

    def read(block):
        if block[0] == 6 and not marker.exists():
            marker.touch()
            raise OSError("the disk was busy")
        return block

    def loss(params, x, y):
        return ((params["a"] * x - y) ** 2).mean()

    x = da.from_array(np.arange(12.0), chunks=3)
    with cluster(processes=False) as local, distributed.Client(local):
        how = {"steps": 3, "lr": 0.01, "progress": False}
        found = fit(loss, {"a": 0.5}, x.map_blocks(read, dtype=float, meta=np.empty(0)), x, **how)
    assert marker.exists()
    with dask.config.set(scheduler="synchronous"):
        assert numbers(found) == numbers(fit(loss, {"a": 0.5}, x, x, **how))
