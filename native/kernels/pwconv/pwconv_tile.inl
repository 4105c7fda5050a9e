// Tiles of the pointwise convolution over the vectors of the including file's instruction set. The including file
// defines before, for its number of registers:
//   kPlanesMr, kPlanesNr         output channels x vectors of pixels
//   kChannelsNr                  vectors of output channels; their pixels are channels_mr(nr)
//   kChannelsAccumulators        accumulators of a channels tile: MR * NR stays at or below
//   kChannelsMr                  most pixels of a channels tile: each needs a pointer
namespace sn {
namespace {

constexpr int channels_mr(int nr) {
  return kChannelsAccumulators / nr < kChannelsMr ? kChannelsAccumulators / nr : kChannelsMr;
}

// MR output channels x NR vectors of pixels; the last vector holds `valid` pixels. All loops over MR and NR must be
// unrolled before accumulators get their places, or they live in memory: hence the pragmas.
template <int MR, int NR>
void planes_tile(const PwconvPlanes& a, const float* w, int channel, ptrdiff_t pixel, int valid) {
  Vec acc[MR][NR];
#pragma GCC unroll 16
  for (int m = 0; m < MR; m++) {
#pragma GCC unroll 16
    for (int n = 0; n < NR; n++) acc[m][n] = set1(w[m]);
  }
  if (a.residual) {
    const float* residual = a.residual + channel * a.residual_stride + pixel;
#pragma GCC unroll 16
    for (int m = 0; m < MR; m++, residual += a.residual_stride) {
      for (int n = 0; n < NR * kLanes; n += 16) __builtin_prefetch(residual + n);
    }
  }
  const float* input = a.input + pixel;
  const int32_t* const offsets = a.offsets;
  for (int k = 0; k < a.k; k++) {
    w += MR;
    const float* x = input + offsets[k];
    Vec in[NR];
#pragma GCC unroll 16
    for (int n = 0; n < NR; n++) in[n] = load(x + n * kLanes);
#pragma GCC unroll 16
    for (int m = 0; m < MR; m++) {
      const Vec weight = set1(w[m]);
#pragma GCC unroll 16
      for (int n = 0; n < NR; n++) acc[m][n] = fma(weight, in[n], acc[m][n]);
    }
  }
  const Vec lower = set1(a.lower);
  float* out = a.output + channel * a.output_stride + pixel;
  const bool whole = valid == kLanes;
  if (a.residual) {
    const float* residual = a.residual + channel * a.residual_stride + pixel;
#pragma GCC unroll 16
    for (int m = 0; m < MR; m++, residual += a.residual_stride) {
#pragma GCC unroll 16
      for (int n = 0; n < NR; n++) {
        const float* r = residual + n * kLanes;
        acc[m][n] = add(acc[m][n], n < NR - 1 || whole ? load(r) : load_partial(r, valid));
      }
    }
  }
#pragma GCC unroll 16
  for (int m = 0; m < MR; m++, out += a.output_stride) {
#pragma GCC unroll 16
    for (int n = 0; n < NR; n++) {
      const Vec y = max(acc[m][n], lower);
      if (n < NR - 1 || whole) {
        store(out + n * kLanes, y);
      } else {
        store_partial(out + n * kLanes, y, valid);
      }
    }
  }
}

#ifdef SN_QUARTERS
// Calls f(std::integral_constant<int, I>()) for I from 0 to N - 1.
template <class F, int... I>
inline void each(std::integer_sequence<int, I...>, F f) {
  (f(std::integral_constant<int, I>()), ...);
}

// MR output channels of the last pixels of a plane, `valid` of them, at most a quarter of a vector. Each quarter of a
// vector is a channel, so that four channels cost what one would: 14x14 pixels are 12 vectors and a quarter.
template <int MR>
void planes_quarters_tile(const PwconvPlanes& a, const float* w, int channel, ptrdiff_t pixel, int valid) {
  constexpr int kFours = (MR + 3) / 4;
  constexpr auto fours = std::make_integer_sequence<int, kFours>();
  constexpr auto channels = std::make_integer_sequence<int, MR>();
  const auto weights = [](const float* p, auto q) {
    return spread_quarters<(MR - 4 * q < 4 ? MR - 4 * q : 4)>(p + 4 * q);
  };
  // Two sums each, of every other k: three at a time would wait for each other.
  Vec acc[kFours], odd[kFours];
  each(fours, [&](auto q) { acc[q] = weights(w, q), odd[q] = set1(0.0f); });
  const float* input = a.input + pixel;
  const int32_t* const offsets = a.offsets;
  int k = 0;
  for (; k + 2 <= a.k; k += 2, w += 2 * MR) {
    const Vec first = repeat_quarter(input + offsets[k]), second = repeat_quarter(input + offsets[k + 1]);
    each(fours, [&](auto q) { acc[q] = fma(weights(w + MR, q), first, acc[q]); });
    each(fours, [&](auto q) { odd[q] = fma(weights(w + 2 * MR, q), second, odd[q]); });
  }
  if (k < a.k) {
    const Vec last = repeat_quarter(input + offsets[k]);
    each(fours, [&](auto q) { acc[q] = fma(weights(w + MR, q), last, acc[q]); });
  }
  each(fours, [&](auto q) { acc[q] = add(acc[q], odd[q]); });
  if (a.residual) {
    const float* residual = a.residual + channel * a.residual_stride + pixel;
    Vec sum[kFours];
    each(fours, [&](auto q) { sum[q] = set1(0.0f); });
    each(channels,
         [&](auto m) { sum[m / 4] = load_quarter<m % 4>(sum[m / 4], residual + m * a.residual_stride, valid); });
    each(fours, [&](auto q) { acc[q] = add(acc[q], sum[q]); });
  }
  const Vec lower = set1(a.lower);
  each(fours, [&](auto q) { acc[q] = max(acc[q], lower); });
  float* out = a.output + channel * a.output_stride + pixel;
  each(channels, [&](auto m) { store_quarter<m % 4>(out + m * a.output_stride, acc[m / 4], valid); });
}
#endif

using PlanesTile = void (*)(const PwconvPlanes&, const float*, int, ptrdiff_t, int);

// kPlanesTiles[nr - 1][mr - 1]
template <int NR, class Sequence>
struct PlanesRow;
template <int NR, int... M>
struct PlanesRow<NR, std::integer_sequence<int, M...>> {
  static constexpr PlanesTile tiles[] = {planes_tile<M + 1, NR>...};
};
template <class Sequence>
struct PlanesTable;
template <int... N>
struct PlanesTable<std::integer_sequence<int, N...>> {
  static constexpr const PlanesTile* rows[] = {PlanesRow<N + 1, std::make_integer_sequence<int, kPlanesMr>>::tiles...};
};
constexpr auto& kPlanesTiles = PlanesTable<std::make_integer_sequence<int, kPlanesNr>>::rows;

#ifdef SN_QUARTERS
template <class Sequence>
struct QuartersRow;
template <int... M>
struct QuartersRow<std::integer_sequence<int, M...>> {
  static constexpr PlanesTile tiles[] = {planes_quarters_tile<M + 1>...};
};
#endif

// The tiles of the last `valid` pixels of a plane, where these do not fill the vector.
inline const PlanesTile* last_tiles(int nr, int valid) {
#ifdef SN_QUARTERS
  if (nr == 1 && valid <= kLanes / 4) return QuartersRow<std::make_integer_sequence<int, kPlanesMr>>::tiles;
#endif
  static_cast<void>(valid);
  return kPlanesTiles[nr - 1];
}

// Pixels outside, panels inside: the pixels of a tile stay in L1 while the group's weights pass over them.
void planes(const PwconvPlanes& a, ptrdiff_t begin, ptrdiff_t end) {
  const Split panels(a.n, kPlanesMr);
  for (ptrdiff_t pixel = begin; pixel < end; pixel += kPlanesNr * kLanes) {
    const ptrdiff_t left = end - pixel;
    const int nr = left >= kPlanesNr * kLanes ? kPlanesNr : static_cast<int>((left + kLanes - 1) / kLanes);
    const int valid = left >= nr * kLanes ? kLanes : static_cast<int>(left - (nr - 1) * kLanes);
    const PlanesTile* tiles = last_tiles(nr, valid);
    const float* w = a.weights;
    int channel = 0;
    for (int i = 0; i < panels.parts; i++) {
      const int mr = panels.size(i);
      tiles[mr - 1](a, w, channel, pixel, valid);
      w += static_cast<ptrdiff_t>(a.k + 1) * mr;
      channel += mr;
    }
  }
}

// MR pixels x NR vectors of output channels, the last vector holding `valid` channels.
template <int MR, int NR>
void channels_tile(const PwconvChannels& a, const float* w, int channel, ptrdiff_t pixel, int valid) {
  // A single pixel (fully connected layers) has too few sums in flight to hide the latency of FMA: split them over k.
  constexpr int kChains = MR == 1 ? 4 : 1;
  Vec acc[MR][kChains][NR];
#pragma GCC unroll 16
  for (int m = 0; m < MR; m++) {
#pragma GCC unroll 16
    for (int n = 0; n < NR; n++) {
      acc[m][0][n] = load(w + n * kLanes);
#pragma GCC unroll 16
      for (int c = 1; c < kChains; c++) acc[m][c][n] = set1(0.0f);
    }
  }
  const float* x[MR];
#pragma GCC unroll 16
  for (int m = 0; m < MR; m++) x[m] = a.input + (pixel + m) * a.pixel_stride;
  const int32_t* const offsets = a.offsets;
  int k = 0;
  for (; k + kChains <= a.k; k += kChains) {
#pragma GCC unroll 16
    for (int c = 0; c < kChains; c++) {
      w += NR * kLanes;
      const ptrdiff_t offset = offsets[k + c];
      Vec weight[NR];
#pragma GCC unroll 16
      for (int n = 0; n < NR; n++) weight[n] = load(w + n * kLanes);
#pragma GCC unroll 16
      for (int m = 0; m < MR; m++) {
        const Vec in = set1(x[m][offset]);
#pragma GCC unroll 16
        for (int n = 0; n < NR; n++) acc[m][c][n] = fma(in, weight[n], acc[m][c][n]);
      }
    }
  }
  for (; kChains > 1 && k < a.k; k++) {
    w += NR * kLanes;
    const Vec in = set1(x[0][offsets[k]]);
#pragma GCC unroll 16
    for (int n = 0; n < NR; n++) acc[0][0][n] = fma(in, load(w + n * kLanes), acc[0][0][n]);
  }
  const Vec lower = set1(a.lower);
  const bool whole = valid == kLanes;
#pragma GCC unroll 16
  for (int m = 0; m < MR; m++) {
    float* out = a.output + (pixel + m) * a.output_stride + channel;
    const float* residual = a.residual ? a.residual + (pixel + m) * a.residual_stride + channel : nullptr;
#pragma GCC unroll 16
    for (int n = 0; n < NR; n++) {
      Vec y = acc[m][0][n];
#pragma GCC unroll 16
      for (int c = 1; c < kChains; c++) y = add(y, acc[m][c][n]);
      const bool partial = n == NR - 1 && !whole;
      if (residual) {
        const float* r = residual + n * kLanes;
        y = add(y, partial ? load_partial(r, valid) : load(r));
      }
      y = max(y, lower);
      if (partial) {
        store_partial(out + n * kLanes, y, valid);
      } else {
        store(out + n * kLanes, y);
      }
    }
  }
}

using ChannelsTile = void (*)(const PwconvChannels&, const float*, int, ptrdiff_t, int);

// kChannelsTiles[nr - 1][mr - 1]
template <int NR, class Sequence>
struct ChannelsRow;
template <int NR, int... M>
struct ChannelsRow<NR, std::integer_sequence<int, M...>> {
  static constexpr ChannelsTile tiles[] = {channels_tile<M + 1, NR>...};
};
template <class Sequence>
struct ChannelsTable;
template <int... N>
struct ChannelsTable<std::integer_sequence<int, N...>> {
  static constexpr const ChannelsTile* rows[] = {
      ChannelsRow<N + 1, std::make_integer_sequence<int, channels_mr(N + 1)>>::tiles...};
};
constexpr auto& kChannelsTiles = ChannelsTable<std::make_integer_sequence<int, kChannelsNr>>::rows;

// Panels outside, pixels inside: a panel of weights stays in L1 while the pixels pass over it.
void channels(const PwconvChannels& a, ptrdiff_t begin, ptrdiff_t end, int panel_begin, int panel_end) {
  const Split panels((a.n + kLanes - 1) / kLanes, kChannelsNr);
  for (int i = panel_begin; i < panel_end; i++) {
    const int nr = panels.size(i), channel = panels.begin(i) * kLanes;
    const int valid = a.n - channel >= nr * kLanes ? kLanes : a.n - channel - (nr - 1) * kLanes;
    const float* w = a.weights + static_cast<ptrdiff_t>(a.k + 1) * channel;
    const ChannelsTile* tiles = kChannelsTiles[nr - 1];
    // 64-bit Split by hand: large planes have more pixels than an int may hold.
    const int mr = channels_mr(nr);
    const ptrdiff_t parts = (end - begin + mr - 1) / mr, width = (end - begin) / parts, larger = (end - begin) % parts;
    ptrdiff_t pixel = begin;
    for (ptrdiff_t j = 0; j < parts; j++) {
      const int size = static_cast<int>(width + (j < larger));
      tiles[size - 1](a, w, channel, pixel, valid);
      pixel += size;
    }
  }
}

// Measured on x86: tiles of the channels form reach about nine tenths of the speed of those of the planes form.
constexpr PwconvKernels kPwconv = {kLanes, kPlanesMr, kPlanesNr, 1, kChannelsNr, 1.1, planes, channels};

}  // namespace
}  // namespace sn
