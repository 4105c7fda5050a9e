// Depthwise convolution over the vectors of the including file's instruction set.
namespace sn {
namespace {

// R output rows of one vector of columns: rows that windows share are loaded once.
template <int Stride, int R>
inline void dwconv_block(const float* rows, ptrdiff_t columns, const Vec (&weight)[9], Vec bias, Vec (&acc)[R]) {
#pragma GCC unroll 16
  for (int r = 0; r < R; r++) acc[r] = bias;
#pragma GCC unroll 16
  for (int y = 0; y < (R - 1) * Stride + 3; y++) {
#pragma GCC unroll 16
    for (int x = 0; x < 3; x++) {
      const Vec in = load(rows + y * Stride * columns + (x % Stride) * columns + x / Stride);
#pragma GCC unroll 16
      for (int r = 0; r < R; r++) {
        if (y >= r * Stride && y < r * Stride + 3) acc[r] = fma(in, weight[(y - r * Stride) * 3 + x], acc[r]);
      }
    }
  }
}

template <int Stride, int R>
inline void dwconv_rows(const DwconvPlanes& a, const Vec (&weight)[9], const float* rows, float* out) {
  const Vec bias = set1(a.weights[0]), lower = set1(a.lower);
  for (int x = 0; x < a.width; x += kLanes) {
    const int left = a.width - x;
    // The last vector of a row steps back over columns already written rather than past the row's end.
    const int at = left >= kLanes ? x : a.width >= kLanes ? a.width - kLanes : 0;
    Vec acc[R];
    dwconv_block<Stride, R>(rows + at, a.columns, weight, bias, acc);
#pragma GCC unroll 16
    for (int r = 0; r < R; r++) {
      float* p = out + static_cast<ptrdiff_t>(r) * a.width + at;
      if (a.width >= kLanes) {
        store(p, max(acc[r], lower));
      } else {
        store_partial(p, max(acc[r], lower), a.width);
      }
    }
  }
}

template <int Stride>
void dwconv_planes(const DwconvPlanes& a, int count) {
  Vec weight[9];
#pragma GCC unroll 16
  for (int t = 0; t < 9; t++) weight[t] = set1(a.weights[t + 1]);
  const float* rows = a.rows;
  float* out = a.output;
  const ptrdiff_t pitch = static_cast<ptrdiff_t>(Stride) * Stride * a.columns;
  int y = 0;
  for (; y + 2 <= count; y += 2, rows += 2 * pitch, out += 2 * static_cast<ptrdiff_t>(a.width)) {
    dwconv_rows<Stride, 2>(a, weight, rows, out);
  }
  if (y < count) dwconv_rows<Stride, 1>(a, weight, rows, out);
}

void planes(const DwconvPlanes& a, int count) {
  if (a.stride == 1) {
    dwconv_planes<1>(a, count);
  } else {
    dwconv_planes<2>(a, count);
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
