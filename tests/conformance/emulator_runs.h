// emulator_runs.h: what the suite does on the emulator beyond running each case once: schedules, copy modes, mutations. The
// architecture is what the emulator stands for.
#pragma once

#include <string>
#include <vector>

#include "harness.h"

namespace conformance {

// Runs the case under `runs` settings: any 3 have all modes of asynchronous copies, any 8 eight schedules, 24 all pairs.
bool run_emulated(Context &context, const NamedCase &test, int runs,
                  const std::string &architecture);

// Removes each synchronising call that the cases reach, one at a time, until a case fails. Prints a table and whether at least
// 98 % were noticed, which is the result.
bool run_mutations(Context &context, const std::vector<const NamedCase *> &tests,
                   const std::string &architecture);

}  // namespace conformance
