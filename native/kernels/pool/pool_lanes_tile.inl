// Pools of planes for NEON: 3x3 windows with stride 2 and padding 1 in strips of columns, every row loaded once, its even
// and odd columns apart. pool_tile.inl does the rest.
#include "kernels/pool/pool_tile.inl"
#include "kernels/strips.inl"

namespace sn {
namespace {

constexpr int kStripVectors = 7;

template <bool Average>
inline Vec join_values(Vec a, Vec b) {
  return Average ? add(a, b) : max(a, b);
}

// The next row, at the strip's columns. Whole: the strip is all there is.
template <bool Average, int N, bool Whole>
struct PoolRow {
  const float* at;
  Vec before;  // ends with the value before the next vector

  PoolRow(const float* row, Vec padding, bool left) : at(row) { before = Whole || left ? padding : load(row - kLanes); }
  // The windows' values of vector n, which are to be asked for in rising order.
  Vec next(int n, const float* row, ptrdiff_t last, LastLane last_before) {
    Vec even, odd;
    if (n == N - 1 && N > 1) {
      at = row + 2 * last;
      before = last_lane(before, last_before);
    }
    load_split(at, even, odd);
    at += 2 * kLanes;
    pin(at);
    const Vec joined = join_values<Average>(join_values<Average>(shift<3>(before, odd), even), odd);
    before = odd;
    return joined;
  }
};

template <bool Average, int N, bool Whole>
SN_FLATTEN void pool_strip(const PoolPlanes& a, const Strip& s, int begin, int end) {
  const PoolWindow& window = a.window;
  const Vec padding = set1(Average ? 0.0f : -INFINITY), lower = set1(window.lower);
  int limited = window.lower > -INFINITY;
  const LastLane last_before = lane_for_last(3 - static_cast<int>((N - 1) * kLanes - s.last));
  const ptrdiff_t width = a.width, output_width = a.output_width, last = s.last;
  const int top = 2 * begin - a.pad_y, height = a.height, count = end - begin;
  Vec scale[N];
#pragma GCC unroll 8
  for (int n = 0; n < N; n++) {
    scale[n] = Average ? load(window.column_scale + s.column + (n + 1 < N ? n * kLanes : last)) : padding;
  }
  const float* input = a.input + top * width + 2 * s.column;
  float* output = a.output + begin * output_width + s.column;
  const ptrdiff_t input_stride = a.input_stride, output_stride = a.output_stride;
  for (int channel = a.channels; channel > 0; channel--, input += input_stride, output += output_stride) {
    pin_value(limited);
    // Of the row that two rows of windows share.
    Vec shared[N];
    if (top >= 0) {
      PoolRow<Average, N, Whole> row(input, padding, s.left);
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) shared[n] = row.next(n, input, last, last_before);
    } else {
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) shared[n] = padding;
    }
    const float* middle = input + width;
    float* out = output;
    const float* row_scale = window.row_scale + begin;
    for (int y = 0; y < count; y++, middle += 2 * width, out += output_width) {
      const float* below = middle + width;
      Vec sums[N];
      const int left = height - (top + 2 * y + 1);
      if (left > 1) {
        PoolRow<Average, N, Whole> first(middle, padding, s.left), second(below, padding, s.left);
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) {
          const Vec above = join_values<Average>(shared[n], first.next(n, middle, last, last_before));
          shared[n] = second.next(n, below, last, last_before);
          sums[n] = join_values<Average>(above, shared[n]);
        }
      } else if (left > 0) {
        PoolRow<Average, N, Whole> first(middle, padding, s.left);
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) {
          sums[n] = join_values<Average>(shared[n], first.next(n, middle, last, last_before));
        }
      } else {
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) sums[n] = shared[n];
      }
      if constexpr (Average) {
        const Vec factor = set1(*row_scale++);
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) sums[n] = mul(sums[n], mul(factor, scale[n]));
      }
      if (limited) {
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) sums[n] = max(sums[n], lower);
      }
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) store(out + (n + 1 < N ? n * kLanes : last), sums[n]);
    }
  }
}

using PoolStrip = void (*)(const PoolPlanes&, const Strip&, int, int);

template <bool Average, int N, bool Whole>
constexpr PoolStrip pool_strip_if_any() {
  if constexpr (is_strip(N, kStripVectors, Whole)) return pool_strip<Average, N, Whole>;
  return nullptr;
}

// Of N vectors at N - 1.
template <bool Average, bool Whole, class Sequence = Indices<kStripVectors>>
struct PoolStrips;
template <bool Average, bool Whole, int... N>
struct PoolStrips<Average, Whole, std::integer_sequence<int, N...>> {
  static constexpr PoolStrip of[] = {pool_strip_if_any<Average, N + 1, Whole>()...};
};

template <bool Average>
inline void pool_strips(const PoolPlanes& a, int begin, int end) {
  each_strip(a.output_width, kStripVectors, [&](const Strip& s, int n) {
    const bool whole = s.left && s.right;
    (whole ? PoolStrips<Average, true>::of : PoolStrips<Average, false>::of)[n - 1](a, s, begin, end);
  });
}

void pool_planes_by_strips(const PoolPlanes& a, int begin, int end) {
  const PoolWindow& window = a.window;
  // Nothing that differs from one part of a plane to the next: sums must be rounded alike.
  const bool strips = window.kernel == 3 && window.stride == 2 && a.pad_x == 1 && a.pad_y <= 1 &&
                      a.output_width >= kLanes && 2 * a.output_width == a.width;
  if (!strips) {
    pool_planes(a, begin, end);
  } else if (window.average) {
    pool_strips<true>(a, begin, end);
  } else {
    pool_strips<false>(a, begin, end);
  }
}

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
