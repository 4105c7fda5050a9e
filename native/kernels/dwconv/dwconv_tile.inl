// Depthwise convolution over the vectors of the including file's instruction set. The including file defines before
//   kDwconvRows     output rows of a tile of the planes form
//   kDwconvPixels   pixels of a tile of the channels form
namespace sn {
namespace {

// What the three columns of the windows of one vector of outputs read of a row: where the first begins, and which lanes
// lie inside the plane. Stride 2 reads successive vectors and splits them by columns.
template <int Stride>
struct Columns {
  ptrdiff_t first;
  Mask mask[3];

  static constexpr int shift(int i) { return Stride == 1 ? i : i * kLanes; }
  Columns(const DwconvPlanesOf<Element>& a, int column) : first(static_cast<ptrdiff_t>(column) * Stride - a.pad_x) {
    const int left = column * Stride - a.pad_x;
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++) mask[i] = lanes_between(-left - shift(i), a.width - left - shift(i));
  }
  bool inside(int width) const { return first >= 0 && first + shift(2) + kLanes <= width; }
};

template <int Stride, bool Inside>
inline void load_columns(const Element* row, const Columns<Stride>& columns, Vec (&in)[3]) {
#pragma GCC unroll 3
  for (int i = 0; i < 3; i++) {
    const Element* p = row + columns.first + Columns<Stride>::shift(i);
    in[i] = Inside ? load(p) : load_masked(p, columns.mask[i]);
  }
  if constexpr (Stride == 2) {
    const Vec a = in[0], b = in[1];
    deinterleave(a, b, in[0], in[1]);
    in[2] = shift_in(in[0], in[2]);
  }
}

// R output rows of one vector of columns: rows that windows share are loaded once.
// AllRows: none of them lies in the padding.
template <int Stride, int R, bool Inside, bool AllRows>
inline void dwconv_block(const DwconvPlanesOf<Element>& a, const Columns<Stride>& columns, const Element* plane,
                         const Vec (&weight)[9], Vec bias, int y, Element* out, int lanes) {
  const Vec lower = set1(a.lower);
  Vec acc[R];
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) acc[r] = bias;
  const int top = y * Stride - a.pad_y;
  const Element* row = plane + static_cast<ptrdiff_t>(top) * a.width;
#pragma GCC unroll 32
  for (int i = 0; i < (R - 1) * Stride + 3; i++, row += a.width) {
    if (!AllRows && (top + i < 0 || top + i >= a.height)) continue;
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
inline void dwconv_blocks(const DwconvPlanesOf<Element>& a, const Columns<Stride>& columns, const Element* plane,
                          const Vec (&weight)[9], Vec bias, int begin, int end, Element* out, int lanes) {
  int y = begin;
  for (; y + R <= end; y += R, out += static_cast<ptrdiff_t>(R) * a.output_width) {
    const int top = y * Stride - a.pad_y;
    // Where masks are free (kMaskedWidth is 1), so are these tests.
    if (kMaskedWidth > 1 && top >= 0 && top + (R - 1) * Stride + 3 <= a.height) {
      dwconv_block<Stride, R, Inside, (kMaskedWidth > 1)>(a, columns, plane, weight, bias, y, out, lanes);
    } else {
      dwconv_block<Stride, R, Inside, false>(a, columns, plane, weight, bias, y, out, lanes);
    }
  }
  if constexpr (R > 1) {
    if (y < end) {
      dwconv_blocks<Stride, (R > 4 ? 4 : R / 2), Inside>(a, columns, plane, weight, bias, y, end, out, lanes);
    }
  }
}

template <int Stride, bool Inside>
inline void dwconv_channels(const DwconvPlanesOf<Element>& a, const Columns<Stride>& columns, int begin, int end,
                            Element* out, int lanes) {
  for (int c = 0; c < a.channels; c++) {
    const Element* w = a.weights + static_cast<ptrdiff_t>(c) * 10;
    Vec weight[9];
#pragma GCC unroll 16
    for (int t = 0; t < 9; t++) weight[t] = set1(w[t + 1]);
    dwconv_blocks<Stride, kDwconvRows, Inside>(a, columns, a.input + c * a.input_stride, weight, set1(w[0]), begin, end,
                                               out + c * a.output_stride, lanes);
  }
}

// Planes too narrow for masks, value by value.
void dwconv_values(const DwconvPlanesOf<Element>& a, int begin, int end) {
  for (int c = 0, y = begin; c < a.channels; y = y + 1 < end ? y + 1 : (c++, begin)) {
    const Element* const plane = a.input + c * a.input_stride;
    const Element* const weight = a.weights + static_cast<ptrdiff_t>(c) * 10;
    Element* const out = a.output + c * a.output_stride + static_cast<ptrdiff_t>(y) * a.output_width;
    const int top = y * a.stride - a.pad_y;
    for (int x = 0; x < a.output_width; x++) {
      const int left = x * a.stride - a.pad_x;
      float acc = weight[0];
      for (int t = 0; t < 9; t++) {
        const int iy = top + t / 3, ix = left + t % 3;
        if (iy < 0 || iy >= a.height || ix < 0 || ix >= a.width) continue;
        acc += plane[static_cast<ptrdiff_t>(iy) * a.width + ix] * weight[t + 1];
      }
      out[x] = acc < a.lower ? a.lower : acc;
    }
  }
}

template <int Stride>
void dwconv_planes(const DwconvPlanesOf<Element>& a, int begin, int end) {
  const int lanes = a.output_width < kLanes ? a.output_width : kLanes;
  for (int x = 0; x < a.output_width; x += kLanes) {
    // The last vector of a row steps back over columns already written rather than past the row's end.
    const int column = x + kLanes <= a.output_width || x == 0 ? x : a.output_width - kLanes;
    const Columns<Stride> columns(a, column);
    Element* out = a.output + static_cast<ptrdiff_t>(begin) * a.output_width + column;
    if (columns.inside(a.width)) {
      dwconv_channels<Stride, true>(a, columns, begin, end, out, lanes);
    } else {
      dwconv_channels<Stride, false>(a, columns, begin, end, out, lanes);
    }
  }
}

void planes(const DwconvPlanesOf<Element>& a, int begin, int end) {
  if (a.width < kMaskedWidth) {
    dwconv_values(a, begin, end);
  } else if (a.stride == 1) {
    dwconv_planes<1>(a, begin, end);
  } else {
    dwconv_planes<2>(a, begin, end);
  }
}

// One row of output pixels of one vector of channels, whose weights stay in registers. The tests for the plane's border
// are the same for all pixels of a row, or for all but the outer ones, so they predict well.
template <bool Whole>
inline void dwconv_row(const DwconvChannelsOf<Element>& a, int y, int channel, int lanes) {
  const Element* const w = a.weights + channel;
  const Vec bias = Whole ? load(w) : load_partial(w, lanes), lower = set1(a.lower);
  Vec weight[9];
#pragma GCC unroll 16
  for (int t = 0; t < 9; t++) {
    const Element* p = w + static_cast<ptrdiff_t>(t + 1) * a.channels;
    weight[t] = Whole ? load(p) : load_partial(p, lanes);
  }
  const int top = y * a.stride - a.pad_y;
  const ptrdiff_t pitch = static_cast<ptrdiff_t>(a.width) * a.channels;
  const Element* const rows = a.input + top * pitch + channel;
  Element* out = a.output + static_cast<ptrdiff_t>(y) * a.output_width * a.channels + channel;
  for (int x = 0; x < a.output_width; x++, out += a.channels) {
    const int left = x * a.stride - a.pad_x;
    Vec acc = bias;
#pragma GCC unroll 16
    for (int ky = 0; ky < 3; ky++) {
      if (top + ky < 0 || top + ky >= a.height) continue;
#pragma GCC unroll 16
      for (int kx = 0; kx < 3; kx++) {
        if (left + kx < 0 || left + kx >= a.width) continue;
        const Element* p = rows + ky * pitch + static_cast<ptrdiff_t>(left + kx) * a.channels;
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

// P pixels of a row of one vector of channels: columns that windows share are loaded once. before, after: the first and
// the last column lie in the padding.
template <int Stride, int P>
inline void dwconv_pixels(const DwconvChannelsOf<Element>& a, const Element* input, int first_row, int last_row,
                          const Element* w, Element* out, bool before, bool after) {
  constexpr int kColumns = (P - 1) * Stride + 3;
  const Vec bias = load(w);
  Vec acc[P];
#pragma GCC unroll 16
  for (int p = 0; p < P; p++) acc[p] = bias;
  for (int ky = first_row; ky < last_row; ky++) {
    Vec weight[3];
#pragma GCC unroll 3
    for (int kx = 0; kx < 3; kx++) weight[kx] = load(w + static_cast<ptrdiff_t>(3 * ky + kx + 1) * a.channels);
    const Element* column = input + static_cast<ptrdiff_t>(ky) * a.width * a.channels;
#pragma GCC unroll 32
    for (int j = 0; j < kColumns; j++, column += a.channels) {
      if ((j == 0 && before) || (j == kColumns - 1 && after)) continue;
      const Vec in = load(column);
#pragma GCC unroll 16
      for (int p = 0; p < P; p++) {
        const int kx = j - p * Stride;
        if (kx >= 0 && kx < 3) acc[p] = fma(in, weight[kx], acc[p]);
      }
    }
  }
  const Vec lower = set1(a.lower);
#pragma GCC unroll 16
  for (int p = 0; p < P; p++, out += a.channels) store(out, max(acc[p], lower));
}

// The tile of `pixels` pixels, P at most.
template <int Stride, int P>
inline void dwconv_tile(const DwconvChannelsOf<Element>& a, int pixels, const Element* input, int first_row,
                        int last_row, const Element* w, Element* out, bool before, bool after) {
  if constexpr (P > 1) {
    if (pixels < P) {
      return dwconv_tile<Stride, P - 1>(a, pixels, input, first_row, last_row, w, out, before, after);
    }
  }
  dwconv_pixels<Stride, P>(a, input, first_row, last_row, w, out, before, after);
}

// Row y of channels [begin, end), whole vectors, in tiles of about equal size.
template <int Stride>
inline void dwconv_tiles(const DwconvChannelsOf<Element>& a, int y, int begin, int end) {
  const int tiles = (a.output_width + kDwconvPixels - 1) / kDwconvPixels;
  const int width = a.output_width / tiles, larger = a.output_width % tiles;
  const int top = y * Stride - a.pad_y;
  const int first_row = top < 0 ? -top : 0, last_row = a.height - top < 3 ? a.height - top : 3;
  for (int i = 0, x = 0; i < tiles; i++) {
    const int pixels = width + (i < larger), left = x * Stride - a.pad_x;
    const bool before = left<0, after = left + (pixels - 1) * Stride + 3> a.width;
    const Element* const input = a.input + (static_cast<ptrdiff_t>(top) * a.width + left) * a.channels;
    Element* const out = a.output + (static_cast<ptrdiff_t>(y) * a.output_width + x) * a.channels;
    for (int c = begin; c < end; c += kLanes) {
      dwconv_tile<Stride, kDwconvPixels>(a, pixels, input + c, first_row, last_row, a.weights + c, out + c, before,
                                         after);
    }
    x += pixels;
  }
}

void channels(const DwconvChannelsOf<Element>& a, int begin, int end, int channel_begin, int channel_end) {
  // Tiles know one column of padding on either side.
  const bool tiles =
      kDwconvPixels > 1 && a.pad_x <= 1 && (a.output_width - 1) * a.stride - a.pad_x + 3 <= a.width + 1 && a.width > 1;
  for (int y = begin; y < end; y++) {
    int c = channel_begin;
    if (tiles) {
      c += (channel_end - channel_begin) / kLanes * kLanes;
      if (a.stride == 1) {
        dwconv_tiles<1>(a, y, channel_begin, c);
      } else {
        dwconv_tiles<2>(a, y, channel_begin, c);
      }
    }
    for (; c + kLanes <= channel_end; c += kLanes) dwconv_row<true>(a, y, c, kLanes);
    if (c < channel_end) dwconv_row<false>(a, y, c, channel_end - c);
  }
}

constexpr DwconvKernelsOf<Element> kDwconv = {planes, channels};

}  // namespace
}  // namespace sn
