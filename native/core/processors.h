// How many threads can run at once.
#pragma once

namespace sn {

// Processors that this process may use, at least 1: its affinity, and the quota of its control group where there is one.
// Files that cannot be read count as no limit.
int available_processors();

}  // namespace sn
