// pool.h: the threads of a CPU device: numbered tasks handed out to persistent workers and the caller.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace cria::cpu {

class Pool {
 public:
  // threads >= 1 counts the caller of run.
  explicit Pool(int32_t threads);
  ~Pool();
  Pool(const Pool &) = delete;
  Pool &operator=(const Pool &) = delete;

  int32_t threads() const { return static_cast<int32_t>(workers_.size()) + 1; }

  // Runs body(0..tasks-1) and waits. Called from a task, or while another thread has the workers, it
  // computes in the calling thread alone.
  void run(int64_t tasks, const std::function<void(int64_t)> &body);

 private:
  void worker();
  void work();

  std::mutex callers_;  // held by the caller that has the workers

  // The current job. Written only while it is closed and no worker is inside.
  const std::function<void(int64_t)> *body_ = nullptr;
  int64_t tasks_ = 0;
  std::atomic<int64_t> next_{0};
  std::exception_ptr failure_;
  int64_t failed_task_ = 0;

  std::atomic<bool> open_{false};
  std::atomic<uint32_t> generation_{0};
  std::atomic<int32_t> inside_{0};    // workers that may be looking at the job
  std::atomic<int32_t> sleepers_{0};  // workers that wait for wake_
  std::atomic<bool> stop_{false};
  std::mutex mutex_;  // of the condition variables and of failure_
  std::condition_variable wake_;
  std::condition_variable left_;
  std::vector<std::thread> workers_;
};

// The processors this process may use: its affinity mask, cut to the CPU quota of its control group.
int32_t usable_processors();

}  // namespace cria::cpu
