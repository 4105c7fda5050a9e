// Filling of padded rows over the vectors of the including file's instruction set.
namespace sn {
namespace {

inline void fill_value(float* p, ptrdiff_t count, float value) {
  for (ptrdiff_t i = 0; i < count; i++) p[i] = value;
}

void fill_rows(const Rows& a, int first, int count, float* scratch) {
  for (int i = 0; i < count; i++, scratch += static_cast<ptrdiff_t>(a.stride) * a.columns) {
    const int row = first + i;
    if (row < 0 || row >= a.height) {
      fill_value(scratch, static_cast<ptrdiff_t>(a.stride) * a.columns, a.fill);
      continue;
    }
    const float* in = a.plane + static_cast<ptrdiff_t>(row) * a.width;
    // Columns r, r + stride, ... of the plane go to one phase, from `start` on.
    for (int r = 0; r < a.stride; r++) {
      float* phase = scratch + static_cast<ptrdiff_t>((r + a.pad) % a.stride) * a.columns;
      const int start = (r + a.pad) / a.stride;
      const int values = a.width > r ? (a.width - r + a.stride - 1) / a.stride : 0;
      fill_value(phase, start, a.fill);
      fill_value(phase + start + values, a.columns - start - values, a.fill);
      if (a.stride == 1) {
        std::memcpy(phase + start, in, sizeof(float) * values);
      } else if (a.stride > 2) {
        for (int x = 0; x < values; x++) phase[start + x] = in[r + x * a.stride];
      }
    }
    if (a.stride == 2) {
      float* even = scratch + static_cast<ptrdiff_t>(a.pad % 2) * a.columns + a.pad / 2;
      float* odd = scratch + static_cast<ptrdiff_t>((a.pad + 1) % 2) * a.columns + (a.pad + 1) / 2;
      int x = 0;
      for (; x + kLanes <= a.width / 2; x += kLanes) {
        Vec e, o;
        even_odd(in + 2 * x, e, o);
        store(even + x, e);
        store(odd + x, o);
      }
      for (; x < a.width / 2; x++) {
        even[x] = in[2 * x];
        odd[x] = in[2 * x + 1];
      }
      if (a.width % 2) even[x] = in[2 * x];
    }
  }
}

constexpr RowsKernels kRows = {fill_rows};

}  // namespace
}  // namespace sn
