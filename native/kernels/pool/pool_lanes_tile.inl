// Pools of planes for NEON: 3x3 windows with stride 2 and padding 1 in strips of columns, every row loaded once, its even
// and odd columns apart. pool_windows_tile.inl does the rest.
#include "kernels/pool/pool_windows_tile.inl"
#include "kernels/strips.inl"

namespace sn {
namespace {

constexpr int kStripVectors = 7;

template <bool Average>
inline Vec join_values(Vec a, Vec b) {
  return Average ? add(a, b) : max(a, b);
}

// Where a plane of half a vector of output columns or more, but less than one, ends: its vectors end with what follows in
// the plane, but the last rows read and written must not pass its end.
struct NarrowEnd {
  const Element* last_row;
  Element* last_out;
  int width, output_width;
};

// A row, at the strip's columns. Left: before them lies padding. Narrow: there is less than a vector of output columns.
template <bool Average, int N, bool Left, bool Narrow>
struct PoolRow {
  const Element* at;
  Vec before;  // the odd columns before the next vector

  PoolRow(const Element* row, Vec padding) : at(row), before(Left ? padding : load(row - kLanes)) {}
  // The windows' values of vector n, which are to be asked for in rising order.
  Vec next(int n, ptrdiff_t last, const NarrowEnd& end) {
    Vec even, odd, left;
    if (Narrow && at >= end.last_row) {
      deinterleave(load(at), load_partial(at + kLanes, end.width - kLanes), even, odd);
      left = shift<kLanes - 1>(before, odd);
    } else if (n > 0 && n == N - 1) {
      load_split(at, even, left);
      at += 2;
      pin(at);
      load_split(at, even, odd);
    } else {
      load_split(at, even, odd);
      at += n + 2 < N ? 2 * kLanes : 2 * (last - n * kLanes) - 2;
      pin(at);
      left = shift<kLanes - 1>(before, odd);
    }
    before = odd;
    return join_values<Average>(join_values<Average>(left, even), odd);
  }
};

template <bool Average, bool Narrow, int N>
inline void finish_windows(Vec (&sums)[N], const Vec (&scale)[N], Vec lower, bool limited, Element* out, ptrdiff_t last,
                           const NarrowEnd& end) {
  if constexpr (Average) {
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) sums[n] = mul(sums[n], scale[n]);
  }
  if (limited) {
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) sums[n] = max(sums[n], lower);
  }
  if (Narrow && out >= end.last_out) return store_partial(out, sums[0], end.output_width);
#pragma GCC unroll 8
  for (int n = 0; n < N; n++) store(out + (n + 1 < N ? n * kLanes : last), sums[n]);
}

// What the sums of an output row are multiplied with, if it is not what it was before.
template <bool Narrow, int N>
inline void scale_row(float factor, float& before, const Element* column_scale, ptrdiff_t last, const NarrowEnd& end,
                      Vec (&scale)[N]) {
  if (factor == before) return;
  before = factor;
#pragma GCC unroll 8
  for (int n = 0; n < N; n++) {
    const Element* const p = column_scale + (n + 1 < N ? n * kLanes : last);
    scale[n] = mul(Narrow ? load_partial(p, end.output_width) : load(p), set1(factor));
  }
}

template <bool Average, int N, bool Left, bool Narrow>
SN_FLATTEN void pool_strip(const PoolPlanesOf<Element>& a, const Strip& s, int begin, int end) {
  const PoolWindowOf<Element>& window = a.window;
  const Vec padding = set1(Average ? 0.0f : -INFINITY), lower = set1(window.lower);
  int limited = window.lower > -INFINITY;
  const ptrdiff_t width = a.width, output_width = a.output_width, last = s.last;
  const int top = 2 * begin - a.pad_y, rows_below = a.height - top - 2 * (end - begin) + 1;
  const ptrdiff_t rows_read = 2 * (end - begin) - 1 + (rows_below > 2 ? 2 : rows_below);
  const Element* const column_scale = Average ? window.column_scale + s.column : nullptr;
  const Element* const row_scale_begin = Average ? window.row_scale + begin : nullptr;
  float factor = NAN;
  Vec scale[N];
#pragma GCC unroll 8
  for (int n = 0; n < N; n++) scale[n] = padding;
  const Element* input = a.input + top * width + 2 * s.column;
  Element* output = a.output + begin * output_width + s.column;
  const ptrdiff_t input_stride = a.input_stride, output_stride = a.output_stride;
  for (int channel = a.channels; channel > 0; channel--, input += input_stride, output += output_stride) {
    pin_value(limited);
    const NarrowEnd narrow_end = {input + rows_read * width - width, output + (end - begin - 1) * output_width, a.width,
                                  a.output_width};
    // Of the row that two rows of windows share.
    Vec shared[N], sums[N];
    if (top >= 0) {
      PoolRow<Average, N, Left, Narrow> row(input, padding);
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) shared[n] = row.next(n, last, narrow_end);
    } else {
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) shared[n] = padding;
    }
    const Element* middle = input + width;
    const Element* row_scale = row_scale_begin;
    Element* out = output;
    for (int left = end - begin - 1; left > 0; left--) {
      PoolRow<Average, N, Left, Narrow> first(middle, padding), second(middle + width, padding);
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) {
        const Vec above = join_values<Average>(shared[n], first.next(n, last, narrow_end));
        shared[n] = second.next(n, last, narrow_end);
        sums[n] = join_values<Average>(above, shared[n]);
      }
      if (Average) scale_row<Narrow>(*row_scale++, factor, column_scale, last, narrow_end, scale);
      finish_windows<Average, Narrow>(sums, scale, lower, limited, out, last, narrow_end);
      middle += 2 * width;
      out += output_width;
    }
    // The windows of the last row may stick out.
    if (rows_below > 0) {
      PoolRow<Average, N, Left, Narrow> row(middle, padding);
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) shared[n] = join_values<Average>(shared[n], row.next(n, last, narrow_end));
    }
    if (rows_below > 1) {
      PoolRow<Average, N, Left, Narrow> row(middle + width, padding);
#pragma GCC unroll 8
      for (int n = 0; n < N; n++) shared[n] = join_values<Average>(shared[n], row.next(n, last, narrow_end));
    }
    if (Average) scale_row<Narrow>(*row_scale, factor, column_scale, last, narrow_end, scale);
    finish_windows<Average, Narrow>(shared, scale, lower, limited, out, last, narrow_end);
  }
}

using PoolStrip = void (*)(const PoolPlanesOf<Element>&, const Strip&, int, int);

template <bool Average, bool Left, int N>
constexpr PoolStrip pool_strip_if_any() {
  // Only the first strip may be narrow, when it is all.
  if constexpr (is_strip(N, kStripVectors, Left)) return pool_strip<Average, N, Left, false>;
  return nullptr;
}

// Of N vectors at N - 1.
template <bool Average, bool Left, class Sequence = Indices<kStripVectors>>
struct PoolStrips;
template <bool Average, bool Left, int... N>
struct PoolStrips<Average, Left, std::integer_sequence<int, N...>> {
  static constexpr PoolStrip of[] = {pool_strip_if_any<Average, Left, N + 1>()...};
};

template <bool Average>
inline void pool_strips(const PoolPlanesOf<Element>& a, int begin, int end) {
  each_strip(a.output_width, kStripVectors, [&](const Strip& s, int n) {
    (s.left ? PoolStrips<Average, true>::of : PoolStrips<Average, false>::of)[n - 1](a, s, begin, end);
  });
}

void pool_planes_by_strips(const PoolPlanesOf<Element>& a, int begin, int end) {
  const PoolWindowOf<Element>& window = a.window;
  // Nothing that differs from one part of a plane to the next: sums must be rounded alike.
  const bool strips = window.kernel == 3 && window.stride == 2 && a.pad_x == 1 && a.pad_y <= 1 &&
                      2 * a.output_width > kLanes && 2 * a.output_width == a.width;
  if (!strips) {
    pool_planes(a, begin, end);
  } else if (a.output_width < kLanes) {
    (window.average ? pool_strip<true, 1, true, true> : pool_strip<false, 1, true, true>)(a, {0, 0, true, true}, begin,
                                                                                          end);
  } else if (window.average) {
    pool_strips<true>(a, begin, end);
  } else {
    pool_strips<false>(a, begin, end);
  }
}

}  // namespace
}  // namespace sn
