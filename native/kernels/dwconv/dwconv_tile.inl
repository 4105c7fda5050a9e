// Depthwise convolution over the vectors of the including file's instruction set. The including file defines before
//   kDwconvRows   output rows of a tile of the planes form
namespace sn {
namespace {

// What the three columns of the windows of one vector of outputs read of a row: where the first begins, and which lanes
// lie inside the plane. Stride 2 reads successive vectors and splits them by columns.
template <int Stride>
struct Columns {
  ptrdiff_t first;
  Mask mask[3];

  static constexpr int shift(int i) { return Stride == 1 ? i : i * kLanes; }
  Columns(const DwconvPlanes& a, int column) : first(static_cast<ptrdiff_t>(column) * Stride - a.pad_x) {
    const int left = column * Stride - a.pad_x;
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) mask[i] = lanes_between(-left - shift(i), a.width - left - shift(i));
  }
  bool inside(int width) const { return first >= 0 && first + shift(2) + kLanes <= width; }
};

template <int Stride, bool Inside>
inline void load_columns(const float* row, const Columns<Stride>& columns, Vec (&in)[3]) {
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    const float* p = row + columns.first + Columns<Stride>::shift(i);
    in[i] = Inside ? load(p) : load_masked(p, columns.mask[i]);
  }
  if constexpr (Stride == 2) {
    const Vec a = in[0], b = in[1];
    deinterleave(a, b, in[0], in[1]);
    in[2] = shift_in(in[0], in[2]);
  }
}

// R output rows of one vector of columns: rows that windows share are loaded once.
template <int Stride, int R, bool Inside>
inline void dwconv_block(const DwconvPlanes& a, const Columns<Stride>& columns, const float* plane,
                         const Vec (&weight)[9], Vec bias, int y, float* out, int lanes) {
  const Vec lower = set1(a.lower);
  Vec acc[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) acc[r] = bias;
  const int top = y * Stride - a.pad_y;
  const float* row = plane + static_cast<ptrdiff_t>(top) * a.width;
#pragma GCC unroll 32
  for (int i = 0; i < (R - 1) * Stride + 3; i++, row += a.width) {
    if (top + i < 0 || top + i >= a.height) continue;
    Vec in[3];
    load_columns<Stride, Inside>(row, columns, in);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      if (i < r * Stride || i >= r * Stride + 3) continue;
#pragma GCC unroll 3
      for (int t = 0; t < 3; t++) acc[r] = fma(in[t], weight[(i - r * Stride) * 3 + t], acc[r]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++, out += a.output_width) {
    if (lanes == kLanes) {
      store(out, max(acc[r], lower));
    } else {
      store_partial(out, max(acc[r], lower), lanes);
    }
  }
}

// Rows [begin, end) of one vector of columns, in blocks of at most R.
template <int Stride, int R, bool Inside>
inline void dwconv_blocks(const DwconvPlanes& a, const Columns<Stride>& columns, const float* plane,
                          const Vec (&weight)[9], Vec bias, int begin, int end, float* out, int lanes) {
  int y = begin;
  for (; y + R <= end; y += R, out += static_cast<ptrdiff_t>(R) * a.output_width) {
    dwconv_block<Stride, R, Inside>(a, columns, plane, weight, bias, y, out, lanes);
  }
  if constexpr (R > 1) {
    if (y < end) {
      dwconv_blocks<Stride, (R > 4 ? 4 : R / 2), Inside>(a, columns, plane, weight, bias, y, end, out, lanes);
    }
  }
}

template <int Stride, bool Inside>
inline void dwconv_channels(const DwconvPlanes& a, const Columns<Stride>& columns, int begin, int end, float* out,
                            int lanes) {
  for (int c = 0; c < a.channels; c++) {
    const float* w = a.weights + static_cast<ptrdiff_t>(c) * 10;
    Vec weight[9];
#pragma GCC unroll 16
    for (int t = 0; t < 9; t++) weight[t] = set1(w[t + 1]);
    dwconv_blocks<Stride, kDwconvRows, Inside>(a, columns, a.input + c * a.input_stride, weight, set1(w[0]), begin, end,
                                               out + c * a.output_stride, lanes);
  }
}

template <int Stride>
void dwconv_planes(const DwconvPlanes& a, int begin, int end) {
  const int lanes = a.output_width < kLanes ? a.output_width : kLanes;
  for (int x = 0; x < a.output_width; x += kLanes) {
    // The last vector of a row steps back over columns already written rather than past the row's end.
    const int column = x + kLanes <= a.output_width || x == 0 ? x : a.output_width - kLanes;
    const Columns<Stride> columns(a, column);
    float* out = a.output + static_cast<ptrdiff_t>(begin) * a.output_width + column;
    if (columns.inside(a.width)) {
      dwconv_channels<Stride, true>(a, columns, begin, end, out, lanes);
    } else {
      dwconv_channels<Stride, false>(a, columns, begin, end, out, lanes);
    }
  }
}

void planes(const DwconvPlanes& a, int begin, int end) {
  if (a.stride == 1) {
    dwconv_planes<1>(a, begin, end);
  } else {
    dwconv_planes<2>(a, begin, end);
  }
}

// One row of output pixels of one vector of channels, whose weights stay in registers. The tests for the plane's border
// are the same for all pixels of a row, or for all but the outer ones, so they predict well.
template <bool Whole>
inline void dwconv_row(const DwconvChannels& a, int y, int channel, int lanes) {
  const float* const w = a.weights + channel;
  const Vec bias = Whole ? load(w) : load_partial(w, lanes), lower = set1(a.lower);
  Vec weight[9];
#pragma GCC unroll 16
  for (int t = 0; t < 9; t++) {
    const float* p = w + static_cast<ptrdiff_t>(t + 1) * a.channels;
    weight[t] = Whole ? load(p) : load_partial(p, lanes);
  }
  const int top = y * a.stride - a.pad_y;
  const ptrdiff_t pitch = static_cast<ptrdiff_t>(a.width) * a.channels;
  const float* const rows = a.input + top * pitch + channel;
  float* out = a.output + static_cast<ptrdiff_t>(y) * a.output_width * a.channels + channel;
  for (int x = 0; x < a.output_width; x++, out += a.channels) {
    const int left = x * a.stride - a.pad_x;
    Vec acc = bias;
#pragma GCC unroll 16
    for (int ky = 0; ky < 3; ky++) {
      if (top + ky < 0 || top + ky >= a.height) continue;
#pragma GCC unroll 16
      for (int kx = 0; kx < 3; kx++) {
        if (left + kx < 0 || left + kx >= a.width) continue;
        const float* p = rows + ky * pitch + static_cast<ptrdiff_t>(left + kx) * a.channels;
        acc = fma(Whole ? load(p) : load_partial(p, lanes), weight[3 * ky + kx], acc);
      }
    }
    acc = max(acc, lower);
    if (Whole) {
      store(out, acc);
    } else {
      store_partial(out, acc, lanes);
    }
  }
}

void channels(const DwconvChannels& a, int begin, int end, int channel_begin, int channel_end) {
  for (int y = begin; y < end; y++) {
    int c = channel_begin;
    for (; c + kLanes <= channel_end; c += kLanes) dwconv_row<true>(a, y, c, kLanes);
    if (c < channel_end) dwconv_row<false>(a, y, c, channel_end - c);
  }
}

constexpr DwconvKernels kDwconv = {planes, channels};

}  // namespace
}  // namespace sn
