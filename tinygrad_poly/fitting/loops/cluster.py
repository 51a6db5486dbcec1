"""Dask graphs on a cluster: computed where the data is, with an error when no worker is left."""

import time
from contextlib import suppress
from typing import Any

from tinygrad_poly.engine.errors import BlockError

RETRIES = 3
"""How often a block that failed is computed again, on a cluster, before the fit gives up."""

NO_WORKERS_FOR = "60s"
"""How long a cluster may be without any worker, unless Dask's `distributed.scheduler.no-workers-timeout` is set."""

ASKED_EVERY = 1.0
"""Seconds between two looks at the cluster while it computes."""


def computed(result: Any) -> Any:
    """The value of a `dask.delayed.Delayed`, by the scheduler that Dask is set to: threads, processes or a cluster.

    Raises:
        BlockError: where a block cannot be computed, or no worker or scheduler is left.
    """
    from dask.base import get_scheduler

    client = getattr(get_scheduler(), "__self__", None)
    try:
        return result.compute() if client is None else _on_cluster(client, result)
    except BlockError:
        raise
    except Exception as error:
        raise BlockError(f"a block of the data could not be computed: {_described(error)}") from error


def _described(error: Exception) -> str:
    if type(error).__name__ == "KilledWorker":
        return (
            "every worker that tried it was lost. If they ran out of memory, make the blocks smaller "
            f"(x.rechunk), or give them more ({error})"
        )
    return f"{type(error).__name__}: {error}"


def _on_cluster(client: Any, result: Any) -> Any:
    """Wait for a cluster, which itself computes again what was lost with a worker."""
    import dask
    from dask.utils import parse_timedelta
    from distributed import wait

    patience = parse_timedelta(dask.config.get("distributed.scheduler.no-workers-timeout", None) or NO_WORKERS_FOR)
    _check(client)
    future = client.compute(result, retries=RETRIES)
    with_workers = time.monotonic()
    try:
        while not future.done():
            with suppress(TimeoutError):
                wait(future, timeout=ASKED_EVERY)
            _check(client)
            if client.nthreads():
                with_workers = time.monotonic()
            elif time.monotonic() - with_workers > patience:
                raise BlockError(f"the cluster has had no worker for {patience:g} seconds")
        return future.result()
    finally:
        future.release()


def _check(client: Any) -> None:
    if client.status != "running":
        raise BlockError(f"the scheduler at {client.scheduler.address if client.scheduler else '?'} is gone")
