// The channels form for AArch64 with half precision: tiles of seven pixels (7x7 are seven of them) and two or three whole
// vectors of channels in assembly, because GCC 12 moves inputs back and forth between registers: only half of these may be
// multiplied by lane. kernels/pwconv/pwconv_lanes_tile.inl, which is included before, does the rest, to the same bits.
namespace sn {
namespace {

constexpr int kPixels = 7;

// Inputs side by side, 8 at least. The last turn steps back over inputs that were added already, and begins behind them.
struct LongRun {
  ptrdiff_t offset;  // in bytes, from the pixel
  ptrdiff_t turns, rest;
};

// clang-format off
// Registers: 0 to 6 are inputs of seven pixels, sums follow from 7 on, pixel by pixel, 28 to 30 hold weights.
#define SN_FMA(sum, w, x, lane) "fmla v" #sum ".8h, v" #w ".8h, v" #x ".h[" #lane "]\n\t"
#define SN_P3(s0, s1, s2, x, lane) SN_FMA(s0, 28, x, lane) SN_FMA(s1, 29, x, lane) SN_FMA(s2, 30, x, lane)
#define SN_P2(s0, s1, x, lane) SN_FMA(s0, 28, x, lane) SN_FMA(s1, 29, x, lane)
// One input channel: 22 and 15 instructions.
#define SN_LANE3(lane)                                                                                       \
  "ld1 {v28.8h-v30.8h}, [%[w]], #48\n\t"                                                                     \
  SN_P3(7, 8, 9, 0, lane) SN_P3(10, 11, 12, 1, lane) SN_P3(13, 14, 15, 2, lane) SN_P3(16, 17, 18, 3, lane)   \
  SN_P3(19, 20, 21, 4, lane) SN_P3(22, 23, 24, 5, lane) SN_P3(25, 26, 27, 6, lane)
#define SN_LANE2(lane)                                                                                       \
  "ld1 {v28.8h-v29.8h}, [%[w]], #32\n\t"                                                                     \
  SN_P2(7, 8, 0, lane) SN_P2(9, 10, 1, lane) SN_P2(11, 12, 2, lane) SN_P2(13, 14, 3, lane)                   \
  SN_P2(15, 16, 4, lane) SN_P2(17, 18, 5, lane) SN_P2(19, 20, 6, lane)
#define SN_INPUTS                                                                                            \
  "ldr q0, [%[x0], %[at]]\n\tldr q1, [%[x1], %[at]]\n\tldr q2, [%[x2], %[at]]\n\tldr q3, [%[x3], %[at]]\n\t"   \
  "ldr q4, [%[x4], %[at]]\n\tldr q5, [%[x5], %[at]]\n\tldr q6, [%[x6], %[at]]\n\t"
// size: bytes of LANE.
#define SN_RUNS(LANE, size)                                                                                  \
  "1: ldp %[at], %[turns], [%[runs]], #16\n\t"                                                               \
  "ldr %[rest], [%[runs]], #8\n"                                                                             \
  "2:\n\t" SN_INPUTS LANE(0) LANE(1) LANE(2) LANE(3) LANE(4) LANE(5) LANE(6) LANE(7)                         \
  "add %[at], %[at], #16\n\t"                                                                                \
  "subs %[turns], %[turns], #1\n\t"                                                                          \
  "b.ne 2b\n\t"                                                                                              \
  "cbz %[rest], 3f\n\t"                                                                                      \
  "sub %[at], %[at], #16\n\t"                                                                                \
  "add %[at], %[at], %[rest], lsl #1\n\t" SN_INPUTS                                                          \
  "adr %[at], 3f\n\t"                                                                                        \
  "mov %[turns], #" #size "\n\t"                                                                             \
  "msub %[at], %[rest], %[turns], %[at]\n\t"                                                                 \
  "br %[at]\n\t" LANE(1) LANE(2) LANE(3) LANE(4) LANE(5) LANE(6) LANE(7)                                     \
  "3: subs %[count], %[count], #1\n\t"                                                                       \
  "b.ne 1b\n\t"
#define SN_COPY(sum, w) "mov v" #sum ".16b, v" #w ".16b\n\t"
#define SN_COPY3(a, b, c) SN_COPY(a, 28) SN_COPY(b, 29) SN_COPY(c, 30)
#define SN_COPY2(a, b) SN_COPY(a, 28) SN_COPY(b, 29)
#define SN_ADD(sum, w) "fadd v" #sum ".8h, v" #sum ".8h, v" #w ".8h\n\t"
#define SN_ADD3(a, b, c) "ld1 {v28.8h-v30.8h}, [%[r]], %[rs]\n\t" SN_ADD(a, 28) SN_ADD(b, 29) SN_ADD(c, 30)
#define SN_ADD2(a, b) "ld1 {v28.8h-v29.8h}, [%[r]], %[rs]\n\t" SN_ADD(a, 28) SN_ADD(b, 29)
#define SN_LIMIT(sum) "fmax v" #sum ".8h, v" #sum ".8h, v28.8h\n\t"
#define SN_OUT3(a, b, c) \
  SN_LIMIT(a) SN_LIMIT(b) SN_LIMIT(c) "st1 {v" #a ".8h-v" #c ".8h}, [%[out]], %[os]\n\t"
#define SN_OUT2(a, b) SN_LIMIT(a) SN_LIMIT(b) "st1 {v" #a ".8h-v" #b ".8h}, [%[out]], %[os]\n\t"
#define SN_EACH3(F) \
  F(7, 8, 9) F(10, 11, 12) F(13, 14, 15) F(16, 17, 18) F(19, 20, 21) F(22, 23, 24) F(25, 26, 27)
#define SN_EACH2(F) F(7, 8) F(9, 10) F(11, 12) F(13, 14) F(15, 16) F(17, 18) F(19, 20)
#define SN_END(EACH, ADD, OUT)                                                                               \
  "cbz %[r], 4f\n\t" EACH(ADD)                                                                               \
  "4: dup v28.8h, %w[lower]\n\t" EACH(OUT)
#define SN_TILE3                                                                                             \
  "ld1 {v28.8h-v30.8h}, [%[w]], #48\n\t" SN_EACH3(SN_COPY3) SN_RUNS(SN_LANE3, 88)                            \
  SN_END(SN_EACH3, SN_ADD3, SN_OUT3)
#define SN_TILE2                                                                                             \
  "ld1 {v28.8h-v29.8h}, [%[w]], #32\n\t" SN_EACH2(SN_COPY2) SN_RUNS(SN_LANE2, 60)                            \
  SN_END(SN_EACH2, SN_ADD2, SN_OUT2)
#define SN_CALL(TILE)                                                                                        \
  __asm__ volatile(                                                                                          \
      TILE                                                                                                   \
      : [w] "+&r"(w), [runs] "+&r"(runs), [count] "+&r"(count), [r] "+&r"(residual), [out] "+&r"(out),       \
        [at] "=&r"(at), [turns] "=&r"(turns), [rest] "=&r"(rest)                                             \
      : [x0] "r"(x), [x1] "r"(x + s), [x2] "r"(x + 2 * s), [x3] "r"(x + 3 * s), [x4] "r"(x + 4 * s),         \
        [x5] "r"(x + 5 * s), [x6] "r"(x + 6 * s), [rs] "r"(residual_step), [os] "r"(output_step),            \
        [lower] "r"(lower)                                                                                   \
      : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14",       \
        "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28",    \
        "v29", "v30", "cc", "memory")
// clang-format on

template <int NR>
void seven_pixels(const PwconvChannelsOf<Element>& a, const LongRun* runs, ptrdiff_t count, const Element* w,
                  int channel, ptrdiff_t pixel) {
  const ptrdiff_t s = a.pixel_stride, size = sizeof(Element);
  const ptrdiff_t residual_step = a.residual_stride * size, output_step = a.output_stride * size;
  const Element* const x = a.input + pixel * s;
  const Element* residual = a.residual ? a.residual + pixel * a.residual_stride + channel : nullptr;
  Element* out = a.output + pixel * a.output_stride + channel;
  const uint32_t lower = bits_of(a.lower);
  ptrdiff_t at, turns, rest;
  if constexpr (NR == 3) {
    SN_CALL(SN_TILE3);
  } else {
    SN_CALL(SN_TILE2);
  }
}

// As channels().
void channels_by_sevens(const PwconvChannelsOf<Element>& a, ptrdiff_t begin, ptrdiff_t end, int panel_begin,
                        int panel_end) {
  Run runs[kMostRuns];
  const int count = find_runs(a.offsets, a.k, runs);
  LongRun long_runs[kMostRuns];
  bool can = count > 0;
  for (int i = 0; i < count; i++) {
    const int length = runs[i].length;
    can = can && length >= kLanes;
    long_runs[i] = {runs[i].offset * static_cast<ptrdiff_t>(sizeof(Element)), length / kLanes, length % kLanes};
  }
  const Split panels((a.n + kLanes - 1) / kLanes, kChannelsNr);
  for (int i = panel_begin; i < panel_end; i++) {
    const int nr = panels.size(i), channel = panels.begin(i) * kLanes;
    ptrdiff_t pixel = begin;
    if (can && nr > 1 && channel + nr * kLanes <= a.n) {
      const Element* const w = a.weights + static_cast<ptrdiff_t>(a.k + 1) * channel;
      // What is left for channels() is no single pixel, which it sums in another order.
      for (; end - pixel >= kPixels && end - pixel != kPixels + 1; pixel += kPixels) {
        (nr == 3 ? seven_pixels<3> : seven_pixels<2>)(a, long_runs, count, w, channel, pixel);
      }
    }
    if (pixel < end) channels(a, pixel, end, i, i + 1);
  }
}

constexpr PwconvKernelsOf<Element> kPwconvBySevens = [] {
  PwconvKernelsOf<Element> kernels = kPwconv;
  kernels.channels = channels_by_sevens;
  return kernels;
}();

}  // namespace
}  // namespace sn
