#include "kernels/pool/reflect.h"

#include <algorithm>

namespace sn {
namespace {

// Channels of a window that are summed up together.
constexpr int kChannels = 16;

int mirrored(int i, int size) { return i < 0 ? -i : i < size ? i : 2 * (size - 1) - i; }

// From one pixel, or channel, to the next.
struct Strides {
  ptrdiff_t pixel, channel;
};

template <class A>
void reflect(const A& a, Strides in, Strides out, int begin, int end) {
  const auto& window = a.window;
  for (int y = begin; y < end; y++) {
    const int top = y * window.stride - a.pad_y;
    const bool rows_inside = top >= 0 && top + window.kernel <= a.height;
    for (int x = 0; x < a.output_width; x++) {
      const int left = x * window.stride - a.pad_x;
      if (rows_inside && left >= 0 && left + window.kernel <= a.width) continue;
      const float scale = static_cast<float>(window.row_scale[y]) * static_cast<float>(window.column_scale[x]);
      auto* output = a.output + (static_cast<ptrdiff_t>(y) * a.output_width + x) * out.pixel;
      for (int first = 0; first < a.channels; first += kChannels) {
        const int channels = std::min(kChannels, a.channels - first);
        float sums[kChannels] = {};
        for (int ky = 0; ky < window.kernel; ky++) {
          const ptrdiff_t row = static_cast<ptrdiff_t>(mirrored(top + ky, a.height)) * a.width;
          for (int kx = 0; kx < window.kernel; kx++) {
            const auto* cell = a.input + (row + mirrored(left + kx, a.width)) * in.pixel + first * in.channel;
            for (int c = 0; c < channels; c++) sums[c] += cell[c * in.channel];
          }
        }
        for (int c = 0; c < channels; c++) {
          const float mean = sums[c] * scale;
          output[(first + c) * out.channel] = mean < window.lower ? window.lower : mean;
        }
      }
    }
  }
}

}  // namespace

template <class T>
void reflect_borders(const PoolPlanesOf<T>& a, int begin, int end) {
  reflect(a, {1, a.input_stride}, {1, a.output_stride}, begin, end);
}

template <class T>
void reflect_borders(const PoolChannelsOf<T>& a, int begin, int end) {
  reflect(a, {a.input_stride, 1}, {a.output_stride, 1}, begin, end);
}

template void reflect_borders(const PoolPlanesOf<float>&, int, int);
template void reflect_borders(const PoolChannelsOf<float>&, int, int);
#ifdef SN_HALF
template void reflect_borders(const PoolPlanesOf<Half>&, int, int);
template void reflect_borders(const PoolChannelsOf<Half>&, int, int);
#endif

}  // namespace sn
