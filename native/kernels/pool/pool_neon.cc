#if defined(__ARM_NEON) || defined(__arm__)
#include "kernels/pool/pool.h"

#include <cmath>

#include "simd/neon.h"
#include "kernels/pool/pool_lanes_tile.inl"
#include "kernels/pool/pool_tile.inl"

namespace sn {
namespace {

// In four sums, which need not wait for each other.
template <bool Average>
inline float global_plane_of(const float* plane, ptrdiff_t pixels) {
  Vec sums[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) sums[i] = set1(Average ? 0.0f : -INFINITY);
  ptrdiff_t left = pixels;
  for (; left >= 4 * kLanes; left -= 4 * kLanes, plane += 4 * kLanes) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) sums[i] = join_values<Average>(sums[i], load(plane + i * kLanes));
  }
  Vec all = join_values<Average>(join_values<Average>(sums[0], sums[1]), join_values<Average>(sums[2], sums[3]));
  for (; left >= kLanes; left -= kLanes, plane += kLanes) all = join_values<Average>(all, load(plane));
  float result = Average ? sum(all) : maximum(all);
  for (; left > 0; left--, plane++) {
    if (Average) {
      result += *plane;
    } else if (result < *plane) {
      result = *plane;
    }
  }
  return Average ? result / static_cast<float>(pixels) : result;
}

float global_plane_by_fours(const float* plane, ptrdiff_t pixels, bool average) {
  return average ? global_plane_of<true>(plane, pixels) : global_plane_of<false>(plane, pixels);
}

constexpr PoolKernels kPoolByStrips = {pool_planes_by_strips, pool_channels, global_plane_by_fours, global_channels};

}  // namespace
}  // namespace sn

const sn::PoolKernels sn::pool_neon = kPoolByStrips;

#include "simd/end.h"
#endif
