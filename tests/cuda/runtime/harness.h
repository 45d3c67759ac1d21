// harness.h: the frame of the tests on the double of the CUDA runtime: cases, checks, and a device opened as libcria does.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fake_cuda.h"
#include "host/gpu_device.h"
#include "host/launch.h"

namespace runtime_test {

struct Case {
  const char *name;
  std::function<void()> run;
};
std::vector<Case> &cases();
struct Register {
  Register(const char *name, std::function<void()> run) {
    cases().push_back({name, std::move(run)});
  }
};

void check(bool ok, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The status, and the message has each of the words.
void refused(cria_status got, cria_status want, std::initializer_list<const char *> words);
void ok(cria_status status, const char *what);

// A device, its entries by name: Device d("cuda:0"); d.alloc(bytes). Closed at the end, with nothing alive.
class Device {
 public:
  explicit Device(const char *name = "cuda:0");
  ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;
  static cria_status open(const char *name, cria_device **device);

  cria_device *operator->() const { return device_; }
  operator cria_device *() const { return device_; }
  const cria::DeviceTable &table() const { return *device_->table; }
  cria_queue *queue();  // a new one
  void *alloc(int64_t bytes);
  void free(void *address);
  void destroy(cria_queue *queue);

 private:
  cria_device *device_ = nullptr;
};

// Writes and reads of kernels, in the order of the queue.
void set(cria_queue *queue, void *to, int32_t value);
void add_to(cria_queue *queue, void *to, void *from, int32_t value);  // *to = *from + value
int32_t get(cria_queue *queue, void *from);

}  // namespace runtime_test
