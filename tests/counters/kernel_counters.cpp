// kernel_counters.cpp: writes docs/cuda/counters.md: what the emulator counts for each kernel on the widths of OpenLLaMA-3B, and
// the roofline of each operation on an A100 and an H100.
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>

#include "abi/error.h"
#include "check/check.h"
#include "conformance/emulator_control.h"

namespace {

using cria::check::Operation;
using cria::check::operations;
using cria::check::Problem;
using cria::check::Session;
using cria::check::Size;

using Row = std::map<std::string, double>;

// One row of numbers for each kernel that ran, in the order of the emulator's table.
std::vector<std::pair<std::string, Row>> read_counters() {
  std::istringstream text(emulator::call("cria_simt_counters"));
  std::vector<std::string> names;
  std::vector<std::pair<std::string, Row>> rows;
  for (std::string line; std::getline(text, line);) {
    std::istringstream fields(line);
    std::vector<std::string> values;
    for (std::string field; std::getline(fields, field, '\t');) values.push_back(field);
    if (names.empty()) {
      names = values;
      continue;
    }
    Row row;
    for (size_t i = 1; i < values.size(); i++) row[names[i]] = std::atof(values[i].c_str());
    rows.emplace_back(values[0], row);
  }
  return rows;
}

// Adds what stood in the way of shared-memory accesses, as rows of a table.
void append_conflicts(std::string &table) {
  std::istringstream lines(emulator::call("cria_simt_conflicts"));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    table += "|";
    for (std::string field; std::getline(fields, field, '\t');) table += " " + field + " |";
    table += "\n";
  }
}

void count(cria_queue *queue, const Operation &operation, std::string &conflict_table) {
  Session session(queue);
  const Problem problem = operation.make(session, Size::narrow);
  read_counters();  // forgets what setting up has cost
  problem.run();
  double unique = 0;
  append_conflicts(conflict_table);
  const auto kernels = read_counters();
  for (const auto &[name, row] : kernels) {
    unique += 32 * (row.at("unique_sectors_read") + row.at("unique_sectors_written"));
  }
  bool first = true;
  for (const auto &[name, row] : kernels) {
    const double asked = row.at("bytes_read") + row.at("bytes_written"),
                 sectors = 32 * (row.at("sectors_read") + row.at("sectors_written")),
                 once = 32 * (row.at("unique_sectors_read") + row.at("unique_sectors_written"));
    std::printf(
        "| %s | %s | %.0f | %.0f | %.0f | %.2f | %.2f | %.1f | %.0f | %.0f | %.0f | %.0f | %s |\n",
        first ? operation.name : "", name.c_str(), row.at("blocks"), row.at("threads"),
        row.at("shared_bytes"), sectors / 1e6, once / 1e6,
        sectors > 0 ? 100 * asked / sectors : 100.0, row.at("shared_accesses"),
        row.at("shared_conflicts"), row.at("mma_16x8x16"), row.at("mma_16x8x8"),
        first ? (std::to_string(unique / problem.bytes).substr(0, 4)).c_str() : "");
    std::fflush(stdout);
    first = false;
  }
}

struct Gpu {
  const char *name;
  double bytes_per_second, mma_per_second, fma_per_second;
};

// Data sheets, and the share of the tensor peak that mma.sync can reach: 64 % of 989 TFLOP/s on an H100 (measured at 65 % on an
// H800, arXiv 2501.12084). fma: float32 outside of tensor cores.
constexpr Gpu kGpus[] = {{"A100", 2.0e12, 0.95 * 312e12, 19.5e12},
                         {"H100", 3.35e12, 0.64 * 989e12, 67e12}};

// Products of float32 weights stay float32.
bool on_fma_units(const std::string &operation) {
  return operation == "linear f32" || operation == "matmul";
}

// Nothing is run: sizes alone make the row.
void roofline(cria_queue *queue, const Operation &operation) {
  Session session(queue);
  const Problem problem = operation.make(session, Size::model);
  const bool fma = on_fma_units(operation.name);
  std::printf("| %s | %.1f | %.2f |", operation.name, problem.bytes / 1e6, problem.flops / 1e9);
  for (const Gpu &gpu : kGpus) {
    const double memory = problem.bytes / gpu.bytes_per_second,
                 compute = problem.flops / (fma ? gpu.fma_per_second : gpu.mma_per_second);
    std::printf(" %.1f | %s |", 1e6 * (memory > compute ? memory : compute),
                memory > compute ? "memory"
                : fma            ? "FMA"
                                 : "mma.sync");
  }
  std::printf("\n");
}

void run(cria_queue *simt, cria_queue *cpu) {
  std::string conflicts;
  std::printf(
      "# What do the kernels move and compute?\n\n"
      "Counted by the emulator; written by `cmake --build build/native --target "
      "kernel_counters_table`. Widths are those of\n"
      "OpenLLaMA-3B, rows or heads few (`native/check`: size `narrow`).\n\n"
      "- threads and shared: of a block; shared memory in bytes;\n"
      "- moved: 32-byte sectors that each warp's accesses touch, as if there were no cache, MB;\n"
      "- once: distinct sectors of each launch, as if caches were perfect, MB; x least: these of "
      "the whole operation\n"
      "  against the bytes of its inputs and outputs;\n"
      "- used: bytes asked for, of the sectors moved (above 100 where lanes ask for the same "
      "bytes); conflicts: extra passes of\n"
      "  shared memory, listed by place below.\n\n"
      "Operations bound by memory move at most 1.10 times the least. The products, which are bound "
      "by arithmetic, move more by\ndesign: they round their activations to bf16 in a pass of its "
      "own (ADR 0005), which costs half of what the float32 activations\ntake and pays where a "
      "tile "
      "is read by many blocks; LoRA reads input and gradient once more for its skinny products.\n"
      "Mma counts are those of the tiles: a head of 100 takes 13 units of 8 columns, six pairs by "
      "k16 "
      "and one by k8.\n\n"
      "| operation | kernel | blocks | threads | shared | moved | once | used %% | shared accesses "
      "| conflicts | mma "
      "k16 | mma k8 | x least |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Operation &operation : operations()) count(simt, operation, conflicts);
  std::printf(
      "\n# Where are bank conflicts?\n\nAll of them at look-ups whose address is data: tables of "
      "code values and of the dynamic maps.\n\n"
      "| kernel | place | extra passes |\n|---|---|---|\n%s",
      conflicts.c_str());
  std::printf(
      "\n# The roofline in training\n\n2048 tokens (head losses: 1024; one row: 1; optimisers: "
      "rank 16 on all linears), microseconds. The\n"
      "limit of the matrix products is what `mma.sync` can reach: 95 %% of the tensor peak on an "
      "A100, 64 %% on an H100.\n\n"
      "| operation | MB | GFLOP |");
  for (const Gpu &gpu : kGpus) std::printf(" %s us | limit |", gpu.name);
  std::printf("\n|---|---|---|---|---|---|---|\n");
  for (const Operation &operation : operations()) roofline(cpu, operation);
}

struct Opened {
  explicit Opened(const char *name) {
    cria::check::succeed(cria_device_open(name, 0, &device));
    cria::check::succeed(cria_queue_create(device, &queue));
  }
  ~Opened() {
    cria_queue_destroy(queue);
    cria_device_close(device);
  }
  cria_device *device = nullptr;
  cria_queue *queue = nullptr;
};

}  // namespace

int main() {
  try {
    const Opened simt("simt"), cpu("cpu");
    // All checks would take long; the conformance suite makes them.
    emulator::configure("checks=off,counters=on");
    run(simt.queue, cpu.queue);
    return 0;
  } catch (const cria::Error &e) {
    std::fprintf(stderr, "kernel_counters: %s\n", e.message.c_str());
    return 1;
  }
}
