// harness.cpp: checks, buffers with guards, and the run of one case.
#include "harness.h"

#include <cstdarg>
#include <cstdlib>
#include <exception>

namespace conformance {

namespace {
Context *g_current = nullptr;
constexpr uint32_t kPattern = 0xFFFFA5A5u;  // a quiet NaN as float32
}  // namespace

std::vector<NamedCase> &cases() {
  static std::vector<NamedCase> all;
  return all;
}

void Context::fail(const char *format, ...) {
  failures++;
  if (quiet || printed++ > 100) return;
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

bool Context::run(const NamedCase &test) {
  g_current = this;
  name = test.name;
  const int64_t before = failures, checked = checks;
  int64_t live = 0, after = 0;
  cria_device_memory(device, &live, nullptr, nullptr);
  try {
    test.run(*this);
  } catch (const std::exception &e) {
    fail("the case ended early: %s", e.what());
  }
  cria_device_memory(device, &after, nullptr, nullptr);
  if (after != live) fail("leaves %lld bytes behind", static_cast<long long>(after - live));
  if (checks == checked) fail("made no check");
  return failures == before;
}

}  // namespace conformance
