"""CUDA kernels written by hand for the fit: the limit for a compiled program on a GPU.

Few points are one block's work: it takes all steps in a single launch. For many, blocks add up their points, a second
kernel adds up the blocks and takes the step, and both are replayed as a CUDA graph.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.implementations import ways
from benchmarks.interface import Clock, Implementation, Run, Unavailable, library
from benchmarks.problems import Case

BLOCK = 256
ONE_BLOCK = 1024
FEW_POINTS = 20_000
BLOCKS_PER_PROCESSOR = 8

SOURCE = """
// A point's share in the loss and in the gradient.
__device__ __forceinline__ void add_point(const REAL* w, REAL x, REAL y, REAL* sums) {
#if WEIGHTS == 4
    REAL x2 = x * x, x3 = x2 * x;
    REAL error = w[0] + w[1] * x + w[2] * x2 + w[3] * x3 - y, g = 2 * error;
    sums[3] += g * x2;
    sums[4] += g * x3;
    sums[1] += g;
    sums[2] += g * x;
#else
    REAL error = w[0] * x + w[1] - y, g = 2 * error;
    sums[1] += g * x;
    sums[2] += g;
#endif
    sums[0] += error * error;
}

__device__ __forceinline__ void add_warp(REAL* sums) {
    for (int k = 0; k < SUMS; k++)
        for (int offset = 16; offset > 0; offset /= 2)
            sums[k] += __shfl_down_sync(0xffffffff, sums[k], offset);
}

// Afterwards the first thread has the sums of all threads of its block.
__device__ void add_block(REAL* sums) {
    __shared__ REAL parts[32][SUMS];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    add_warp(sums);
    if (lane == 0)
        for (int k = 0; k < SUMS; k++) parts[warp][k] = sums[k];
    __syncthreads();
    if (warp == 0) {
        for (int k = 0; k < SUMS; k++) sums[k] = lane < blockDim.x / 32 ? parts[lane][k] : 0;
        add_warp(sums);
    }
    __syncthreads();
}

// All steps by one block. The loss lies after the weights.
extern "C" __global__ void __launch_bounds__(1024) fit(
    int steps, long long n, REAL lr, REAL scale, const REAL* x, const REAL* y, REAL* weights) {
    __shared__ REAL w[WEIGHTS + 1];
    if (threadIdx.x <= WEIGHTS) w[threadIdx.x] = weights[threadIdx.x];
    __syncthreads();
    for (int t = 0; t < steps; t++) {
        REAL sums[SUMS] = {}, here[WEIGHTS];
        for (int k = 0; k < WEIGHTS; k++) here[k] = w[k];
        for (long long i = threadIdx.x; i < n; i += blockDim.x) add_point(here, x[i], y[i], sums);
        add_block(sums);
        if (threadIdx.x == 0) {
            for (int k = 0; k < WEIGHTS; k++) w[k] -= lr * (scale * sums[k + 1]);
            w[WEIGHTS] = scale * sums[0];
        }
        __syncthreads();
    }
    if (threadIdx.x <= WEIGHTS) weights[threadIdx.x] = w[threadIdx.x];
}

extern "C" __global__ void __launch_bounds__(256) add_points(
    long long n, const REAL* __restrict__ x, const REAL* __restrict__ y, const REAL* weights, REAL* parts) {
    REAL sums[SUMS] = {}, w[WEIGHTS];
    for (int k = 0; k < WEIGHTS; k++) w[k] = weights[k];
    long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x, stride = (long long)gridDim.x * blockDim.x;
    for (long long i = first; i < n; i += stride) add_point(w, x[i], y[i], sums);
    add_block(sums);
    if (threadIdx.x == 0)
        for (int k = 0; k < SUMS; k++) parts[blockIdx.x * SUMS + k] = sums[k];
}

extern "C" __global__ void __launch_bounds__(1024) take_step(
    int blocks, REAL lr, REAL scale, const REAL* parts, REAL* weights) {
    REAL sums[SUMS] = {};
    for (int i = threadIdx.x; i < blocks; i += blockDim.x)
        for (int k = 0; k < SUMS; k++) sums[k] += parts[i * SUMS + k];
    add_block(sums);
    if (threadIdx.x == 0) {
        for (int k = 0; k < WEIGHTS; k++) weights[k] -= lr * (scale * sums[k + 1]);
        weights[WEIGHTS] = scale * sums[0];
    }
}

extern "C" __global__ void __launch_bounds__(256) read_points(
    long long n, const REAL* __restrict__ x, const REAL* __restrict__ y, REAL* parts) {
    REAL sums[SUMS] = {};
    long long first = (long long)blockIdx.x * blockDim.x + threadIdx.x, stride = (long long)gridDim.x * blockDim.x;
    for (long long i = first; i < n; i += stride) sums[0] += x[i] + y[i];
    add_block(sums);
    if (threadIdx.x == 0) parts[blockIdx.x * SUMS] = sums[0];
}
"""


def source(case: Case) -> str:
    """The kernels for a case's dtype and number of weights."""
    real = {"float64": "double", "float32": "float"}[case.dtype]
    count = len(case.problem.names)
    return f"#define WEIGHTS {count}\n#define SUMS {count + 1}\n{SOURCE.replace('REAL', real)}"


def cupy_on(case: Case) -> Any:
    """The module CuPy, if there is a GPU.

    Raises:
        Unavailable: where not.
    """
    cupy = library("cupy", "CuPy", "pip install 'tinygrad_poly[cuda]'")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise Unavailable(f"no GPU that CuPy {cupy.__version__} can use: {error}") from None
    return cupy


def gpu_clock(cupy: Any, stream: Any = None) -> Clock:
    """A clock of the current device, for the work of a stream or of the default stream."""

    def record() -> Any:
        event = cupy.cuda.Event()
        event.record(stream)
        return event

    def elapsed(begin: Any, end: Any) -> float:
        end.synchronize()
        return float(cupy.cuda.get_elapsed_time(begin, end)) / 1e3

    return Clock(record, elapsed)


def kernels(case: Case) -> tuple[Any, ...]:
    """CuPy, and the compiled kernels read_points, fit, add_points and take_step."""
    cupy = cupy_on(case)
    module = cupy.RawModule(code=source(case))
    return cupy, *(module.get_function(name) for name in ("read_points", "fit", "add_points", "take_step"))


def data(case: Case, cupy: Any) -> tuple[Any, Any, Any]:
    """The data on the device, and memory for the sums of each block."""
    x, y = (cupy.asarray(a.reshape(-1)) for a in case.data())
    processors = cupy.cuda.Device().attributes["MultiProcessorCount"]
    blocks = min(BLOCKS_PER_PROCESSOR * processors, -(-case.points // BLOCK))
    return x, y, cupy.zeros((blocks, len(case.problem.names) + 1), case.dtype)


def by_hand(case: Case) -> Run:
    """The fused loop, in one block or in many."""
    cupy, _, fit, add_points, take_step = kernels(case)
    x, y, parts = data(case, cupy)
    number = np.dtype(case.dtype).type
    lr, scale = number(case.lr), number(1 / case.points if case.problem.mean else 1)
    weights = cupy.asarray(np.array([*case.first(), 0], case.dtype))
    n = np.int64(case.points)

    if case.points <= FEW_POINTS:
        clock = gpu_clock(cupy)

        def take(steps: int) -> None:
            with clock:
                fit((1,), (ONE_BLOCK,), (np.int32(steps), n, lr, scale, x, y, weights))
    else:
        cupy.cuda.Device().synchronize()
        stream = cupy.cuda.Stream(non_blocking=True)
        clock = gpu_clock(cupy, stream)

        def launch(rate: Any) -> None:
            add_points((len(parts),), (BLOCK,), (n, x, y, weights, parts))
            take_step((1,), (ONE_BLOCK,), (np.int32(len(parts)), rate, scale, parts, weights))

        with stream:
            # A kernel is loaded when it is launched for the first time, which must not be during a capture.
            launch(number(0))
            stream.begin_capture()
            launch(lr)
            graph = stream.end_capture()

        def take(steps: int) -> None:
            with clock:
                for _ in range(steps):
                    graph.launch(stream)

    return Run(take, lambda: ways.numbers(weights[:-1]), lambda: weights[-1].item(), clock)


IMPLEMENTATIONS = [
    Implementation("CUDA by hand", "limit", by_hand, ("cuda",), ("torch CUDA graph", "torch.autograd"), memory=2)
]
