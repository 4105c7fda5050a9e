// JavaScript arguments as the core's types. All throw a JavaScript Error with a code.
#pragma once
#include <napi.h>

#include "graph/graph.h"

namespace sn {

// lib/network/layers.ts. Parameters point into the memory of `tensors`, which must be kept alive: for each name a
// Float32Array, or {dtype: 'F32' | 'F16' | 'BF16', bytes: Uint8Array}.
Graph to_graph(Napi::Object graph, Napi::Object tensors);

// A whole number in [least, most].
int to_int(Napi::Value value, const char* what, int least, int most);

// A Float32Array that is not detached and holds `size` values.
Napi::Float32Array to_floats(Napi::Value value, const char* what, size_t size);

}  // namespace sn
