// emulator_runs.cpp: schedules, modes of asynchronous copies, and mutations of synchronising calls on the emulator.
#include "emulator_runs.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <sstream>

#include "emulator_control.h"

namespace conformance {
namespace {

using Clock = std::chrono::steady_clock;

// Synchronising calls that ran, "kernel@file.cu:line".
std::vector<std::string> places() {
  std::vector<std::string> out;
  std::istringstream lines(emulator::call("cria_simt_places"));
  for (std::string line; std::getline(lines, line);) out.push_back(line);
  return out;
}

// Settings number i of 24: 3 modes of asynchronous copies with 8 schedules, the sums of mma changing along.
std::string settings(int i) {
  static const char *const async[] = {"lazy", "eager", "random"};
  static const char *const mma[] = {"sequential", "pairwise", "float64"};
  return std::string("async=") + async[i % 3] + ",seed=" + std::to_string(i % 8) +
         ",mma=" + mma[(i / 3 + i) % 3];
}

void configure(const std::string &architecture, const std::string &settings) {
  emulator::configure((settings + ",arch=" + architecture).c_str());
}

}  // namespace

bool run_emulated(Context &context, const NamedCase &test, int runs, double seconds,
                  const std::string &architecture) {
  // Each case begins somewhere else among the settings, so that those which run once do not all run under the same.
  int first = 0;
  for (const char c : test.name) first += c;
  const auto start = Clock::now();
  bool passed = true;
  for (int i = 0; i < std::min(runs, 24) && passed; i++) {
    const std::string setting = settings((first + i) % 24);
    configure(architecture, setting);
    context.tier = architecture + " " + setting;
    passed = context.run(test);
    if (std::chrono::duration<double>(Clock::now() - start).count() > seconds) break;
  }
  context.tier = architecture;
  return passed;
}

bool run_mutations(Context &context, const std::vector<const NamedCase *> &tests,
                   const std::string &architecture) {
  struct Reached {
    const NamedCase *test;
    double seconds;
  };
  std::map<std::string, std::vector<Reached>> by_call;
  configure(architecture, settings(0));
  places();
  for (const NamedCase *test : tests) {
    const auto start = Clock::now();
    if (!context.run(*test)) {
      std::printf("FAIL %s fails without a mutation\n", test->name.c_str());
      return false;
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    for (const std::string &call : places()) by_call[call].push_back({test, seconds});
  }
  context.quiet = true;
  size_t noticed = 0;
  std::printf(
      "# Which synchronising calls do the kernels of %s need?\n\n"
      "Each barrier, warp sync and wait for asynchronous copies, removed in turn from one kernel "
      "on "
      "the emulator, and the\nfirst case of the conformance suite that notices. Written by "
      "`cmake --build build/native --target mutations_table`.\n\n"
      "| kernel | place | noticed by |\n|---|---|---|\n",
      architecture.c_str());
  for (auto &[call, reached] : by_call) {
    // Cheap cases first; a case that a mutation makes pass in one mode may fail in another.
    std::stable_sort(reached.begin(), reached.end(),
                     [](const Reached &a, const Reached &b) { return a.seconds < b.seconds; });
    std::string by;
    for (int mode = 0; mode < 6 && by.empty(); mode++) {
      configure(architecture, settings(mode) + ",skip=" + call);
      for (const Reached &r : reached) {
        if (context.run(*r.test)) continue;
        by = r.test->name + " (" + settings(mode) + ")";
        break;
      }
    }
    if (!by.empty()) noticed++;
    const size_t at = call.find('@');
    std::printf("| %s | %s | %s |\n", call.substr(0, at).c_str(), call.substr(at + 1).c_str(),
                by.empty() ? "**nothing**" : by.c_str());
    std::fflush(stdout);
  }
  configure(architecture, settings(0));
  context.quiet = false;
  const size_t all = by_call.size();
  std::printf("\n%zu of %zu removed calls were noticed (%.1f %%)\n", noticed, all,
              all ? 100.0 * double(noticed) / double(all) : 0.0);
  return all > 0 && double(noticed) >= 0.98 * double(all);
}

}  // namespace conformance
