// control.cpp: the emulator's settings and findings as text, for tests outside of its library.
#include "simt/control.h"

#include <string>

#include "abi/error.h"
#include "simt/emulator.h"

using namespace cria::simt;

const char *cria_simt_configure(const char *text) {
  static std::string wrong;
  try {
    settings() = parse_settings(text);
    return nullptr;
  } catch (const cria::Error &e) {
    wrong = e.message;
    return wrong.c_str();
  }
}

const char *cria_simt_places() {
  static std::string text;
  text.clear();
  for (const std::string &place : synchronising_places()) text += place + "\n";
  reset_synchronising_places();
  return text.c_str();
}

const char *cria_simt_counters() {
  static std::string text;
  text =
      "kernel\tlaunches\tblocks\tthreads\tshared_bytes\tbytes_read\tbytes_written\tsectors_"
      "read\tsectors_written\t"
      "unique_sectors_read\tunique_sectors_written\tshared_accesses\tshared_conflicts\t"
      "mma_16x8x16\tmma_16x8x8\twgmma\tblock_barriers\twarp_barriers\tasync_copies\n";
  for (const Counters &c : counters()) {
    text += c.kernel;
    for (const int64_t n :
         {c.launches, c.blocks, c.threads, c.shared_bytes, c.bytes_read, c.bytes_written,
          c.sectors_read, c.sectors_written, c.unique_sectors_read, c.unique_sectors_written,
          c.shared_accesses, c.shared_conflicts, c.mma_16x8x16, c.mma_16x8x8, c.wgmma,
          c.block_barriers, c.warp_barriers, c.async_copies}) {
      text += "\t" + std::to_string(n);
    }
    text += "\n";
  }
  reset_counters();
  return text.c_str();
}

const char *cria_simt_conflicts() {
  static std::string text;
  text.clear();
  for (const Conflict &c : conflicts()) {
    text += c.kernel + "\t" + c.place + "\t" + std::to_string(c.passes) + "\n";
  }
  reset_conflicts();
  return text.c_str();
}
