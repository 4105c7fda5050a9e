// Pools over the vectors of the including file's instruction set.
namespace sn {
namespace {

inline Vec pool_join(bool average, Vec a, Vec b) { return average ? add(a, b) : max(a, b); }

template <bool Average, int Kernel, int Stride>
inline void pool_rows(const PoolPlanes& a, int first, int count) {
  const PoolWindow& window = a.window;
  // Kernel 0: any.
  const int kernel = Kernel ? Kernel : window.kernel, stride = Kernel ? Stride : window.stride;
  const Vec lower = set1(window.lower);
  const ptrdiff_t pitch = static_cast<ptrdiff_t>(stride) * a.columns;
  float* out = a.output;
  for (int y = 0; y < count; y++, out += a.width) {
    const float* rows = a.rows + y * stride * pitch;
    const Vec row_scale = set1(Average ? window.row_scale[first + y] : 1.0f);
    for (int x = 0; x < a.width; x += kLanes) {
      Vec acc = set1(Average ? 0.0f : -INFINITY);
#pragma GCC unroll 4
      for (int ky = 0; ky < kernel; ky++) {
#pragma GCC unroll 4
        for (int kx = 0; kx < kernel; kx++) {
          acc = pool_join(Average, acc, load(rows + ky * pitch + (kx % stride) * a.columns + kx / stride + x));
        }
      }
      const int left = a.width - x;
      if (Average) {
        const float* scale = window.column_scale + x;
        acc = mul(acc, mul(row_scale, left >= kLanes ? load(scale) : load_partial(scale, left)));
      }
      acc = max(acc, lower);
      if (left >= kLanes) {
        store(out + x, acc);
      } else {
        store_partial(out + x, acc, left);
      }
    }
  }
}

template <bool Average>
inline void pool_planes_of(const PoolPlanes& a, int first, int count) {
  if (a.window.kernel == 3 && a.window.stride == 2) {
    pool_rows<Average, 3, 2>(a, first, count);
  } else {
    pool_rows<Average, 0, 0>(a, first, count);
  }
}

void pool_planes(const PoolPlanes& a, int first, int count) {
  if (a.window.average) {
    pool_planes_of<true>(a, first, count);
  } else {
    pool_planes_of<false>(a, first, count);
  }
}

void pool_channels(const PoolChannels& a, int begin, int end) {
  const PoolWindow& window = a.window;
  const Vec lower = set1(window.lower);
  for (int y = begin; y < end; y++) {
    const int top = y * window.stride - a.pad_y;
    const int y0 = top < 0 ? 0 : top, y1 = a.height < top + window.kernel ? a.height : top + window.kernel;
    for (int x = 0; x < a.output_width; x++) {
      const int left = x * window.stride - a.pad_x;
      const int x0 = left < 0 ? 0 : left, x1 = a.width < left + window.kernel ? a.width : left + window.kernel;
      const Vec scale = set1(window.average ? window.row_scale[y] * window.column_scale[x] : 1.0f);
      float* out = a.output + (static_cast<ptrdiff_t>(y) * a.output_width + x) * a.output_stride;
      for (int c = 0; c < a.channels; c += kLanes) {
        const int lanes = a.channels - c;
        const bool whole = lanes >= kLanes;
        Vec acc = set1(window.average ? 0.0f : -INFINITY);
        for (int iy = y0; iy < y1; iy++) {
          for (int ix = x0; ix < x1; ix++) {
            const float* p = a.input + (static_cast<ptrdiff_t>(iy) * a.width + ix) * a.input_stride + c;
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

float global_plane(const float* plane, ptrdiff_t pixels, bool average) {
  Vec acc = set1(average ? 0.0f : -INFINITY);
  ptrdiff_t i = 0;
  for (; i + kLanes <= pixels; i += kLanes) acc = pool_join(average, acc, load(plane + i));
  float result = average ? sum(acc) : maximum(acc);
  for (; i < pixels; i++) {
    if (average) {
      result += plane[i];
    } else if (result < plane[i]) {
      result = plane[i];
    }
  }
  return average ? result / static_cast<float>(pixels) : result;
}

void global_channels(const float* input, ptrdiff_t pixels, int channels, bool average, int begin, int end,
                     float* output) {
  const Vec scale = set1(average ? 1.0f / static_cast<float>(pixels) : 1.0f);
  for (int c = begin; c < end; c += kLanes) {
    const int lanes = end - c;
    const bool whole = lanes >= kLanes;
    Vec acc = set1(average ? 0.0f : -INFINITY);
    for (ptrdiff_t p = 0; p < pixels; p++) {
      const float* in = input + p * channels + c;
      acc = pool_join(average, acc, whole ? load(in) : load_partial(in, lanes));
    }
    acc = mul(acc, scale);
    if (whole) {
      store(output + c, acc);
    } else {
      store_partial(output + c, acc, lanes);
    }
  }
}

constexpr PoolKernels kPool = {pool_planes, pool_channels, global_plane, global_channels};

}  // namespace
}  // namespace sn
