// Tiles of the pointwise convolution for instruction sets that multiply a vector by one lane of another (NEON): weights
// and inputs that other sets broadcast one by one are loaded a vector at a time. The including file defines before, for its
// number of registers:
//   kPlanesMr           most output channels of a planes tile
//   kPlanesNr           vectors of pixels that all panels pass over before the next
//   planes_nr(mr)       most vectors of pixels of a tile of mr output channels
//   kChannelsNr         vectors of output channels
//   channels_mr(nr)     most pixels of a channels tile of nr vectors, 3 or more
//   kChannelsCost       as in PwconvKernels
//   SN_PLANES_TILES     a file with main_tile() and rest_tile(), if there is one
//   SN_EDGES_IN_TILES   if it also has column_tile(), pixel_tile() and single_pixel()
namespace sn {
namespace {

static_assert(kLanes == 4 || kLanes == 8);

// The weights of MR output channels for one k, in as few loads as there can be: vectors, and a half, a quarter and an
// eighth of one for what is left.
template <int MR>
struct Weights {
  static constexpr int kWhole = MR / kLanes * kLanes, kHalf = MR & kLanes / 2, kQuarter = MR & kLanes / 4;
  static constexpr int kEighth = MR & kLanes / 8;
  Vec vectors[MR / kLanes + 1];
  HalfVec half, quarter, eighth;

  explicit Weights(const Element* p) {
    each<MR / kLanes>([&](auto i) { vectors[i] = load(p + kLanes * i); });
    if constexpr (kHalf > 0) half = load_half(p + kWhole);
    if constexpr (kQuarter > 0) quarter = load_quarter(p + kWhole + kHalf);
    if constexpr (kEighth > 0) eighth = set1_half(p[MR - 1]);
  }
  // sum + a * weight of channel M
  template <int M>
  Vec fma(Vec sum, Vec a) const {
    if constexpr (M < kWhole) {
      return fma_lane<M % kLanes>(sum, a, vectors[M / kLanes]);
    } else if constexpr (M - kWhole < kHalf) {
      return fma_half_lane<M - kWhole>(sum, a, half);
    } else if constexpr (M - kWhole - kHalf < kQuarter) {
      return fma_half_lane<M - kWhole - kHalf>(sum, a, quarter);
    } else {
      return fma_half_lane<0>(sum, a, eighth);
    }
  }
};

// MR output channels x NR vectors of pixels; the last vector holds `valid` pixels.
template <int MR, int NR>
void planes_tile(const PwconvPlanesOf<Element>& a, const Element* w, int channel, ptrdiff_t pixel, int valid) {
  const bool whole = valid == kLanes;
  Vec acc[MR][NR];
  if (a.residual) {
    const auto init = [&](auto all) {
      const Element* residual = a.residual + channel * a.residual_stride + pixel;
      each<MR>([&](auto m) {
        pin(residual);
        each<NR>([&](auto n) {
          const Element* r = residual + n * kLanes;
          acc[m][n] = n < NR - 1 || all ? load(r) : load_partial(r, valid);
        });
        residual += a.residual_stride;
      });
    };
    if (whole) {
      init(std::true_type());
    } else {
      init(std::false_type());
    }
    const Weights<MR> bias(w);
    const Vec one = set1(1.0f);
    each<MR>([&](auto m) { each<NR>([&](auto n) { acc[m][n] = bias.template fma<m>(acc[m][n], one); }); });
  } else {
    each<MR>([&](auto m) { each<NR>([&](auto n) { acc[m][n] = set1(w[m]); }); });
  }
  const Element* const input = a.input + pixel;
  const int32_t* offsets = a.offsets;
  const auto step = [&](const Element* x, const Element* weights) {
    pin(x);
    Vec in[NR];
    each<NR>([&](auto n) { in[n] = load(x + n * kLanes); });
    const Weights<MR> weight(weights);
    each<MR>([&](auto m) { each<NR>([&](auto n) { acc[m][n] = weight.template fma<m>(acc[m][n], in[n]); }); });
  };
  w += MR;
  int k = a.k;
  for (; k >= 4; k -= 4, offsets += 4, w += 4 * MR) {
    each<4>([&](auto i) { step(input + offsets[i], w + i * MR); });
  }
  for (; k > 0; k--, offsets++, w += MR) step(input + offsets[0], w);
  const Vec lower = set1(a.lower);
  const auto finish = [&](auto all) {
    Element* out = a.output + channel * a.output_stride + pixel;
    each<MR>([&](auto m) {
      pin(out);
      each<NR>([&](auto n) {
        const Vec y = max(acc[m][n], lower);
        if (n < NR - 1 || all) {
          store(out + n * kLanes, y);
        } else {
          store_partial(out + n * kLanes, y, valid);
        }
      });
      out += a.output_stride;
    });
  };
  if (whole) {
    finish(std::true_type());
  } else {
    finish(std::false_type());
  }
}

using PlanesTile = void (*)(const PwconvPlanesOf<Element>&, const Element*, int, ptrdiff_t, int);

// Of MR output channels, tiles[nr - 1].
template <int MR, class Sequence = Indices<planes_nr(MR)>>
struct PlanesTiles;
template <int MR, int... N>
struct PlanesTiles<MR, std::integer_sequence<int, N...>> {
  static constexpr PlanesTile tiles[] = {planes_tile<MR, N + 1>...};
};
template <class Sequence>
struct PlanesTable;
template <int... M>
struct PlanesTable<std::integer_sequence<int, M...>> {
  static constexpr const PlanesTile* rows[] = {PlanesTiles<M + 1>::tiles...};
};

// Out of the way of the inner loops' registers.
#if defined(__GNUC__)
#define SN_APART __attribute__((noinline))
#else
#define SN_APART
#endif

// Pixels [begin, end) of one panel.
SN_APART void edge_tiles(const PwconvPlanesOf<Element>& a, int channel, int mr, ptrdiff_t begin, ptrdiff_t end) {
  const Element* const w = a.weights + static_cast<ptrdiff_t>(a.k + 1) * channel;
  const int vectors = static_cast<int>((end - begin + kLanes - 1) / kLanes);
  const int valid = static_cast<int>(end - begin) - (vectors - 1) * kLanes;
  const PlanesTile* const tiles = PlanesTable<Indices<kPlanesMr>>::rows[mr - 1];
  const Split parts(vectors, planes_nr(mr));
  for (int j = 0; j < parts.parts; j++) {
    const int nr = parts.size(j);
    tiles[nr - 1](a, w, channel, begin, j == parts.parts - 1 ? valid : kLanes);
    begin += nr * kLanes;
  }
}

// Pixels outside, panels inside: the pixels stay in L1 while the group's weights pass over them.
void planes_of_edges(const PwconvPlanesOf<Element>& a, ptrdiff_t begin, ptrdiff_t end) {
  const Panels panels(a.n, kPlanesMr, kPlanesUnit);
  for (ptrdiff_t pixel = begin; pixel < end; pixel += kPlanesNr * kLanes) {
    const ptrdiff_t last = std::min(end, pixel + kPlanesNr * kLanes);
    for (int i = 0, channel = 0; i < panels.parts; channel += panels.size(i++)) {
      edge_tiles(a, channel, panels.size(i), pixel, last);
    }
  }
}

#ifdef SN_PLANES_TILES
// What the tiles of a call share; steps are in bytes.
struct Shared {
  int k;
  int turns;  // eights of k
  float lower;
  ptrdiff_t step;          // from an input channel to the next, where it is always the same,
  const ptrdiff_t* steps;  // or from each
  ptrdiff_t output_step, residual_step;
};

// Where a tile begins. Moves on to the next panel's.
struct Tile {
  const Element* w;
  const Element* biases;
  Element* out;
  const Element* residual;
};

}  // namespace
}  // namespace sn

#include SN_PLANES_TILES

namespace sn {
namespace {

constexpr int kMostSteps = 1024, kMostPanels = 64;

#ifdef SN_EDGES_IN_TILES
// One vector of pixels of successive panels.
template <bool kListed>
SN_APART void columns(const Shared& all, const Element* x, Tile t, int panels) {
  const Shared shared = all;
  for (; panels > 0; panels--) column_tile<kListed>(shared, x, t);
}

// One pixel of successive panels: 7x7 are 12 vectors and one. Vectors hold channels, a quarter as many as there would be.
SN_APART void pixels(const PwconvPlanesOf<Element>& a, const Shared& all, ptrdiff_t pixel, Tile t, int panels) {
  const Shared shared = all;
  Element inputs[kMostSteps];
  for (int k = 0; k < a.k; k++) inputs[k] = a.input[a.offsets[k] + pixel];
  for (; panels > 0; panels--) pixel_tile(shared, inputs, t);
}

#endif

// As planes_of_edges(), for some panels.
template <bool kListed>
SN_APART void planes(const PwconvPlanesOf<Element>& a, const Shared& all, const Panels& panels, int first_panel,
                     int last_panel, ptrdiff_t begin, ptrdiff_t end) {
  const Shared shared = all;  // a copy of its own may stay in registers
  const int first = first_panel * kMainMr;
  int mains = 0;
  while (first_panel + mains < last_panel && panels.size(first_panel + mains) == kMainMr) mains++;
  const int rests = last_panel - first_panel - mains;
  const Element* const weights = a.weights + static_cast<ptrdiff_t>(a.k + 1) * first;
  Element biases[kMostPanels * kMainMr * kBiasCopies + 1];
  if (kBiasCopies > 0 && !a.residual) {
    const Element* w = weights;
    Element* copies = biases;
    for (int i = first_panel; i < last_panel; i++) {
      const int mr = panels.size(i);
      for (int m = 0; m + 4 <= mr; m += 4, copies += 4 * kBiasCopies) copy_biases(w + m, copies);
      w += static_cast<ptrdiff_t>(a.k + 1) * mr;
    }
  }
  const ptrdiff_t block = (rests > 0 ? kPlanesNr : kMainNr) * kLanes;
  for (ptrdiff_t pixel = begin; pixel < end; pixel += block) {
    const ptrdiff_t last = std::min(end, pixel + block);
    const auto tile = [&](int channel, ptrdiff_t p) {
      return Tile{weights + static_cast<ptrdiff_t>(a.k + 1) * channel, biases + kBiasCopies * channel,
                  a.output + (first + channel) * a.output_stride + p,
                  a.residual ? a.residual + (first + channel) * a.residual_stride + p : nullptr};
    };
    for (ptrdiff_t p = pixel; p < last; p += kMainNr * kLanes) {
      if (last - p >= kMainNr * kLanes) {
        Tile t = tile(0, p);
        const Element* const x = a.input + a.offsets[0] + p;
        for (int i = mains; i > 0; i--) main_tile<kListed>(shared, x, t);
#ifdef SN_EDGES_IN_TILES
      } else if (last - p == kLanes) {
        columns<kListed>(all, a.input + a.offsets[0] + p, tile(0, p), mains);
      } else if (last - p == 1 && a.k <= kMostSteps) {
        pixels(a, all, p, tile(0, p), mains);
#endif
      } else {
        for (int i = 0; i < mains; i++) edge_tiles(a, first + i * kMainMr, kMainMr, p, last);
      }
    }
    for (int i = 0, channel = mains * kMainMr; i < rests; i++) {
      const int mr = panels.size(first_panel + mains + i);
      ptrdiff_t p = pixel;
      for (; mr == kRestMr && last - p >= kRestNr * kLanes; p += kRestNr * kLanes) {
        Tile t = tile(channel, p);
        rest_tile<kListed>(shared, a.input + a.offsets[0] + p, t);
      }
      if (p < last) edge_tiles(a, first + channel, mr, p, last);
      channel += mr;
    }
  }
}

// Whether all distances between successive input channels are the same.
inline bool evenly_spaced(const int32_t* offsets, int k) {
  int i = 2;
  while (i < k && offsets[i] - offsets[i - 1] == offsets[1] - offsets[0]) i++;
  return i >= k;
}

void planes(const PwconvPlanesOf<Element>& a, ptrdiff_t begin, ptrdiff_t end) {
  const Panels panels(a.n, kPlanesMr, kPlanesUnit);
  const ptrdiff_t size = sizeof(Element);
  const bool even = evenly_spaced(a.offsets, a.k);
  const ptrdiff_t step = even && a.k > 1 ? (a.offsets[1] - a.offsets[0]) * size : 0;
  ptrdiff_t steps[kMostSteps];
  if (!even) {
    if (a.k > kMostSteps) return planes_of_edges(a, begin, end);
    for (int i = 0; i + 1 < a.k; i++) steps[i] = (a.offsets[i + 1] - a.offsets[i]) * size;
    steps[a.k - 1] = 0;
  }
  const Shared shared = {a.k, a.k / 8, a.lower, step, steps, a.output_stride * size, a.residual_stride * size};
  for (int i = 0; i < panels.parts; i += kMostPanels) {
    const int last = std::min(panels.parts, i + kMostPanels);
    if (even) {
      planes<false>(a, shared, panels, i, last, begin, end);
    } else {
      planes<true>(a, shared, panels, i, last, begin, end);
    }
  }
}
#else
constexpr auto planes = planes_of_edges;
#endif

// Input channels that lie side by side in a pixel, from `offset` on.
struct Run {
  ptrdiff_t offset;
  int length;
};
constexpr int kMostRuns = 16;

// The list of input channels as runs, 0 where it has too many.
inline int find_runs(const int32_t* offsets, int k, Run (&runs)[kMostRuns]) {
  if (offsets[k - 1] - offsets[0] == k - 1) {  // they rise
    runs[0] = {offsets[0], k};
    return 1;
  }
  int count = 0;
  for (int i = 0; i < k; i++) {
    if (i > 0 && offsets[i] == offsets[i - 1] + 1) {
      runs[count - 1].length++;
    } else if (count == kMostRuns) {
      return 0;
    } else {
      runs[count++] = {offsets[i], 1};
    }
  }
  return count;
}

// Adds the residual, if any, and stores the sums of one pixel.
template <int NR>
inline void finish_pixel(const PwconvChannelsOf<Element>& a, const Vec (&sums)[NR], int channel, ptrdiff_t pixel,
                         int valid) {
  const Vec lower = set1(a.lower);
  Element* const out = a.output + pixel * a.output_stride + channel;
  const Element* const residual = a.residual ? a.residual + pixel * a.residual_stride + channel : nullptr;
  each<NR>([&](auto n) {
    Vec y = sums[n];
    const bool partial = n == NR - 1 && valid != kLanes;
    if (residual) {
      const Element* const r = residual + n * kLanes;
      y = add(y, partial ? load_partial(r, valid) : load(r));
    }
    y = max(y, lower);
    if (partial) {
      store_partial(out + n * kLanes, y, valid);
    } else {
      store(out + n * kLanes, y);
    }
  });
}

// MR pixels x NR vectors of output channels, the last vector holding `valid` channels. runs: of the input, or none.
template <int MR, int NR>
void channels_tile(const PwconvChannelsOf<Element>& a, const Run* runs, int run_count, const Element* w, int channel,
                   ptrdiff_t pixel, int valid) {
  // A single pixel (fully connected layers) has too few sums in flight to hide the latency of FMA: split them over k.
  constexpr int kChains = MR == 1 ? 4 : 1;
#ifdef SN_EDGES_IN_TILES
  if (MR == 1 && NR == kChannelsNr && run_count == 1 && a.k % 8 == 0) {
    float y[NR * kLanes];
    single_pixel(a.input + pixel * a.pixel_stride + runs[0].offset, w, a.k, y);
    Vec sums[NR];
    each<NR>([&](auto n) { sums[n] = load(y + n * kLanes); });
    return finish_pixel<NR>(a, sums, channel, pixel, valid);
  }
#endif
  Vec acc[MR][kChains][NR];
  each<NR>([&](auto n) {
    const Vec bias = load(w + n * kLanes);
    each<MR>([&](auto m) { acc[m][0][n] = bias; });
    each<kChains - 1>([&](auto c) { acc[0][c + 1][n] = set1(0.0f); });
  });
  const Element* x[MR];
  each<MR>([&](auto m) { x[m] = a.input + (pixel + m) * a.pixel_stride; });
  const auto single = [&](ptrdiff_t offset) {
    w += NR * kLanes;
    Vec weight[NR];
    each<NR>([&](auto n) { weight[n] = load(w + n * kLanes); });
    each<MR>([&](auto m) {
      const HalfVec in = set1_half(x[m][offset]);
      each<NR>([&](auto n) { acc[m][0][n] = fma_half_lane<0>(acc[m][0][n], weight[n], in); });
    });
  };
  for (int r = 0; r < run_count; r++) {
    ptrdiff_t offset = runs[r].offset;
    int k = runs[r].length;
    for (; k >= kLanes; k -= kLanes, offset += kLanes) {
      Vec in[MR];
      each<MR>([&](auto m) { in[m] = load(x[m] + offset); });
      each<kLanes>([&](auto lane) {
        w += NR * kLanes;
        each<NR>([&](auto n) {
          const Vec weight = load(w + n * kLanes);
          each<MR>([&](auto m) {
            constexpr int chain = lane % kChains;
            acc[m][chain][n] = fma_lane<lane>(acc[m][chain][n], weight, in[m]);
          });
        });
      });
    }
    for (; k > 0; k--, offset++) single(offset);
  }
  if (run_count == 0) {
    for (int k = 0; k < a.k; k++) single(a.offsets[k]);
  }
  each<MR>([&](auto m) {
    Vec sums[NR];
    each<NR>([&](auto n) {
      sums[n] = acc[m][0][n];
      each<kChains - 1>([&](auto c) { sums[n] = add(sums[n], acc[m][c + 1][n]); });
    });
    finish_pixel<NR>(a, sums, channel, pixel + m, valid);
  });
}

using ChannelsTile = void (*)(const PwconvChannelsOf<Element>&, const Run*, int, const Element*, int, ptrdiff_t, int);

// Of NR vectors, tiles[mr - 1].
template <int NR, class Sequence = Indices<channels_mr(NR)>>
struct ChannelsTiles;
template <int NR, int... M>
struct ChannelsTiles<NR, std::integer_sequence<int, M...>> {
  static constexpr ChannelsTile tiles[] = {channels_tile<M + 1, NR>...};
};
template <class Sequence>
struct ChannelsTable;
template <int... N>
struct ChannelsTable<std::integer_sequence<int, N...>> {
  static constexpr const ChannelsTile* rows[] = {ChannelsTiles<N + 1>::tiles...};
};

// Panels outside, pixels inside: a panel of weights stays in L1 while the pixels pass over it.
void channels(const PwconvChannelsOf<Element>& a, ptrdiff_t begin, ptrdiff_t end, int panel_begin, int panel_end) {
  Run runs[kMostRuns];
  const int run_count = find_runs(a.offsets, a.k, runs);
  const Split panels((a.n + kLanes - 1) / kLanes, kChannelsNr);
  for (int i = panel_begin; i < panel_end; i++) {
    const int nr = panels.size(i), channel = panels.begin(i) * kLanes;
    const int valid = a.n - channel >= nr * kLanes ? kLanes : a.n - channel - (nr - 1) * kLanes;
    const Element* w = a.weights + static_cast<ptrdiff_t>(a.k + 1) * channel;
    const ChannelsTile* const tiles = ChannelsTable<Indices<kChannelsNr>>::rows[nr - 1];
    // 64-bit Split by hand: large planes have more pixels than an int may hold.
    const int mr = channels_mr(nr);
    const ptrdiff_t parts = (end - begin + mr - 1) / mr, width = (end - begin) / parts, larger = (end - begin) % parts;
    ptrdiff_t pixel = begin;
    for (ptrdiff_t j = 0; j < parts; j++) {
      const int size = static_cast<int>(width + (j < larger));
      tiles[size - 1](a, runs, run_count, w, channel, pixel, valid);
      pixel += size;
    }
  }
}

constexpr PwconvKernelsOf<Element> kPwconv = {kLanes,      kPlanesMr,     kPlanesNr, kPlanesUnit,
                                              kChannelsNr, kChannelsCost, planes,    channels};

}  // namespace
}  // namespace sn
