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

void channels(const DwconvChannels& a, int begin, int end, int channel_begin, int channel_end) {
  const Vec lower = set1(a.lower);
  for (int y = begin; y < end; y++) {
    const int top = y * a.stride - a.pad_y;
    const int ky_begin = top < 0 ? -top : 0, ky_end = a.height - top < 3 ? a.height - top : 3;
    for (int x = 0; x < a.output_width; x++) {
      const int left = x * a.stride - a.pad_x;
      const int kx_begin = left < 0 ? -left : 0, kx_end = a.width - left < 3 ? a.width - left : 3;
      const float* in = a.input + (static_cast<ptrdiff_t>(top) * a.width + left) * a.channels;
      float* out = a.output + (static_cast<ptrdiff_t>(y) * a.output_width + x) * a.channels;
      for (int c = channel_begin; c < channel_end; c += kLanes) {
        const int lanes = channel_end - c;
        const bool whole = lanes >= kLanes;
        Vec acc = whole ? load(a.weights + c) : load_partial(a.weights + c, lanes);
        for (int ky = ky_begin; ky < ky_end; ky++) {
          for (int kx = kx_begin; kx < kx_end; kx++) {
            const float* p = in + (static_cast<ptrdiff_t>(ky) * a.width + kx) * a.channels + c;
            const float* w = a.weights + static_cast<ptrdiff_t>(ky * 3 + kx + 1) * a.channels + c;
            acc = whole ? fma(load(p), load(w), acc) : fma(load_partial(p, lanes), load_partial(w, lanes), acc);
          }
        }
        acc = max(acc, lower);
        if (whole) {
          store(out + c, acc);
        } else {
          store_partial(out + c, acc, lanes);
        }
      }
    }
  }
}

constexpr DwconvKernels kDwconv = {planes, channels};

}  // namespace
}  // namespace sn
