// Names the contents of a graph and of all its parameters, so that models of the same weights can share them.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "graph/graph.h"

namespace sn {

using Hash128 = std::array<uint64_t, 2>;

// SipHash-2-4 with 128 bits (Aumasson and Bernstein). Without the secret nobody can make two inputs of the same hash.
Hash128 siphash(const void* data, size_t size, const Hash128& secret);

// Equal for graphs of which fuse() makes the same, and for no others: the secret is drawn anew in every process.
std::string content_key(const Graph& graph);

}  // namespace sn
