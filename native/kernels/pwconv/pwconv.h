// Grouped pointwise (1x1) convolution as a grouped GEMM, one group a call (paper, section 3.1).
//
// Two forms, for two layouts of activations:
//   planes    one plane of pixels per channel; vectors run over pixels, weights are broadcast.
//             Any number of output channels fits without waste; wants planes of several vectors.
//   channels  pixel-major, the channels of a pixel side by side; vectors run over output channels, inputs are broadcast.
//             Any number of pixels fits; wants groups of several vectors. As it reads its input one value at a time, it
//             reads either layout.
//
// Both read input channel k of the group at input + offsets[k]: that list is the channel shuffle, and it makes the planes
// form serve as the inner loop of every other convolution (kernels/conv).
//
//   out = max(bias + sum over k of weight[k] * in[k] + residual, lower)
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/half.h"

namespace sn {

// T: the element type, float or Half (core/half.h). What is added up is of that type too.
template <class T>
struct PwconvPlanesOf {
  int k;                   // input channels of the group, >= 1
  int n;                   // output channels of the group, >= 1
  const T* weights;        // from pack_pwconv_planes, mr and unit as the kernel's
  const T* input;          // pixel p of input channel k: input[offsets[k] + p]
  const int32_t* offsets;  // k values
  T* output;               // pixel p of output channel n: output[n * output_stride + p]
  ptrdiff_t output_stride;
  const T* residual;  // laid out as the output, may be the output itself; null for none
  ptrdiff_t residual_stride;
  float lower;  // 0 for ReLU, -infinity for none
};

template <class T>
struct PwconvChannelsOf {
  int k, n;
  const T* weights;        // from pack_pwconv_channels, lanes and nr as the kernel's
  const T* input;          // pixel p of input channel k: input[p * pixel_stride + offsets[k]]
  const int32_t* offsets;  // k values, rising
  ptrdiff_t pixel_stride;
  T* output;  // pixel p of output channel n: output[p * output_stride + n]
  ptrdiff_t output_stride;
  const T* residual;  // laid out as the output, may be the output itself; null for none
  ptrdiff_t residual_stride;
  float lower;
};

// Tile sizes travel with the functions; packers take them from here.
struct PwconvTiles {
  int lanes;        // values per vector
  int planes_mr;    // most output channels of a planes tile
  int planes_nr;    // most vectors of pixels of a planes tile
  int planes_unit;  // planes tiles have a multiple of so many output channels, but for the last
  int channels_nr;  // most vectors of output channels of a channels tile
  // What a vector multiply-add of the channels form costs where one of the planes form costs 1.
  double channels_cost;
};

template <class T>
struct PwconvKernelsOf : PwconvTiles {
  // Pixels [begin, end), end > begin. Reads inputs up to the next multiple of lanes after end - begin; writes and reads
  // residuals exactly up to end.
  void (*planes)(const PwconvPlanesOf<T>&, ptrdiff_t begin, ptrdiff_t end);
  // Pixels [begin, end) of panels [panel_begin, panel_end). Touches nothing beyond them.
  void (*channels)(const PwconvChannelsOf<T>&, ptrdiff_t begin, ptrdiff_t end, int panel_begin, int panel_end);
};

using PwconvPlanes = PwconvPlanesOf<float>;
using PwconvChannels = PwconvChannelsOf<float>;
using PwconvKernels = PwconvKernelsOf<float>;

extern const PwconvKernels pwconv_scalar, pwconv_neon, pwconv_avx2, pwconv_avx512;
extern const PwconvKernelsOf<Half> pwconv_neonfp16;

// n split into as few parts of at most `most` as can be, as equal as can be: the first `larger` parts are one wider.
struct Split {
  int parts, width, larger;
  Split(int n, int most) : parts((n + most - 1) / most), width(n / parts), larger(n % parts) {}
  int size(int part) const { return width + (part < larger); }
  int begin(int part) const { return part * width + (part < larger ? part : larger); }
};

// n split into as few parts of at most `most` as can be, all but the last of them multiples of `unit`.
struct Panels {
  int parts;
  Panels(int n, int most, int unit) : parts(0), n_(n), unit_(unit), split_((n + unit - 1) / unit, most / unit) {
    parts = split_.parts;
  }
  int size(int part) const {
    const int whole = split_.size(part) * unit_;
    return part < parts - 1 ? whole : n_ - split_.begin(part) * unit_;
  }

 private:
  int n_, unit_;
  Split split_;
};

// Packed panels, one after another: the biases of the panel's output channels, then for each k their weights.
// weights: [n][k], bias: [n].
//   planes    panels of Panels(n, mr, unit)
//   channels  panels of Split(ceil(n / lanes), nr) vectors; channels past n are zero
size_t pwconv_planes_size(int k, int n);
size_t pwconv_channels_size(int k, int n, int lanes);
void pack_pwconv_planes(const float* weights, const float* bias, int k, int n, int mr, int unit, float* packed);
void pack_pwconv_channels(const float* weights, const float* bias, int k, int n, int lanes, int nr, float* packed);

}  // namespace sn
