// runner.cpp: the conformance program: runs the cases on every tier of the CPU or on a named device and prints the count.
#include <cstdlib>

#include "emulator_runs.h"
#include "harness.h"

namespace conformance {
namespace {

struct Options {
  std::string device = "cpu", tier, filter;
  std::string architecture = "sm_90";  // of the emulator
  bool slow = false, mutate = false;
  int runs = 3;
  size_t shard = 0, shards = 1;
};

struct Total {
  int64_t cases = 0, checks = 0, failed = 0;
};

bool open(Context &context, const std::string &device, const char *tier) {
  if (tier) setenv("CRIA_MAX_ISA", tier, 1);
  context.device_name = device;
  if (cria_device_open(device.c_str(), 2, &context.device) != CRIA_OK) {
    std::printf("FAIL cannot open %s: %s\n", device.c_str(), cria_last_error());
    return false;
  }
  context.tier = cria_device_isa(context.device);
  return cria_queue_create(context.device, &context.queue) == CRIA_OK;
}

bool close(Context &context) {
  cria_queue_destroy(context.queue);
  if (cria_device_close(context.device) == CRIA_OK) return true;
  std::printf("FAIL close: %s\n", cria_last_error());
  return false;
}

std::vector<const NamedCase *> chosen(const Context &context, const Options &options) {
  std::vector<const NamedCase *> all;
  for (const NamedCase &test : cases()) {
    if (test.run_on == RunOn::slow && !options.slow) continue;
    if (test.run_on == RunOn::cpu && !context.is_cpu()) continue;
    if (test.run_on == RunOn::gpu && context.is_cpu()) continue;
    if (test.name.find(options.filter) != std::string::npos) all.push_back(&test);
  }
  std::vector<const NamedCase *> out;
  for (size_t i = options.shard; i < all.size(); i += options.shards) out.push_back(all[i]);
  return out;
}

void run_on(const char *tier, const Options &options, Total &total) {
  Context context;
  if (!open(context, options.device, tier)) {
    total.cases++;
    total.failed++;
    return;
  }
  int64_t run = 0, failed = 0;
  if (tier && context.tier != tier) {
    std::printf("skip %s: this machine has %s\n", tier, context.tier.c_str());
  } else {
    const bool emulated = options.device == "simt";
    for (const NamedCase *test : chosen(context, options)) {
      const bool passed = emulated
                              ? run_emulated(context, *test, options.runs,
                                             options.slow ? INFINITY : 0.5, options.architecture)
                              : context.run(*test);
      run++;
      if (!passed) failed++;
    }
    std::printf("%s %s: %lld cases, %lld checks, %lld failed\n", options.device.c_str(),
                context.tier.c_str(), static_cast<long long>(run),
                static_cast<long long>(context.checks), static_cast<long long>(failed));
    std::fflush(stdout);
  }
  if (!close(context)) failed++;
  total.cases += run;
  total.checks += context.checks;
  total.failed += failed;
}

int usage() {
  std::printf(
      "usage: cria_conformance [--slow] [--device D] [--tier T] [--filter TEXT] [--runs N] "
      "[--arch A] [--mutate] [--shard I/N]\n"
      "  --runs N   on simt: schedules and modes of asynchronous copies that each case runs "
      "under;\n"
      "             without --slow a case that has taken half a second is not repeated\n"
      "  --arch A   on simt: the architecture it stands for, sm_90 by default; sm_90a for kernels "
      "of its own\n"
      "  --mutate   on simt: removes each synchronising call in turn and reports what notices\n"
      "  --shard I/N  only every Nth case, from the Ith on\n");
  return 2;
}

// Reads "I/N", 1 <= I <= N.
bool read_shard(const char *text, Options &options) {
  char *end = nullptr;
  const unsigned long number = std::strtoul(text, &end, 10);
  if (*end != '/') return false;
  options.shards = std::strtoul(end + 1, &end, 10);
  options.shard = number - 1;
  return *end == '\0' && options.shard < options.shards;
}

bool read(Options &options, int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    const bool more = i + 1 < argc;
    if (argument == "--slow") {
      options.slow = true;
    } else if (argument == "--mutate") {
      options.mutate = true;
      options.device = "simt";
    } else if (argument == "--device" && more) {
      options.device = argv[++i];
    } else if (argument == "--tier" && more) {
      options.tier = argv[++i];
    } else if (argument == "--filter" && more) {
      options.filter = argv[++i];
    } else if (argument == "--arch" && more) {
      options.architecture = argv[++i];
    } else if (argument == "--runs" && more) {
      options.runs = std::atoi(argv[++i]);
    } else if (argument == "--shard" && more) {
      if (!read_shard(argv[++i], options)) return false;
    } else {
      return false;
    }
  }
  return options.runs >= 1;
}

}  // namespace
}  // namespace conformance

int main(int argc, char **argv) {
  using namespace conformance;
  Options options;
  if (!read(options, argc, argv)) return usage();
  if (options.mutate) {
    Context context;
    if (!open(context, options.device, nullptr)) return 1;
    const bool enough = run_mutations(context, chosen(context, options), options.architecture);
    close(context);
    return enough ? 0 : 1;
  }
  Total total;
  if (options.device == "cpu") {
    for (const char *tier : {"portable", "avx2", "avx512", "avx512bf16"})
      if (options.tier.empty() || options.tier == tier) run_on(tier, options, total);
  } else {
    run_on(nullptr, options, total);
  }
  std::printf("conformance: %lld checks in %lld cases\n", static_cast<long long>(total.checks),
              static_cast<long long>(total.cases));
  std::printf("%lld passed, %lld failed\n", static_cast<long long>(total.cases - total.failed),
              static_cast<long long>(total.failed));
  return total.failed || total.cases == 0 ? 1 : 0;
}
