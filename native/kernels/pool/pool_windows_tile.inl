// Pools over windows, in vectors of the including file's instruction set.
#pragma once
namespace sn {
namespace {

inline Vec pool_join(bool average, Vec a, Vec b) { return average ? add(a, b) : max(a, b); }

// One vector of values of a plane's row, joined with those of the window's other rows [first, last).
template <bool Average>
inline Vec pool_column(const Element* column, ptrdiff_t width, int first, int last, const Mask& inside) {
  const Vec fill = set1(Average ? 0.0f : -INFINITY);
  Vec acc = load_masked(column + first * width, inside, fill);
  for (int y = first + 1; y < last; y++) {
    acc = pool_join(Average, acc, load_masked(column + y * width, inside, fill));
  }
  return acc;
}

// The windows of one vector of output columns from `x` on. Rows are joined first and columns then, for with a stride of 2
// the columns of neighbouring outputs lie in different lanes. Kernel is 0 where it is not known before. Inside: no vector
// that is read leaves the plane.
template <bool Average, int Kernel, int Stride, bool Inside>
inline void pool_columns(const PoolPlanesOf<Element>& a, int begin, int end, int x, int lanes) {
  static_assert(Kernel == 0 || (Kernel == 3 && Stride == 2));
  const PoolWindowOf<Element>& window = a.window;
  const int kernel = Kernel ? Kernel : window.kernel, left = x * Stride - a.pad_x;
  const Vec lower = set1(window.lower), fill = set1(Average ? 0.0f : -INFINITY);
  const auto inside = [&](int column) { return lanes_between(-column, a.width - column); };
  const Mask known[3] = {inside(left), inside(left + kLanes), inside(left + 2 * kLanes)};
  const Vec column_scale = !Average          ? fill
                           : lanes == kLanes ? load(window.column_scale + x)
                                             : load_partial(window.column_scale + x, lanes);
  for (int c = 0; c < a.channels; c++) {
    const Element* const plane = a.input + c * a.input_stride;
    Element* out = a.output + c * a.output_stride + static_cast<ptrdiff_t>(begin) * a.output_width + x;
    for (int y = begin; y < end; y++, out += a.output_width) {
      const int top = y * Stride - a.pad_y;
      const int first = top < 0 ? 0 : top, last = a.height < top + kernel ? a.height : top + kernel;
      const auto column = [&](int shift, const Mask& mask) {
        return pool_column<Average>(plane + left + shift, a.width, first, last, mask);
      };
      Vec acc = fill, even, odd;
      if constexpr (Kernel == 3) {
        if constexpr (Inside) {
          const Element* p = plane + left + static_cast<ptrdiff_t>(first) * a.width;
          Vec one = load(p), two = load(p + kLanes), three = load(p + 2 * kLanes);
          for (int rows = last - first - 1; rows > 0; rows--) {
            p += a.width;
            one = pool_join(Average, one, load(p));
            two = pool_join(Average, two, load(p + kLanes));
            three = pool_join(Average, three, load(p + 2 * kLanes));
          }
          deinterleave(one, two, even, odd);
          acc = pool_join(Average, pool_join(Average, even, odd), shift_in(even, three));
        } else {
          deinterleave(column(0, known[0]), column(kLanes, known[1]), even, odd);
          acc = pool_join(Average, pool_join(Average, even, odd), shift_in(even, column(2 * kLanes, known[2])));
        }
      } else {
        for (int kx = 0; kx < kernel; kx += Stride) {
          const Vec one = column(kx, inside(left + kx));
          if constexpr (Stride == 1) {
            acc = pool_join(Average, acc, one);
          } else {
            deinterleave(one, column(kx + kLanes, inside(left + kx + kLanes)), even, odd);
            acc = pool_join(Average, acc, even);
            if (kx + 1 < kernel) acc = pool_join(Average, acc, odd);
          }
        }
      }
      if (Average) acc = mul(acc, mul(set1(window.row_scale[y]), column_scale));
      acc = max(acc, lower);
      if (lanes == kLanes) {
        store(out, acc);
      } else {
        store_partial(out, acc, lanes);
      }
    }
  }
}

template <bool Average, int Kernel, int Stride>
inline void pool_rows(const PoolPlanesOf<Element>& a, int begin, int end) {
  const int lanes = a.output_width < kLanes ? a.output_width : kLanes;
  for (int x = 0; x < a.output_width; x += kLanes) {
    // The last vector of a row steps back over columns already written rather than past the row's end.
    const int at = x + kLanes <= a.output_width || x == 0 ? x : a.output_width - kLanes;
    const int left = at * Stride - a.pad_x;
    // Where masks are free (kMaskedWidth is 1), one form will do.
    if (Kernel == 3 && kMaskedWidth > 1 && left >= 0 && left + 3 * kLanes <= a.width) {
      pool_columns<Average, Kernel, Stride, Kernel == 3 && (kMaskedWidth > 1)>(a, begin, end, at, lanes);
    } else {
      pool_columns<Average, Kernel, Stride, false>(a, begin, end, at, lanes);
    }
  }
}

// Any stride, value by value.
template <bool Average>
void pool_values(const PoolPlanesOf<Element>& a, int begin, int end) {
  const PoolWindowOf<Element>& window = a.window;
  for (int c = 0; c < a.channels; c++) {
    const Element* const plane = a.input + c * a.input_stride;
    Element* out = a.output + c * a.output_stride + static_cast<ptrdiff_t>(begin) * a.output_width;
    for (int y = begin; y < end; y++, out += a.output_width) {
      const int top = y * window.stride - a.pad_y;
      for (int x = 0; x < a.output_width; x++) {
        const int left = x * window.stride - a.pad_x;
        float acc = Average ? 0.0f : -INFINITY;
        for (int iy = top < 0 ? 0 : top; iy < a.height && iy < top + window.kernel; iy++) {
          for (int ix = left < 0 ? 0 : left; ix < a.width && ix < left + window.kernel; ix++) {
            const float value = plane[static_cast<ptrdiff_t>(iy) * a.width + ix];
            acc = Average ? acc + value : acc < value ? value : acc;
          }
        }
        if (Average) acc *= window.row_scale[y] * window.column_scale[x];
        out[x] = acc < window.lower ? window.lower : acc;
      }
    }
  }
}

template <bool Average>
inline void pool_planes_of(const PoolPlanesOf<Element>& a, int begin, int end) {
  if (a.window.stride > 2 || a.width < kMaskedWidth) return pool_values<Average>(a, begin, end);
  if (a.window.stride == 1) return pool_rows<Average, 0, 1>(a, begin, end);
  if (a.window.kernel == 3) return pool_rows<Average, 3, 2>(a, begin, end);
  pool_rows<Average, 0, 2>(a, begin, end);
}

void pool_planes(const PoolPlanesOf<Element>& a, int begin, int end) {
  if (a.window.average) {
    pool_planes_of<true>(a, begin, end);
  } else {
    pool_planes_of<false>(a, begin, end);
  }
}

void pool_channels(const PoolChannelsOf<Element>& a, int begin, int end) {
  const PoolWindowOf<Element>& window = a.window;
  const Vec lower = set1(window.lower);
  for (int y = begin; y < end; y++) {
    const int top = y * window.stride - a.pad_y;
    const int y0 = top < 0 ? 0 : top, y1 = a.height < top + window.kernel ? a.height : top + window.kernel;
    for (int x = 0; x < a.output_width; x++) {
      const int left = x * window.stride - a.pad_x;
      const int x0 = left < 0 ? 0 : left, x1 = a.width < left + window.kernel ? a.width : left + window.kernel;
      const Vec scale = set1(window.average ? window.row_scale[y] * window.column_scale[x] : 1.0f);
      Element* out = a.output + (static_cast<ptrdiff_t>(y) * a.output_width + x) * a.output_stride;
      for (int c = 0; c < a.channels; c += kLanes) {
        const int lanes = a.channels - c;
        const bool whole = lanes >= kLanes;
        Vec acc = set1(window.average ? 0.0f : -INFINITY);
        for (int iy = y0; iy < y1; iy++) {
          for (int ix = x0; ix < x1; ix++) {
            const Element* p = a.input + (static_cast<ptrdiff_t>(iy) * a.width + ix) * a.input_stride + c;
            acc = pool_join(window.average, acc, whole ? load(p) : load_partial(p, lanes));
          }
        }
        acc = max(window.average ? mul(acc, scale) : acc, lower);
        if (whole) {
          store(out + c, acc);
        } else {
          store_partial(out + c, acc, lanes);
        }
      }
    }
  }
}

}  // namespace
}  // namespace sn
