// harness.cpp: runs the cases of the emulator's self-test and prints the count.
#include "harness.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace simt_test {

namespace {
int g_passed = 0, g_failed = 0;
const char *g_case = "";
}  // namespace

std::vector<Case> &cases() {
  static std::vector<Case> all;
  return all;
}

void check(bool ok, const char *format, ...) {
  (ok ? g_passed : g_failed)++;
  if (ok) return;
  std::printf("FAIL %s: ", g_case);
  va_list arguments;
  va_start(arguments, format);
  std::vprintf(format, arguments);
  va_end(arguments);
  std::printf("\n");
}

void silent(const char *name, simt::Grid grid, int threads, int shared_bytes,
            const std::function<void()> &body, const std::function<void()> &verify) {
  const simt::Settings before = simt::settings();
  constexpr int kSeeds = 11;
  for (int run = 0; run < kSeeds + 4; run++) {
    simt::Settings &s = simt::settings();
    s.seed = run < kSeeds ? uint64_t(run) : 0;
    s.async = simt::AsyncMode(run % 3);
    s.mma = simt::MmaMode(run % 3);
    s.checks = run != kSeeds;
    s.counters = run == kSeeds + 1;
    try {
      simt::launch(name, grid, threads, shared_bytes, body);
      check(true, "%s", "");
      verify();
    } catch (const cria::Error &error) {
      check(false, "%s is silent (run %d): %s", name, run, error.message.c_str());
    }
  }
  simt::settings() = before;
}

void reported(const char *name, int threads, int shared_bytes, const std::function<void()> &body,
              std::initializer_list<const char *> words, simt::Grid grid) {
  const simt::Settings before = simt::settings();
  for (uint64_t seed = 0; seed < 11; seed++) {
    simt::settings().seed = seed;
    try {
      simt::launch(name, grid, threads, shared_bytes, body);
      check(false, "%s must be reported (seed %llu)", name, static_cast<unsigned long long>(seed));
    } catch (const cria::Error &error) {
      // Under other schedules the same defect may show itself otherwise.
      std::string missing;
      for (const char *word : words)
        if (seed == 0 && error.message.find(word) == std::string::npos)
          missing += std::string(" ") + word;
      check(missing.empty(), "%s: report lacks%s: %s", name, missing.c_str(),
            error.message.c_str());
    }
  }
  simt::settings() = before;
}

}  // namespace simt_test

// An argument selects the cases whose names contain it.
int main(int argc, char **argv) {
  using namespace simt_test;
  for (const Case &c : cases()) {
    if (argc > 1 ? c.name.find(argv[1]) == std::string::npos : c.name == "speed") continue;
    g_case = c.name.c_str();
    try {
      c.run();
    } catch (const cria::Error &error) {
      check(false, "%s", error.message.c_str());
    }
  }
  std::printf("%d passed, %d failed\n", g_passed, g_failed);
  return g_failed == 0 ? 0 : 1;
}
