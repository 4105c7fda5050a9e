#include "kernels/pool/reflect.h"

namespace sn {
namespace {

ptrdiff_t mirrored(int i, int size) { return i < 0 ? -i : i < size ? i : 2 * (size - 1) - i; }

// Of either layout: from one pixel to the next it is in_pixel and out_pixel, from one channel to the next what `a` says.
template <class T>
void reflect(const PoolPlanesOf<T>& a, ptrdiff_t in_pixel, ptrdiff_t out_pixel, int begin, int end) {
  const PoolWindowOf<T>& window = a.window;
  for (int y = begin; y < end; y++) {
    const int top = y * window.stride - a.pad_y;
    const bool rows_inside = top >= 0 && top + 3 <= a.height;
    for (int x = 0; x < a.output_width; x++) {
      const int left = x * window.stride - a.pad_x;
      if (rows_inside && left >= 0 && left + 3 <= a.width) continue;
      ptrdiff_t cells[9];
      for (int i = 0; i < 9; i++) {
        cells[i] = (mirrored(top + i / 3, a.height) * a.width + mirrored(left + i % 3, a.width)) * in_pixel;
      }
      const float scale = static_cast<float>(window.row_scale[y]) * static_cast<float>(window.column_scale[x]);
      const T* input = a.input;
      T* output = a.output + (static_cast<ptrdiff_t>(y) * a.output_width + x) * out_pixel;
      for (int c = 0; c < a.channels; c++, input += a.input_stride, output += a.output_stride) {
        float sum = 0;
        for (const ptrdiff_t cell : cells) sum += input[cell];
        sum *= scale;
        *output = sum < window.lower ? window.lower : sum;
      }
    }
  }
}

}  // namespace

template <class T>
void reflect_borders(const PoolPlanesOf<T>& a, int begin, int end) {
  reflect(a, 1, 1, begin, end);
}

template <class T>
void reflect_borders(const PoolChannelsOf<T>& a, int begin, int end) {
  reflect<T>({a.window, a.input, 1, a.channels, a.height, a.width, a.pad_y, a.pad_x, a.output, 1, a.output_width},
             a.input_stride, a.output_stride, begin, end);
}

template void reflect_borders(const PoolPlanesOf<float>&, int, int);
template void reflect_borders(const PoolChannelsOf<float>&, int, int);
#ifdef SN_HALF
template void reflect_borders(const PoolPlanesOf<Half>&, int, int);
template void reflect_borders(const PoolChannelsOf<Half>&, int, int);
#endif

}  // namespace sn
