// Runs CUDA kernels on a CPU: each thread of a block is a coroutine, and they take turns at barriers and shuffles.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <math.h>
#include <type_traits>
#include <ucontext.h>
#include <utility>
#include <vector>

#undef INFINITY
#undef NAN
#define __global__
#define __device__
#define __shared__ static
#define __forceinline__ inline
#define __launch_bounds__(threads)

struct Dimensions { unsigned x = 1, y = 1, z = 1; };
static Dimensions threadIdx, blockIdx, blockDim, gridDim;

static double __longlong_as_double(long long bits) { return __builtin_bit_cast(double, bits); }

enum State { Runs, WaitsForBlock, WaitsForWarp, Done };
struct Thread { ucontext_t context; State state; std::vector<char> stack; long long slot; };
static std::vector<Thread> threads;
static ucontext_t scheduler;
static std::function<void()> kernel;

static void wait_for(State state) {
    Thread& own = threads[threadIdx.x];
    own.state = state;
    swapcontext(&own.context, &scheduler);
}

static void __syncthreads() { wait_for(WaitsForBlock); }

template <typename T> T shuffled_down(unsigned mask, T value, unsigned far) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
    const unsigned self = threadIdx.x, lane = self % 32;
    if (mask != 0xffffffff) std::abort();
    __builtin_memcpy(&threads[self].slot, &value, sizeof(T));
    wait_for(WaitsForWarp);
    T found;
    __builtin_memcpy(&found, &threads[lane + far < 32 ? self + far : self].slot, sizeof(T));
    wait_for(WaitsForWarp);
    return found;
}
// The types that CUDA has it for; others convert to these.
static int __shfl_down_sync(unsigned mask, int value, unsigned far) { return shuffled_down(mask, value, far); }
static long long __shfl_down_sync(unsigned mask, long long value, unsigned far) { return shuffled_down(mask, value, far); }
static float __shfl_down_sync(unsigned mask, float value, unsigned far) { return shuffled_down(mask, value, far); }
static double __shfl_down_sync(unsigned mask, double value, unsigned far) { return shuffled_down(mask, value, far); }

static void body() {
    kernel();
    wait_for(Done);
}

static bool all_wait(unsigned from, unsigned to, State state) {
    for (unsigned i = from; i < to; i++) if (threads[i].state != state) return false;
    return true;
}

static void release(unsigned from, unsigned to) {
    for (unsigned i = from; i < to; i++) threads[i].state = Runs;
}

// One block; false where threads wait for others that never come.
static bool run_block(bool backwards) {
    const unsigned count = blockDim.x;
    threads.resize(count);
    for (Thread& thread : threads) {
        thread.stack.resize(1 << 16);
        thread.state = Runs;
        getcontext(&thread.context);
        thread.context.uc_stack.ss_sp = thread.stack.data();
        thread.context.uc_stack.ss_size = thread.stack.size();
        thread.context.uc_link = nullptr;
        makecontext(&thread.context, body, 0);
    }
    while (!all_wait(0, count, Done)) {
        bool moved = false;
        for (unsigned turn = 0; turn < count; turn += 32) {
            // One warp goes as far as it can before the next one does: what barriers do not order shows.
            const unsigned warp = backwards ? count - 32 - turn : turn;
            do {
                for (unsigned lane = 0; lane < 32; lane++) {
                    const unsigned i = warp + (backwards ? 31 - lane : lane);
                    if (threads[i].state != Runs) continue;
                    threadIdx.x = i;
                    swapcontext(&scheduler, &threads[i].context);
                    moved = true;
                }
                if (!all_wait(warp, warp + 32, WaitsForWarp)) break;
                release(warp, warp + 32);
            } while (true);
        }
        if (all_wait(0, count, WaitsForBlock)) { release(0, count); moved = true; }
        if (!moved) return false;
    }
    return true;
}

template <typename... P, size_t... I> void call(void (*function)(P...), void** arguments, std::index_sequence<I...>) {
    function(*static_cast<std::remove_const_t<P>*>(arguments[I])...);
}

template <typename... P> int launch(void (*function)(P...), int blocks, int threads_of_block, void** arguments, int backwards) {
    if (threads_of_block % 32 || threads_of_block > 1024) return 2;
    gridDim.x = blocks;
    blockDim.x = threads_of_block;
    kernel = [=] { call(function, arguments, std::index_sequence_for<P...>()); };
    for (int block = 0; block < blocks; block++) {
        blockIdx.x = backwards ? blocks - 1 - block : block;
        if (!run_block(backwards)) return 1;
    }
    return 0;
}
