// The planes form of the depthwise convolution for instruction sets that multiply a vector by one lane of another (NEON):
// a channel's weights fit into three registers, and a strip of columns passes down the plane, so that every row is loaded
// once for the three rows of outputs it belongs to. The including file defines before
//   kStripVectors   most vectors of a strip: three times as many sums and three of weights must leave some registers
// and what dwconv_tile.inl wants, which does the rest: other paddings than 1, narrow planes and the channels form.
#include "kernels/dwconv/dwconv_tile.inl"
#include "kernels/strips.inl"

namespace sn {
namespace {

// Bias and weights of a channel.
struct Taps {
  Vec first, second;
  HalfVec third;

  explicit Taps(const float* p) : first(load(p)), second(load(p + 4)), third(load_half(p + 8)) {}
  Vec bias() const { return broadcast_lane<0>(first); }
  // sum + what row Row of the windows, with columns a, b and c, adds to it
  template <int Row>
  Vec add(Vec sum, Vec a, Vec b, Vec c) const {
    if constexpr (Row == 0) {
      return fma_lane<3>(fma_lane<2>(fma_lane<1>(sum, a, first), b, first), c, first);
    } else if constexpr (Row == 1) {
      return fma_lane<2>(fma_lane<1>(fma_lane<0>(sum, a, second), b, second), c, second);
    } else {
      return fma_half_lane<1>(fma_half_lane<0>(fma_lane<3>(sum, a, second), b, third), c, third);
    }
  }
};

// Before each row, or GCC keeps every lane in a register of its own.
inline void pin(Taps& w) {
  pin_vector(w.first);
  pin_vector(w.second);
  pin_vector(w.third);
}

constexpr float kPadding[kLanes] = {};

// Where the strip stands in a channel. Whole: the strip is all there is, and beside it lies padding.
template <int N, int Stride, bool Whole>
struct Place {
  // Columns -1 and 1 of wide strips have addresses of their own, from which GCC loads pairs of vectors.
  static constexpr bool kThree = Stride == 1 && N > 4;

  const float *one, *two, *three;  // of the next row: columns -1, 0 and 1
  const float *left, *right;       // what lies beside the strip there
  float* out;
  ptrdiff_t width, last, output_width;
  ptrdiff_t left_step, right_step;

  Place(const DwconvPlanes& a, const Strip& s)
      : width(a.width), last(s.last), output_width(a.output_width), left_step(s.left ? 0 : a.width),
        right_step(s.right ? 0 : a.width) {}
  void start(const float* input, float* output) {
    two = input;
    one = two - 1;
    three = two + 1;
    left = left_step ? two - kLanes : kPadding;
    right = right_step ? two + N * kLanes : kPadding;
    out = output;
  }
  void next_row() {
    two += width;
    if constexpr (kThree) {
      one += width;
      three += width;
    } else {
      pin(two);
      one = two - 1;
      three = two + 1;
    }
    left += left_step;
    right += right_step;
  }
};

// Adds the next row of the plane to the rows of sums it belongs to: it is the windows' last row for `above`, the middle
// one for `middle` and the first for `below`, whose sums begin here.
template <bool Above, bool Middle, bool Below, int N, bool Whole>
inline void add_row(Place<N, 1, Whole>& at, Taps& w, Vec (&above)[N], Vec (&middle)[N], Vec (&below)[N]) {
  pin(w);
  if constexpr (at.kThree) {
    pin(at.one);
    pin(at.two);
    pin(at.three);
  }
  const Vec left = Whole ? set1(0.0f) : load(at.left), right = Whole ? set1(0.0f) : load(at.right);
#pragma GCC unroll 8
  for (int n = 0; n < N; n += 2) {
    const bool pair = n + 1 < N;
    const ptrdiff_t x = n + 1 < N ? n * kLanes : at.last, x2 = n + 2 < N ? (n + 1) * kLanes : at.last;
    const Vec b = load(at.two + x), b2 = pair ? load(at.two + x2) : b;
    const Vec a = n == 0 ? shift<3>(left, b) : load(at.one + x), a2 = pair ? load(at.one + x2) : a;
    const Vec c = pair ? load(at.three + x) : shift<1>(b, right);
    const Vec c2 = n + 2 < N ? load(at.three + x2) : pair ? shift<1>(b2, right) : c;
    if (Above) above[n] = w.add<2>(above[n], a, b, c);
    if (Above && pair) above[n + 1] = w.add<2>(above[n + 1], a2, b2, c2);
    if (Middle) middle[n] = w.add<1>(middle[n], a, b, c);
    if (Middle && pair) middle[n + 1] = w.add<1>(middle[n + 1], a2, b2, c2);
    if (Below) below[n] = w.add<0>(w.bias(), a, b, c);
    if (Below && pair) below[n + 1] = w.add<0>(w.bias(), a2, b2, c2);
  }
  at.next_row();
}

// With stride 2 a row belongs to one or two rows of sums. `below` may be `above`.
template <bool Above, bool Middle, bool Below, int N, bool Whole>
inline void add_row(Place<N, 2, Whole>& at, Taps& w, Vec (&above)[N], Vec (&middle)[N], Vec (&below)[N]) {
  pin(w);
  const float* p = at.two;
  Vec a = Whole ? set1(0.0f) : load(at.left), b, c;
#pragma GCC unroll 8
  for (int n = 0; n < N; n++) {
    if (n == N - 1 && N > 1) {
      p = at.two + 2 * at.last - 2;
      load_split(p, b, a);
      p += 2;
      load_split(p, b, c);
    } else {
      load_split(p, b, c);
      p += 2 * kLanes;
      pin(p);
      a = shift<3>(a, c);
    }
    if (Above) above[n] = w.add<2>(above[n], a, b, c);
    if (Middle) middle[n] = w.add<1>(middle[n], a, b, c);
    if (Below) below[n] = w.add<0>(w.bias(), a, b, c);
    a = c;
  }
  at.next_row();
}

template <int N, int Stride, bool Whole>
inline void finish_row(Place<N, Stride, Whole>& at, Vec (&sums)[N], Vec lower, bool limited) {
#pragma GCC unroll 8
  for (int n = 0; n < N; n++) {
    if (limited) sums[n] = max(sums[n], lower);
  }
#pragma GCC unroll 8
  for (int n = 0; n < N; n++) store(at.out + (n + 1 < N ? n * kLanes : at.last), sums[n]);
  at.out += at.output_width;
}

template <int N, bool Whole>
inline void strip_row(Place<N, 1, Whole>& at, Taps& w, Vec (&above)[N], Vec (&middle)[N], Vec (&below)[N], Vec lower,
                      bool limited) {
  add_row<true, true, true>(at, w, above, middle, below);
  finish_row(at, above, lower, limited);
}

// The last two rows of outputs, of whose windows the plane has so many rows more.
template <int N, bool Whole>
inline void last_rows(Place<N, 1, Whole>& at, Taps& w, Vec (&above)[N], Vec (&middle)[N], int rows, Vec lower,
                      bool limited) {
  if (rows > 0) add_row<true, true, false>(at, w, above, middle, middle);
  finish_row(at, above, lower, limited);
  if (rows > 1) add_row<true, false, false>(at, w, middle, middle, middle);
  finish_row(at, middle, lower, limited);
}

// Output rows [0, count); the windows of the first begin at input row `top`.
template <int N, bool Whole>
inline void strip_rows(Place<N, 1, Whole>& at, Taps& w, int top, int height, int count, Vec lower, bool limited) {
  const int rows_below = height - top - count;
  // The sums of three rows of outputs, which take turns.
  Vec x[N], y[N], z[N];
  if (top >= 0) {
    add_row<false, false, true>(at, w, x, x, y);
  } else {
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) y[n] = w.bias();
    at.next_row();
  }
  if (count > 1) {
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) x[n] = y[n];
    add_row<false, true, true>(at, w, x, x, y);
    int left = count - 2;
    for (; left >= 3; left -= 3) {
      strip_row(at, w, x, y, z, lower, limited);
      strip_row(at, w, y, z, x, lower, limited);
      strip_row(at, w, z, x, y, lower, limited);
    }
    if constexpr (N <= 4) {
      if (left == 0) return last_rows(at, w, x, y, rows_below, lower, limited);
      strip_row(at, w, x, y, z, lower, limited);
      if (left == 1) return last_rows(at, w, y, z, rows_below, lower, limited);
      strip_row(at, w, y, z, x, lower, limited);
      return last_rows(at, w, z, x, rows_below, lower, limited);
    } else {
      for (; left > 0; left--) {
        strip_row(at, w, x, y, z, lower, limited);
#pragma GCC unroll 8
        for (int n = 0; n < N; n++) x[n] = y[n], y[n] = z[n];
      }
      return last_rows(at, w, x, y, rows_below, lower, limited);
    }
  }
  if (rows_below > 0) add_row<false, true, false>(at, w, x, y, z);
  if (rows_below > 1) add_row<true, false, false>(at, w, y, x, z);
  finish_row(at, y, lower, limited);
}

template <int N, bool Whole>
inline void strip_rows(Place<N, 2, Whole>& at, Taps& w, int top, int height, int count, Vec lower, bool limited) {
  Vec x[N], y[N];
  if (top >= 0) {
    add_row<false, false, true>(at, w, x, x, x);
  } else {
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) x[n] = w.bias();
    at.next_row();
  }
  for (int left = count - 1; left > 0; left--) {
    add_row<false, true, false>(at, w, x, x, x);
    add_row<true, false, true>(at, w, x, x, y);
    finish_row(at, x, lower, limited);
#pragma GCC unroll 8
    for (int n = 0; n < N; n++) x[n] = y[n];
  }
  if (top + 2 * count - 1 < height) add_row<false, true, false>(at, w, x, x, x);
  if (top + 2 * count < height) add_row<true, false, false>(at, w, x, x, x);
  finish_row(at, x, lower, limited);
}

template <int N, int Stride, bool Whole>
SN_FLATTEN void dwconv_strip(const DwconvPlanes& a, const Strip& s, int begin, int end) {
  const int top = begin * Stride - a.pad_y, height = a.height;
  const Vec lower = set1(a.lower);
  int limited = a.lower > -INFINITY;
  Place<N, Stride, Whole> at(a, s);
  const float* weights = a.weights;
  const float* input = a.input + static_cast<ptrdiff_t>(top) * a.width + s.column * Stride;
  float* output = a.output + static_cast<ptrdiff_t>(begin) * a.output_width + s.column;
  const ptrdiff_t input_stride = a.input_stride, output_stride = a.output_stride;
  for (int left = a.channels; left > 0; left--) {
    pin_value(limited);
    Taps taps(weights);
    at.start(input, output);
    strip_rows(at, taps, top, height, end - begin, lower, limited);
    weights += 10;
    input += input_stride;
    output += output_stride;
  }
}

using DwconvStrip = void (*)(const DwconvPlanes&, const Strip&, int, int);

// Of N vectors at N - 1.
template <int Stride, bool Whole, class Sequence = Indices<kStripVectors>>
struct DwconvStrips;
template <int Stride, bool Whole, int... N>
struct DwconvStrips<Stride, Whole, std::integer_sequence<int, N...>> {
  // each_strip gives no narrow parts of a plane.
  static constexpr DwconvStrip of[] = {dwconv_strip < N + 1, Stride, Whole || 2 * (N + 1) < kStripVectors > ...};
};

template <int Stride>
inline void dwconv_strips(const DwconvPlanes& a, int begin, int end) {
  each_strip(a.output_width, kStripVectors, [&](const Strip& s, int n) {
    const bool whole = s.left && s.right;
    (whole ? DwconvStrips<Stride, true>::of : DwconvStrips<Stride, false>::of)[n - 1](a, s, begin, end);
  });
}

void planes_by_strips(const DwconvPlanes& a, int begin, int end) {
  // Not where a row begins or how many there are: those must not change how sums are rounded.
  if (a.pad_x != 1 || a.pad_y > 1 || a.output_width < kLanes || a.output_width * a.stride != a.width) {
    planes(a, begin, end);
  } else if (a.stride == 1) {
    dwconv_strips<1>(a, begin, end);
  } else {
    dwconv_strips<2>(a, begin, end);
  }
}

constexpr DwconvKernels kDwconvByStrips = {planes_by_strips, channels};

}  // namespace
}  // namespace sn
