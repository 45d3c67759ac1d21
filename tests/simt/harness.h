// harness.h: the frame of the emulator's self-test: cases, device arrays, and kernels that must or must not be reported.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "abi/error.h"
#include "device/device.h"
#include "simt/emulator.h"

namespace simt_test {

namespace simt = cria::simt;
namespace gpu = cria::gpu;

struct Case {
  std::string name;
  std::function<void()> run;
};
std::vector<Case> &cases();
struct Register {
  Register(std::string name, std::function<void()> run) {
    cases().push_back({std::move(name), std::move(run)});
  }
};

// Counts a check; prints what failed.
void check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Device memory of a test, released at its end.
template <class T>
class Array {
 public:
  explicit Array(int64_t n) : n_(n), p_(static_cast<T *>(simt::allocate(n * int64_t(sizeof(T))))) {}
  explicit Array(const std::vector<T> &values) : Array(int64_t(values.size())) {
    simt::upload(p_, values.data(), n_ * int64_t(sizeof(T)));
  }
  ~Array() { simt::release(p_); }
  Array(const Array &) = delete;
  Array &operator=(const Array &) = delete;
  T *get() const { return p_; }
  operator T *() const { return p_; }
  std::vector<T> values() const {
    std::vector<T> out(static_cast<size_t>(n_));
    simt::download(out.data(), p_, n_ * int64_t(sizeof(T)));
    return out;
  }

 private:
  int64_t n_;
  T *p_;
};

// Runs the kernel in all modes and several schedules: no launch may be reported.
void silent(const char *name, simt::Grid grid, int threads, int shared_bytes,
            const std::function<void()> &body, const std::function<void()> &verify);

// Runs the kernel under the current settings and several schedules: each launch must be reported, in order with all of
// these words.
void reported(const char *name, int threads, int shared_bytes, const std::function<void()> &body,
              std::initializer_list<const char *> words, simt::Grid grid = {});

}  // namespace simt_test
