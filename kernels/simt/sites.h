// sites.h: numbers for places in kernel source, small enough to be kept with each access.
#pragma once

#include <string>

#include "simt/machine.h"

namespace cria::simt {

constexpr uint32_t kMaxSites = 1 << 16;

struct KnownSite {
  const char *file;
  int line;
  uint32_t id;
};
constexpr uint32_t kSiteSlots = 1024;
extern KnownSite g_known_sites[kSiteSlots];  // by hash: the last place seen there

uint32_t find_site(Site site);

inline uint32_t site_id(Site site) {
  auto address = static_cast<uint32_t>(reinterpret_cast<uintptr_t>(site.file));
  const KnownSite &slot =
      g_known_sites[(address ^ static_cast<uint32_t>(site.line) * 2654435761u >> 20) % kSiteSlots];
  return slot.file == site.file && slot.line == site.line ? slot.id : find_site(site);
}

// "file.cu:12"; lasts.
const char *place_of(uint32_t id);

inline bool same_place(Site a, Site b) {
  return a.line == b.line && (a.file == b.file || __builtin_strcmp(a.file, b.file) == 0);
}

// The last part of a path.
const char *base_name(const char *path);

// Which synchronising call a launch of this kernel leaves out: "kernel@file.cu:line", "file.cu:line" for that of every
// kernel, or nothing.
void choose_skip(const char *kernel, const std::string &skip);

// Whether the launch leaves out the synchronising call at this place; notes that its kernel came to it.
bool skipped(Site site);

}  // namespace cria::simt
