// Filling of padded rows over the vectors of the including file's instruction set.
namespace sn {
namespace {

// Whole vectors from p on until all of [p, end) is filled: may write up to kLanes - 1 values more.
inline void fill_to(Element* p, const Element* end, float value) {
  for (const Vec v = set1(value); p < end; p += kLanes) store(p, v);
}

// Both of these work in whole vectors while those lie in the `readable` values from `from` on, writing up to kLanes - 1
// values too many.
inline void copy_row(const Element* from, int width, ptrdiff_t readable, Element* to) {
  int x = 0;
  for (; x < width && x + kLanes <= readable; x += kLanes) store(to + x, load(from + x));
  for (; x < width; x++) to[x] = from[x];
}

inline void split_row(const Element* from, int width, ptrdiff_t readable, Element* even, Element* odd) {
  ptrdiff_t vectors = (width + 2 * kLanes - 1) / (2 * kLanes);
  if (vectors > readable / (2 * kLanes)) vectors = readable / (2 * kLanes);
  const ptrdiff_t whole = vectors * kLanes;
#pragma GCC unroll 2
  for (ptrdiff_t x = 0; x < whole; x += kLanes) {
    Vec e, o;
    load_split(from + 2 * x, e, o);
    store(even + x, e);
    store(odd + x, o);
  }
  for (ptrdiff_t x = whole; 2 * x < width; x++) {
    even[x] = from[2 * x];
    if (2 * x + 1 < width) odd[x] = from[2 * x + 1];
  }
}

void fill_rows(const RowsOf<Element>& a, int first, int count, Element* scratch) {
  const ptrdiff_t pitch = static_cast<ptrdiff_t>(a.stride) * a.columns;
  for (int i = 0; i < count; i++, scratch += pitch) {
    const int row = first + i;
    if (row < 0 || row >= a.height) {
      for (int phase = 0; phase < a.stride; phase++) {
        fill_to(scratch + phase * a.columns, scratch + (phase + 1) * a.columns - kLanes, a.fill);
      }
      continue;
    }
    const Element* in = a.plane + static_cast<ptrdiff_t>(row) * a.width;
    const ptrdiff_t readable = static_cast<ptrdiff_t>(a.height - row) * a.width;
    if (a.stride == 1) {
      copy_row(in, a.width, readable, scratch + a.pad);
    } else if (a.stride == 2) {
      Element* const even = scratch + a.pad % 2 * a.columns + a.pad / 2;
      Element* const odd = scratch + (a.pad + 1) % 2 * a.columns + (a.pad + 1) / 2;
      split_row(in, a.width, readable, even, odd);
    } else {
      for (int x = 0; x < a.width; x++) {
        scratch[(x + a.pad) % a.stride * a.columns + (x + a.pad) / a.stride] = in[x];
      }
    }
    for (int r = 0; r < a.stride; r++) {
      // Plane columns r, r + stride, ... are one phase's values, from `start` on.
      Element* phase = scratch + (r + a.pad) % a.stride * a.columns;
      const int start = (r + a.pad) / a.stride;
      const int values = a.width > r ? (a.width - r + a.stride - 1) / a.stride : 0;
      for (int x = 0; x < start; x++) phase[x] = a.fill;
      fill_to(phase + start + values, phase + a.columns - kLanes, a.fill);
    }
  }
}

constexpr RowsKernelsOf<Element> kRows = {fill_rows};

}  // namespace
}  // namespace sn
