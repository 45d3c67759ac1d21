// site.h: a place in kernel source, which every primitive takes as its last argument so that reports can name it.
#pragma once

namespace cria::simt {

struct Site {
  const char *file;
  int line;
  static constexpr Site here(const char *file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace cria::simt
