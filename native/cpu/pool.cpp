// pool.cpp: workers spin briefly for the next job, then sleep; a job is a counter that all threads draw tasks from.
#include "cpu/pool.h"

#include <system_error>

#include "abi/error.h"

namespace cria::cpu {
namespace {

// About 20 microseconds: kernels of one step follow each other closely, waking a sleeper costs more.
constexpr int kSpins = 400;

thread_local bool inside_task = false;

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

Pool::Pool(int32_t threads) {
  try {
    for (int32_t i = 1; i < threads; ++i) workers_.emplace_back([this] { worker(); });
  } catch (const std::system_error &e) {
    const int started = static_cast<int>(workers_.size());
    stop_ = true;
    ++generation_;
    {
      std::lock_guard lock(mutex_);
      wake_.notify_all();
    }
    for (std::thread &w : workers_) w.join();
    fail(CRIA_DEVICE_ERROR, "device_open: only %d of %d threads could be started: %s", started + 1,
         threads, e.what());
  }
}

Pool::~Pool() {
  stop_ = true;
  ++generation_;
  {
    std::lock_guard lock(mutex_);
    wake_.notify_all();
  }
  for (std::thread &w : workers_) w.join();
}

void Pool::run(int64_t tasks, const std::function<void(int64_t)> &body) {
  if (tasks <= 0) return;
  std::unique_lock<std::mutex> mine(callers_, std::defer_lock);
  if (tasks == 1 || workers_.empty() || inside_task || !mine.try_lock()) {
    for (int64_t i = 0; i < tasks; ++i) body(i);
    return;
  }
  body_ = &body;
  tasks_ = tasks;
  next_ = 0;
  failure_ = nullptr;
  open_ = true;
  ++generation_;
  if (sleepers_ > 0) {
    std::lock_guard lock(mutex_);
    wake_.notify_all();
  }
  work();
  open_ = false;
  for (int i = 0; i < kSpins && inside_ > 0; ++i) pause();
  if (inside_ > 0) {
    std::unique_lock lock(mutex_);
    left_.wait(lock, [this] { return inside_ == 0; });
  }
  if (failure_) std::rethrow_exception(failure_);
}

void Pool::work() {
  inside_task = true;
  for (int64_t task; (task = next_.fetch_add(1)) < tasks_;) {
    try {
      (*body_)(task);
    } catch (...) {
      // Tasks are drawn in order, so all tasks before this one run: the lowest failure is always seen.
      next_ = tasks_;
      std::lock_guard lock(mutex_);
      if (!failure_ || task < failed_task_) {
        failure_ = std::current_exception();
        failed_task_ = task;
      }
    }
  }
  inside_task = false;
}

void Pool::worker() {
  uint32_t seen = 0;
  while (true) {
    for (int i = 0; i < kSpins && generation_ == seen; ++i) pause();
    if (generation_ == seen) {
      std::unique_lock lock(mutex_);
      ++sleepers_;
      wake_.wait(lock, [&] { return generation_ != seen; });
      --sleepers_;
    }
    seen = generation_;
    if (stop_) return;
    ++inside_;
    if (open_) work();
    if (--inside_ == 0 && !open_) {
      std::lock_guard lock(mutex_);
      left_.notify_one();
    }
  }
}

}  // namespace cria::cpu
