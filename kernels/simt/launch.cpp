// launch.cpp: runs a grid block by block on the emulator's own thread, and turns the first report into an error.
//
// The thread is the emulator's own because a fiber must not run on a stack that someone else watches: a Java thread's
// stack limits, for example, are known to the virtual machine.
#include <pthread.h>

#include <condition_variable>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>
#include <vector>

#include "abi/error.h"
#include "simt/clock.h"
#include "simt/counters.h"
#include "simt/emulator.h"
#include "simt/memory.h"
#include "simt/schedule.h"
#include "simt/warp.h"

namespace cria::simt {

namespace {

struct Job {
  const char *kernel;
  Grid grid;
  int threads, shared_bytes;
  const std::function<void()> *body;
};

// Never destroyed: the thread waits on it when the process ends.
struct Worker {
  std::mutex turn;  // one launch at a time
  std::mutex mutex;
  std::condition_variable changed;
  const Job *job = nullptr;
  bool running = false, started = false;
  const char *kernel = "";
  std::string failure;
};

Worker &worker() {
  static auto *instance = new Worker();
  return *instance;
}

// Thrown by a report outside of any kernel thread.
struct Stopped {};

void run_grid(const Job &job) {
  Block &block = g_block;
  block.body = job.body;
  block.threads = job.threads;
  block.warps = job.threads / kLanes;
  machine.grid[0] = int32_t(job.grid.x);
  machine.grid[1] = int32_t(job.grid.y);
  machine.grid[2] = int32_t(job.grid.z);
  if (counting()) begin_launch_counters(job.kernel, job.threads, job.shared_bytes);
  int64_t count = job.grid.x * job.grid.y * job.grid.z;
  for (int64_t i = 0; i < count; i++) {
    int64_t b = order_of_block(i, count);
    machine.block[0] = int32_t(b % job.grid.x);
    machine.block[1] = int32_t(b / job.grid.x % job.grid.y);
    machine.block[2] = int32_t(b / job.grid.x / job.grid.y);
    reset_shared(job.shared_bytes);
    if (!run_block()) return;
  }
}

void *serve(void *) {
  Worker &w = worker();
  std::unique_lock<std::mutex> lock(w.mutex);
  for (;;) {
    w.changed.wait(lock, [&w] { return w.job != nullptr; });
    lock.unlock();
    try {
      run_grid(*w.job);
    } catch (const Stopped &) {  // NOLINT(bugprone-empty-catch)
    }
    lock.lock();
    w.job = nullptr;
    w.changed.notify_all();
  }
}

int shared_limit(const std::string &architecture) {
  if (architecture == "sm_80") return 163 << 10;
  if (architecture == "sm_86" || architecture == "sm_89") return 99 << 10;
  if (architecture == "sm_90" || architecture == "sm_90a") return 227 << 10;
  fail(CRIA_INVALID_ARGUMENT,
       "simt: unknown architecture %s; known: sm_80 sm_86 sm_89 sm_90 sm_90a",
       architecture.c_str());
}

void check_launch(const Job &job) {
  const Grid &g = job.grid;
  if (job.threads <= 0 || job.threads > kMaxThreads || job.threads % kLanes != 0)
    fail(CRIA_DEVICE_ERROR, "simt: %s: %d threads a block: must be a multiple of 32, at most %d",
         job.kernel, job.threads, kMaxThreads);
  if (g.x < 1 || g.y < 1 || g.z < 1 || g.x > INT32_MAX || g.y > 65535 || g.z > 65535)
    fail(CRIA_DEVICE_ERROR,
         "simt: %s: grid %lld x %lld x %lld is outside 1..2147483647 x 65535 x 65535", job.kernel,
         static_cast<long long>(g.x), static_cast<long long>(g.y), static_cast<long long>(g.z));
  int limit = shared_limit(settings().architecture);
  if (job.shared_bytes < 0 || job.shared_bytes > limit)
    fail(CRIA_DEVICE_ERROR, "simt: %s: %d bytes of shared memory, %s has %d", job.kernel,
         job.shared_bytes, settings().architecture.c_str(), limit);
}

}  // namespace

void launch(const char *kernel, Grid grid, int threads, int shared_bytes,
            const std::function<void()> &body) {
  Worker &w = worker();
  std::lock_guard<std::mutex> turn(w.turn);
  Job job{kernel, grid, threads, shared_bytes, &body};
  check_launch(job);
  if (!open_arena()) fail(CRIA_OUT_OF_MEMORY, "simt: no room for the addresses of device memory");
  const Settings &s = settings();
  machine.watch = (s.checks ? kChecks : 0u) | (s.counters ? kCounters : 0u);
  choose_multiply(s.mma);
  choose_async(s.async);
  choose_skip(kernel, s.skip);
  seed_schedule(s.seed);
  machine.sm_90a = s.architecture == "sm_90a";
  machine.in_order = s.seed == 0 && s.async != AsyncMode::random;
  begin_launch_clocks();
  w.kernel = kernel;
  w.failure.clear();
  std::unique_lock<std::mutex> lock(w.mutex);
  if (!w.started) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, serve, nullptr) != 0)
      fail(CRIA_OUT_OF_MEMORY, "simt: cannot start the emulator's thread");
    pthread_detach(thread);
    w.started = true;
  }
  w.job = &job;
  w.changed.notify_all();
  w.changed.wait(lock, [&w] { return w.job == nullptr; });
  if (!w.failure.empty()) throw Error{CRIA_DEVICE_ERROR, w.failure};
}

void report(const char *format, ...) {
  char text[1600];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  Worker &w = worker();
  char where[120];
  int length = std::snprintf(where, sizeof where, " (block %d,%d,%d", machine.block[0],
                             machine.block[1], machine.block[2]);
  if (machine.thread != nullptr)
    length += std::snprintf(where + length, sizeof where - size_t(length), ", thread %d",
                            machine.thread->index);
  std::snprintf(where + length, sizeof where - size_t(length), ")");
  w.failure = std::string("simt: ") + w.kernel + ": " + text + where;
  if (machine.thread == nullptr) throw Stopped{};
  abandon_block();
}

}  // namespace cria::simt
