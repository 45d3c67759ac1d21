// harness.cpp: runs the cases on every tier and device and prints the count.
#include "harness.h"

#include <cstdarg>
#include <cstdlib>
#include <exception>

namespace conformance {

namespace {
Context *g_current = nullptr;
constexpr uint32_t kPattern = 0xFFFFA5A5u;  // a quiet NaN as float32
int g_printed = 0;
}  // namespace

std::vector<NamedCase> &cases() {
  static std::vector<NamedCase> all;
  return all;
}

void Context::fail(const char *format, ...) {
  failures++;
  if (g_printed++ > 100) return;
  std::printf("FAIL %s [%s %s]: ", name.c_str(), device_name.c_str(), tier.c_str());
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::printf("\n");
}

void Context::ok(cria_status status, const char *what) {
  checks++;
  if (status != CRIA_OK) fail("%s: status %d: %s", what, status, cria_last_error());
}

void Context::refused(cria_status got, cria_status want,
                      std::initializer_list<const char *> words) {
  checks++;
  if (got == CRIA_OK && !is_cpu()) got = cria_queue_synchronize(queue);
  std::string message = cria_last_error();
  if (got != want) {
    fail("expected status %d, got %d (%s)", want, got,
         got == CRIA_OK ? "accepted" : message.c_str());
    return;
  }
  for (const char *word : words)
    if (message.find(word) == std::string::npos)
      fail("message lacks \"%s\": %s", word, message.c_str());
}

void Context::close(const char *what, const std::vector<float> &got,
                    const std::vector<double> &want, const std::vector<double> &bound) {
  checks++;
  double worst = 0;
  size_t place = 0;
  bool bad = got.size() != want.size();
  for (size_t i = 0; !bad && i < want.size(); i++) {
    double excess;
    if (std::isnan(want[i]) || std::isnan(got[i])) {
      excess = std::isnan(want[i]) && std::isnan(got[i]) ? 0 : INFINITY;
    } else if (std::isinf(want[i]) || std::isinf(got[i])) {
      excess = double(got[i]) == want[i] ? 0 : INFINITY;
    } else {
      double error = std::fabs(double(got[i]) - want[i]);
      excess = error <= bound[i] ? 0 : (bound[i] > 0 ? error / bound[i] : INFINITY);
    }
    if (excess > worst) {
      worst = excess;
      place = i;
    }
  }
  if (bad) {
    fail("%s: %zu elements, expected %zu", what, got.size(), want.size());
  } else if (worst > 0) {
    fail("%s: element %zu of %zu: got %.9g, expected %.9g, bound %.3g", what, place, want.size(),
         got[place], want[place], bound[place]);
  }
}

void Context::close(const char *what, const std::vector<float> &got,
                    const std::vector<double> &want, double bound) {
  close(what, got, want, std::vector<double>(want.size(), bound));
}

Buffer::Buffer(Context &context, int64_t bytes) : context_(context), bytes_(bytes) {
  // Elements need only their own alignment: every other buffer starts off a vector boundary.
  skew_ = context.aligned ? 0 : (context.skew++ % 2) * 4;
  int64_t total = bytes + 2 * kGuard + skew_ + 8;
  cria_status status = cria_alloc(context.device, total, &base_);
  if (status != CRIA_OK) {
    context.fail("alloc of %lld bytes: %s", static_cast<long long>(total), cria_last_error());
    std::exit(1);
  }
  std::vector<uint32_t> pattern(static_cast<size_t>(total / 4 + 1), kPattern);
  cria_upload(context.queue, total, pattern.data(), base_);
}

void Buffer::check_guards() {
  std::vector<uint8_t> all(static_cast<size_t>(bytes_ + 2 * kGuard + skew_ + 8));
  cria_download(context_.queue, int64_t(all.size()), base_, all.data());
  const uint8_t *pattern = reinterpret_cast<const uint8_t *>(&kPattern);
  auto intact = [&](size_t i) { return all[i] == pattern[i % 4]; };
  for (size_t i = 0; i < size_t(kGuard + skew_); i++)
    if (!intact(i))
      return context_.fail("wrote %zu bytes in front of a buffer", size_t(kGuard + skew_) - i);
  for (size_t i = size_t(kGuard + skew_ + bytes_); i < all.size(); i++)
    if (!intact(i))
      return context_.fail("wrote past the end of a buffer of %lld bytes",
                           static_cast<long long>(bytes_));
}

Buffer::~Buffer() {
  check_guards();
  cria_free(context_.device, base_);
}

void download(const Buffer &buffer, void *host) {
  cria_status status = cria_download(g_current->queue, buffer.bytes(), buffer.address(), host);
  if (status != CRIA_OK) g_current->fail("download: %s", cria_last_error());
}

void check_oracle(Context &context, const char *what, std::vector<double> &x,
                  const std::function<double()> &f, const std::vector<double> &gradient) {
  context.checks++;
  const double h = 1e-5;
  double scale = 1;
  for (double g : gradient) scale = std::fmax(scale, std::fabs(g));
  for (size_t i = 0; i < x.size(); i++) {
    double kept = x[i];
    x[i] = kept + h;
    double up = f();
    x[i] = kept - h;
    double down = f();
    x[i] = kept;
    double numeric = (up - down) / (2 * h);
    // Truncation h^2 f''' / 6 and cancellation eps |f| / h are both below 1e-7 for the functions here.
    if (!(std::fabs(numeric - gradient[i]) <= 1e-6 * scale)) {
      context.fail("%s: oracle gradient %zu is %.9g, central difference %.9g", what, i, gradient[i],
                   numeric);
      return;
    }
  }
}

namespace {

struct Total {
  int64_t cases = 0, checks = 0, failed = 0;
};

void run_on(const char *device_name, const char *tier, const std::string &filter, bool slow,
            Total &total) {
  if (tier) setenv("CRIA_MAX_ISA", tier, 1);
  Context context;
  context.device_name = device_name;
  cria_status status = cria_device_open(device_name, 2, &context.device);
  if (status != CRIA_OK) {
    std::printf("FAIL cannot open %s: %s\n", device_name, cria_last_error());
    total.failed++;
    return;
  }
  context.tier = cria_device_isa(context.device);
  if (tier && context.tier != tier) {
    std::printf("skip %s: this machine has %s\n", tier, context.tier.c_str());
    cria_device_close(context.device);
    return;
  }
  cria_queue_create(context.device, &context.queue);
  g_current = &context;
  int64_t run = 0, failed = 0;
  for (const NamedCase &test : cases()) {
    if (test.run_on == RunOn::slow && !slow) continue;
    if (test.run_on == RunOn::cpu && !context.is_cpu()) continue;
    if (test.name.find(filter) == std::string::npos) continue;
    context.name = test.name;
    int64_t before = context.failures, checks = context.checks, live = 0, after = 0;
    cria_device_memory(context.device, &live, nullptr, nullptr);
    try {
      test.run(context);
    } catch (const std::exception &e) {
      context.fail("the case ended early: %s", e.what());
    }
    cria_device_memory(context.device, &after, nullptr, nullptr);
    if (after != live)
      context.fail("leaves %lld bytes behind", static_cast<long long>(after - live));
    if (context.checks == checks) context.fail("made no check");
    run++;
    if (context.failures != before) failed++;
  }
  cria_queue_destroy(context.queue);
  status = cria_device_close(context.device);
  if (status != CRIA_OK) {
    std::printf("FAIL close: %s\n", cria_last_error());
    failed++;
  }
  std::printf("%s %s: %lld cases, %lld checks, %lld failed\n", device_name, context.tier.c_str(),
              static_cast<long long>(run), static_cast<long long>(context.checks),
              static_cast<long long>(failed));
  std::fflush(stdout);
  total.cases += run;
  total.checks += context.checks;
  total.failed += failed;
}

}  // namespace
}  // namespace conformance

int main(int argc, char **argv) {
  std::string device = "cpu", filter, only_tier;
  bool slow = false;
  for (int i = 1; i < argc; i++) {
    std::string argument = argv[i];
    if (argument == "--slow") {
      slow = true;
    } else if (argument == "--device" && i + 1 < argc) {
      device = argv[++i];
    } else if (argument == "--tier" && i + 1 < argc) {
      only_tier = argv[++i];
    } else if (argument == "--filter" && i + 1 < argc) {
      filter = argv[++i];
    } else {
      std::printf("usage: cria_conformance [--slow] [--device D] [--tier T] [--filter TEXT]\n");
      return 2;
    }
  }
  conformance::Total total;
  if (device == "cpu") {
    for (const char *tier : {"portable", "avx2", "avx512", "avx512bf16"})
      if (only_tier.empty() || only_tier == tier)
        conformance::run_on("cpu", tier, filter, slow, total);
  } else {
    conformance::run_on(device.c_str(), nullptr, filter, slow, total);
  }
  std::printf("conformance: %lld checks in %lld cases\n", static_cast<long long>(total.checks),
              static_cast<long long>(total.cases));
  std::printf("%lld passed, %lld failed\n", static_cast<long long>(total.cases - total.failed),
              static_cast<long long>(total.failed));
  return total.failed || total.cases == 0 ? 1 : 0;
}
