// Pools over the vectors of the including file's instruction set, of floats.
#include "kernels/pool/pool_windows_tile.inl"

namespace sn {
namespace {

float global_plane(const float* plane, ptrdiff_t pixels, bool average) {
  Vec acc = set1(average ? 0.0f : -INFINITY);
  ptrdiff_t i = 0;
  for (; i + kLanes <= pixels; i += kLanes) acc = pool_join(average, acc, load(plane + i));
  float result = average ? sum(acc) : maximum(acc);
  for (; i < pixels; i++) {
    if (average) {
      result += plane[i];
    } else if (result < plane[i]) {
      result = plane[i];
    }
  }
  return average ? result / static_cast<float>(pixels) : result;
}

void global_channels(const float* input, ptrdiff_t pixels, int channels, bool average, int begin, int end,
                     float* output) {
  const Vec scale = set1(average ? 1.0f / static_cast<float>(pixels) : 1.0f);
  for (int c = begin; c < end; c += kLanes) {
    const int lanes = end - c;
    const bool whole = lanes >= kLanes;
    Vec acc = set1(average ? 0.0f : -INFINITY);
    for (ptrdiff_t p = 0; p < pixels; p++) {
      const float* in = input + p * channels + c;
      acc = pool_join(average, acc, whole ? load(in) : load_partial(in, lanes));
    }
    acc = mul(acc, scale);
    if (whole) {
      store(output + c, acc);
    } else {
      store_partial(output + c, acc, lanes);
    }
  }
}

constexpr PoolKernels kPool = {pool_planes, pool_channels, global_plane, global_channels};

}  // namespace
}  // namespace sn
