// emulator_runs.h: what the suite does on the emulator beyond running each case once: schedules, copy modes, mutations. The
// architecture is what the emulator stands for.
#pragma once

#include <string>
#include <vector>

#include "harness.h"

namespace conformance {

// Runs the case under up to `runs` settings: any 3 that follow each other have all modes of asynchronous copies, any 8 eight
// schedules, 24 all pairs. A case that has taken `seconds` is not repeated again.
bool run_emulated(Context &context, const NamedCase &test, int runs, double seconds,
                  const std::string &architecture);

// Removes each synchronising call that the cases reach, one at a time, until a case fails. Prints a table and whether at least
// 98 % were noticed, which is the result.
bool run_mutations(Context &context, const std::vector<const NamedCase *> &tests,
                   const std::string &architecture);

}  // namespace conformance
