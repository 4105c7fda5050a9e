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

  explicit Taps(const Element* p) : first(load(p)) {
    if constexpr (kLanes == 4) {
      second = load(p + 4);
      third = load_half(p + 8);
    } else {
      third = load_quarter(p + 8);
    }
  }
  Vec bias() const { return broadcast_lane<0>(first); }
  // sum + a * the I-th of the bias and the weights
  template <int I>
  Vec add_one(Vec sum, Vec a) const {
    if constexpr (I < kLanes) {
      return fma_lane<I>(sum, a, first);
    } else if constexpr (I < 8) {
      return fma_lane<I % 4>(sum, a, second);
    } else {
      return fma_half_lane<I - 8>(sum, a, third);
    }
  }
  // sum + what row Row of the windows, with columns a, b and c, adds to it
  template <int Row>
  Vec add(Vec sum, Vec a, Vec b, Vec c) const {
    return add_one<3 * Row + 3>(add_one<3 * Row + 2>(add_one<3 * Row + 1>(sum, a), b), c);
  }
};

// Before each row, or GCC keeps every lane in a register of its own.
inline void pin(Taps& w) {
  pin_vector(w.first);
  if constexpr (kLanes == 4) pin_vector(w.second);
  pin_vector(w.third);
}

// AArch64 loads pairs of vectors from an address and a constant. ARMv7 has no offsets, but counts addresses up as it
// loads.
#if defined(__aarch64__)
constexpr int kPair = 2;
constexpr bool kWalk = false;
#else
constexpr int kPair = 1;
constexpr bool kWalk = true;
#endif

// Where a strip of N vectors stands in a channel. Left, Right: padding lies there, not more of the plane.
template <int N, int Stride, bool Left, bool Right>
struct Place {
  // Columns -1 and 1 of wide strips have addresses of their own, or pairs could not be loaded from them.
  static constexpr bool kThree = kWalk || N > 4;

  const Element *one, *two, *three;  // of the next row: columns -1, 0 and 1
  Element* out;
  ptrdiff_t width, last, output_width;

  Place(const DwconvPlanesOf<Element>& a, const Strip& s)
      : width(a.width), last(s.last), output_width(a.output_width) {}
  // From the first column to that of vector n.
  ptrdiff_t offset(int n) const { return n + 1 < N ? n * kLanes : last; }
  void start(const Element* input, Element* output) {
    two = input;
    one = two - 1 + (kWalk && Left ? offset(1) : 0);
    three = two + 1;
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
  }
  // Vector n of the vectors from `first` to `end` - 1 of a row, which are all asked for in rising order.
  Vec next(const Element*& p, int n, int first, int end) const {
    if constexpr (!kWalk) return load(p + offset(n));
    const Vec v = load(p);
    p += n + 1 < end ? offset(n + 1) - offset(n) : width + offset(first) - offset(n);
    pin(p);
    return v;
  }
};

// Adds the next row of the plane to the rows of sums it belongs to: it is the windows' last row for `above`, the middle
// one for `middle` and the first for `below`, whose sums begin here.
template <bool Above, bool Middle, bool Below, int N, bool Left, bool Right>
inline void add_row(Place<N, 1, Left, Right>& at, Taps& w, Vec (&above)[N], Vec (&middle)[N], Vec (&below)[N]) {
  pin(w);
  if constexpr (at.kThree && !kWalk) {
    pin(at.one);
    pin(at.two);
    pin(at.three);
  }
  const Vec padding = set1(0.0f);
#pragma GCC unroll 8
  for (int first = 0; first < N; first += kPair) {
    const int end = first + kPair < N ? first + kPair : N;
    Vec a[kPair], b[kPair], c[kPair];
#pragma GCC unroll 2
    for (int n = first; n < end; n++) b[n - first] = at.next(at.two, n, 0, N);
#pragma GCC unroll 2
    for (int n = first; n < end; n++) {
      a[n - first] = Left && n == 0 ? shift<kLanes - 1>(padding, b[0]) : at.next(at.one, n, Left, N);
    }
#pragma GCC unroll 2
    for (int n = first; n < end; n++) {
      c[n - first] = Right && n == N - 1 ? shift<1>(b[n - first], padding) : at.next(at.three, n, 0, Right ? N - 1 : N);
    }
#pragma GCC unroll 2
    for (int n = first; n < end; n++) {
      if (Above) above[n] = w.add<2>(above[n], a[n - first], b[n - first], c[n - first]);
      if (Middle) middle[n] = w.add<1>(middle[n], a[n - first], b[n - first], c[n - first]);
      if (Below) below[n] = w.add<0>(w.bias(), a[n - first], b[n - first], c[n - first]);
    }
  }
  if constexpr (!kWalk) at.next_row();
}

// With stride 2 a row belongs to one or two rows of sums. `below` may be `above`.
template <bool Above, bool Middle, bool Below, int N, bool Left, bool Right>
inline void add_row(Place<N, 2, Left, Right>& at, Taps& w, Vec (&above)[N], Vec (&middle)[N], Vec (&below)[N]) {
  pin(w);
  const Element*& p = at.two;
  Vec a = Left ? set1(0.0f) : load(p - kLanes), b, c;
#pragma GCC unroll 8
  for (int n = 0; n < N; n++) {
    if (n == N - 1 && N > 1) {
      load_split(p, b, a);
      p += 2;
      pin(p);
    }
    load_split(p, b, c);
    p += n + 2 < N ? 2 * kLanes : n + 1 < N ? 2 * at.last - 2 * n * kLanes - 2 : at.width - 2 * at.last;
    pin(p);
    if (n < N - 1 || N == 1) a = shift<kLanes - 1>(a, c);
    if (Above) above[n] = w.add<2>(above[n], a, b, c);
    if (Middle) middle[n] = w.add<1>(middle[n], a, b, c);
    if (Below) below[n] = w.add<0>(w.bias(), a, b, c);
    a = c;
  }
}

template <int N, int Stride, bool Left, bool Right>
inline void finish_row(Place<N, Stride, Left, Right>& at, Vec (&sums)[N], Vec lower, bool limited) {
#pragma GCC unroll 8
  for (int n = 0; n < N; n++) {
    if (limited) sums[n] = max(sums[n], lower);
  }
#pragma GCC unroll 8
  for (int n = 0; n < N; n++) {
    if constexpr (kWalk) {
      store(at.out, sums[n]);
      at.out += n + 1 < N ? at.offset(n + 1) - at.offset(n) : at.output_width - at.last;
      pin(at.out);
    } else {
      store(at.out + at.offset(n), sums[n]);
    }
  }
  if constexpr (!kWalk) at.out += at.output_width;
}

// A plane of half a vector of output columns or more, but less than one: a strip whose vectors end with what follows in
// the plane. The last rows read and written must not pass its end.
template <int Stride>
struct NarrowPlace {
  const Element *two, *last_row;
  Element *out, *last_out;
  ptrdiff_t width, output_width;
  NextLanes next;

  NarrowPlace(const DwconvPlanesOf<Element>& a)
      : width(a.width), output_width(a.output_width), next(next_lanes(a.output_width)) {}
  void start(const Element* input, const Element* input_end, Element* output, Element* output_end) {
    two = input;
    last_row = input_end - width;
    out = output;
    last_out = output_end - output_width;
  }
  void next_row() {
    two += width;
    pin(two);
  }
};

template <bool Above, bool Middle, bool Below, int Stride>
inline void add_row(NarrowPlace<Stride>& at, Taps& w, Vec (&above)[1], Vec (&middle)[1], Vec (&below)[1]) {
  pin(w);
  const Vec padding = set1(0.0f);
  Vec a, b, c;
  if constexpr (Stride == 1) {
    b = at.two < at.last_row ? load(at.two) : load_partial(at.two, static_cast<int>(at.width));
    c = next_lane(b, at.next);
    a = shift<kLanes - 1>(padding, b);
  } else {
    if (at.two < at.last_row) {
      load_split(at.two, b, c);
    } else {
      deinterleave(load(at.two), load_partial(at.two + kLanes, static_cast<int>(at.width) - kLanes), b, c);
    }
    a = shift<kLanes - 1>(padding, c);
  }
  if (Above) above[0] = w.add<2>(above[0], a, b, c);
  if (Middle) middle[0] = w.add<1>(middle[0], a, b, c);
  if (Below) below[0] = w.add<0>(w.bias(), a, b, c);
  at.next_row();
}

template <int Stride>
inline void finish_row(NarrowPlace<Stride>& at, Vec (&sums)[1], Vec lower, bool limited) {
  if (limited) sums[0] = max(sums[0], lower);
  if (at.out < at.last_out) {
    store(at.out, sums[0]);
  } else {
    store_partial(at.out, sums[0], static_cast<int>(at.output_width));
  }
  at.out += at.output_width;
}

template <int N, class At>
inline void strip_row(At& at, Taps& w, Vec (&above)[N], Vec (&middle)[N], Vec (&below)[N], Vec lower, bool limited) {
  add_row<true, true, true>(at, w, above, middle, below);
  finish_row(at, above, lower, limited);
}

// The last two rows of outputs, of whose windows the plane has so many rows more.
template <int N, class At>
inline void last_rows(At& at, Taps& w, Vec (&above)[N], Vec (&middle)[N], int rows, Vec lower, bool limited) {
  if (rows > 0) add_row<true, true, false>(at, w, above, middle, middle);
  finish_row(at, above, lower, limited);
  if (rows > 1) add_row<true, false, false>(at, w, middle, middle, middle);
  finish_row(at, middle, lower, limited);
}

// Output rows [0, count); the windows of the first begin at input row `top`.
template <int N, class At>
inline void strip_rows_1(At& at, Taps& w, int top, int height, int count, Vec lower, bool limited) {
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

template <int N, class At>
inline void strip_rows_2(At& at, Taps& w, int top, int height, int count, Vec lower, bool limited) {
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

template <int N, int Stride, bool Left, bool Right>
SN_FLATTEN void dwconv_strip(const DwconvPlanesOf<Element>& a, const Strip& s, int begin, int end) {
  const int top = begin * Stride - a.pad_y, height = a.height;
  const Vec lower = set1(a.lower);
  int limited = a.lower > -INFINITY;
  Place<N, Stride, Left, Right> at(a, s);
  const Element* weights = a.weights;
  const Element* input = a.input + static_cast<ptrdiff_t>(top) * a.width + s.column * Stride;
  Element* output = a.output + static_cast<ptrdiff_t>(begin) * a.output_width + s.column;
  const ptrdiff_t input_stride = a.input_stride, output_stride = a.output_stride;
  for (int left = a.channels; left > 0; left--) {
    pin_value(limited);
    Taps taps(weights);
    at.start(input, output);
    if constexpr (Stride == 1) {
      strip_rows_1<N>(at, taps, top, height, end - begin, lower, limited);
    } else {
      strip_rows_2<N>(at, taps, top, height, end - begin, lower, limited);
    }
    weights += 10;
    input += input_stride;
    output += output_stride;
  }
}

template <int Stride>
SN_FLATTEN void dwconv_narrow(const DwconvPlanesOf<Element>& a, int begin, int end) {
  const int top = begin * Stride - a.pad_y, height = a.height, bottom = (end - 1) * Stride - a.pad_y + 3;
  const Vec lower = set1(a.lower);
  int limited = a.lower > -INFINITY;
  NarrowPlace<Stride> at(a);
  const Element* weights = a.weights;
  const Element* input = a.input + static_cast<ptrdiff_t>(top) * a.width;
  const ptrdiff_t read = static_cast<ptrdiff_t>((bottom < height ? bottom : height) - top) * a.width;
  Element* output = a.output + static_cast<ptrdiff_t>(begin) * a.output_width;
  const ptrdiff_t written = static_cast<ptrdiff_t>(end - begin) * a.output_width;
  const ptrdiff_t input_stride = a.input_stride, output_stride = a.output_stride;
  for (int left = a.channels; left > 0; left--) {
    pin_value(limited);
    Taps taps(weights);
    at.start(input, input + read, output, output + written);
    if constexpr (Stride == 1) {
      strip_rows_1<1>(at, taps, top, height, end - begin, lower, limited);
    } else {
      strip_rows_2<1>(at, taps, top, height, end - begin, lower, limited);
    }
    weights += 10;
    input += input_stride;
    output += output_stride;
  }
}

using DwconvStrip = void (*)(const DwconvPlanesOf<Element>&, const Strip&, int, int);

template <int N, int Stride, bool Left, bool Right>
constexpr DwconvStrip dwconv_strip_if_any() {
  // Windows of stride 2 end with the plane's last column.
  if constexpr (is_strip(N, kStripVectors, Left && Right))
    return dwconv_strip < N, Stride, Left, Stride == 2 || Right > ;
  return nullptr;
}

// Of N vectors at N - 1.
template <int Stride, bool Left, bool Right, class Sequence = Indices<kStripVectors>>
struct DwconvStrips;
template <int Stride, bool Left, bool Right, int... N>
struct DwconvStrips<Stride, Left, Right, std::integer_sequence<int, N...>> {
  static constexpr DwconvStrip of[] = {dwconv_strip_if_any<N + 1, Stride, Left, Right>()...};
};

template <int Stride>
inline void dwconv_strips(const DwconvPlanesOf<Element>& a, int begin, int end) {
  static constexpr const DwconvStrip* strips[2][2] = {{DwconvStrips<Stride, false, false>::of,
                                                       DwconvStrips<Stride, false, true>::of},
                                                      {DwconvStrips<Stride, true, false>::of,
                                                       DwconvStrips<Stride, true, true>::of}};
  each_strip(a.output_width, kStripVectors,
             [&](const Strip& s, int n) { strips[s.left][s.right][n - 1](a, s, begin, end); });
}

void planes_by_strips(const DwconvPlanesOf<Element>& a, int begin, int end) {
  // Not where a row begins or how many there are: those must not change how sums are rounded.
  if (a.pad_x != 1 || a.pad_y > 1 || 2 * a.output_width <= kLanes || a.output_width * a.stride != a.width) {
    planes(a, begin, end);
  } else if (a.output_width < kLanes) {
    (a.stride == 1 ? dwconv_narrow<1> : dwconv_narrow<2>)(a, begin, end);
  } else if (a.stride == 1) {
    dwconv_strips<1>(a, begin, end);
  } else {
    dwconv_strips<2>(a, begin, end);
  }
}

constexpr DwconvKernelsOf<Element> kDwconvByStrips = {planes_by_strips, channels};

}  // namespace
}  // namespace sn
