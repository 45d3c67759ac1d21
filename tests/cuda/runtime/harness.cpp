// harness.cpp: runs the cases and counts.
#include "harness.h"

#include <cstdarg>
#include <cstdio>

#include "abi/plugin.h"

extern "C" cria_status cria_plugin_open(const cria::PluginHost *host, const char *name,
                                        cria_device **device);

namespace runtime_test {
namespace {

int g_failed_checks = 0;
std::string g_message;
const char *g_case = "";

void set_kernel(int32_t *to, int32_t value) { *to = value; }
void add_kernel(int32_t *to, const int32_t *from, int32_t value) { *to = *from + value; }

}  // namespace

std::vector<Case> &cases() {
  static std::vector<Case> all;
  return all;
}

void check(bool ok, const char *format, ...) {
  if (ok) return;
  ++g_failed_checks;
  std::printf("FAIL %s: ", g_case);
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::printf("\n");
}

void refused(cria_status got, cria_status want, std::initializer_list<const char *> words) {
  check(got == want, "status %d instead of %d: %s", got, want, g_message.c_str());
  for (const char *word : words)
    check(g_message.find(word) != std::string::npos, "no \"%s\" in: %s", word, g_message.c_str());
}

void ok(cria_status status, const char *what) {
  check(status == CRIA_OK, "%s: status %d: %s", what, status, g_message.c_str());
}

cria_status Device::open(const char *name, cria_device **device) {
  static const cria::PluginHost host = {CRIA_ABI_VERSION,
                                        [](const char *message) { g_message = message; }};
  return cria_plugin_open(&host, name, device);
}

Device::Device(const char *name) { ok(open(name, &device_), name); }

Device::~Device() {
  check(device_->memory.objects == 0 && device_->memory.live == 0, "%d objects of %d bytes alive",
        int(device_->memory.objects), int(device_->memory.live));
  delete device_;
}

cria_queue *Device::queue() {
  cria_queue *queue = nullptr;
  ok(table().queue_create(device_, &queue), "queue_create");
  return queue;
}

void *Device::alloc(int64_t bytes) {
  void *address = nullptr;
  ok(table().alloc(device_, bytes, &address), "alloc");
  return address;
}

void Device::free(void *address) { ok(table().free(device_, address), "free"); }

void Device::destroy(cria_queue *queue) { ok(table().queue_destroy(queue), "queue_destroy"); }

void set(cria_queue *queue, void *to, int32_t value) {
  cria::gpu::launch(cria::gpu::queue_of(queue), "set", &set_kernel, {1}, 32, 0,
                    static_cast<int32_t *>(to), value);
}

void add_to(cria_queue *queue, void *to, void *from, int32_t value) {
  cria::gpu::launch(cria::gpu::queue_of(queue), "add", &add_kernel, {1}, 32, 0,
                    static_cast<int32_t *>(to), static_cast<const int32_t *>(from), value);
}

int32_t get(cria_queue *queue, void *from) {
  int32_t value = 0;
  ok(queue->device->table->download(queue, 4, from, &value), "download");
  return value;
}

}  // namespace runtime_test

int main() {
  using namespace runtime_test;
  fake::kernel(&set_kernel);
  fake::kernel(&add_kernel);
  int passed = 0, failed = 0;
  for (const Case &test : cases()) {
    g_case = test.name;
    g_failed_checks = 0;
    test.run();
    const int mistakes = fake::reset();
    check(mistakes == 0, "%d misuses of the CUDA runtime", mistakes);
    ++(g_failed_checks == 0 ? passed : failed);
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
