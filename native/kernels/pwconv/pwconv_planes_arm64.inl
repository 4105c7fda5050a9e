// Tiles of the planes form for AArch64, of whole vectors: in assembly, because GCC neither loads several vectors by one
// instruction and moves the pointer on by a register, nor keeps 24 sums in place for that. A multiply-add in five takes
// anything else along in intrinsics, one in ten here.
//
// Registers: 8 to 31 are the sums, channel by channel; the others hold inputs and weights.
namespace sn {
namespace {

// A tile of `kMainMr` output channels x `kMainNr` vectors, and one of `kRestMr` x `kRestNr` for what channels are left.
constexpr int kMainMr = 8, kMainNr = 3, kRestMr = 4, kRestNr = 6;
// Each bias is repeated so often.
constexpr int kBiasCopies = 3;

inline void copy_biases(const float* from, float* to) {
  const Vec v = vld1q_f32(from);
  vst3q_f32(to, {{v, v, v}});
}

// clang-format off
// Sums of one channel, from the vectors of inputs at x0.
#define SN_FMA3(s0, s1, s2, x0, x1, x2, w, lane)                 \
  "fmla v" #s0 ".4s, v" #x0 ".4s, v" #w ".s[" #lane "]\n\t"      \
  "fmla v" #s1 ".4s, v" #x1 ".4s, v" #w ".s[" #lane "]\n\t"      \
  "fmla v" #s2 ".4s, v" #x2 ".4s, v" #w ".s[" #lane "]\n\t"
// 8 channels x 3 vectors. The weights are in two registers, the inputs in 4 to 6.
#define SN_8X3(w0, w1, x0, x1, x2)                                                    \
  SN_FMA3(8, 9, 10, x0, x1, x2, w0, 0) SN_FMA3(11, 12, 13, x0, x1, x2, w0, 1)         \
  SN_FMA3(14, 15, 16, x0, x1, x2, w0, 2) SN_FMA3(17, 18, 19, x0, x1, x2, w0, 3)       \
  SN_FMA3(20, 21, 22, x0, x1, x2, w1, 0) SN_FMA3(23, 24, 25, x0, x1, x2, w1, 1)       \
  SN_FMA3(26, 27, 28, x0, x1, x2, w1, 2) SN_FMA3(29, 30, 31, x0, x1, x2, w1, 3)
// 4 channels x 6 vectors, the inputs in 0 to 5.
#define SN_4X6(w)                                                                 \
  SN_FMA3(8, 9, 10, 0, 1, 2, w, 0) SN_FMA3(11, 12, 13, 3, 4, 5, w, 0)             \
  SN_FMA3(14, 15, 16, 0, 1, 2, w, 1) SN_FMA3(17, 18, 19, 3, 4, 5, w, 1)           \
  SN_FMA3(20, 21, 22, 0, 1, 2, w, 2) SN_FMA3(23, 24, 25, 3, 4, 5, w, 2)           \
  SN_FMA3(26, 27, 28, 0, 1, 2, w, 3) SN_FMA3(29, 30, 31, 3, 4, 5, w, 3)
// 8 channels x 1 vector.
#define SN_8X1(w0, w1, x)                                                             \
  "fmla v8.4s, v" #x ".4s, v" #w0 ".s[0]\n\tfmla v9.4s, v" #x ".4s, v" #w0 ".s[1]\n\t"   \
  "fmla v10.4s, v" #x ".4s, v" #w0 ".s[2]\n\tfmla v11.4s, v" #x ".4s, v" #w0 ".s[3]\n\t" \
  "fmla v12.4s, v" #x ".4s, v" #w1 ".s[0]\n\tfmla v13.4s, v" #x ".4s, v" #w1 ".s[1]\n\t" \
  "fmla v14.4s, v" #x ".4s, v" #w1 ".s[2]\n\tfmla v15.4s, v" #x ".4s, v" #w1 ".s[3]\n\t"
// load, load, then the next: input channels k and k + 1. steps: loads the two distances that s0 and s1 name, if any.
#define SN_TWO_8X3(steps, s0, s1)                                                    \
  steps                                                                              \
  "ld1 {v4.4s-v6.4s}, [%[x]], " s0 "\n\t"                                            \
  "ld1 {v0.4s-v3.4s}, [%[w]], #64\n\t" SN_8X3(0, 1, 4, 5, 6)                         \
  "ld1 {v4.4s-v6.4s}, [%[x]], " s1 "\n\t" SN_8X3(2, 3, 4, 5, 6)
#define SN_ONE_8X3(steps, s0, s1)                                                    \
  "ld1 {v4.4s-v6.4s}, [%[x]]\n\t"                                                    \
  "ldp q0, q1, [%[w]], #32\n\t" SN_8X3(0, 1, 4, 5, 6)
#define SN_TWO_4X6(steps, s0, s1)                                                    \
  steps                                                                              \
  "ld1 {v0.4s-v3.4s}, [%[x]], " s0 "\n\t"                                            \
  "ld1 {v4.4s-v5.4s}, [%[y]], " s0 "\n\t"                                            \
  "ldp q6, q7, [%[w]], #32\n\t" SN_4X6(6)                                            \
  "ld1 {v0.4s-v3.4s}, [%[x]], " s1 "\n\t"                                            \
  "ld1 {v4.4s-v5.4s}, [%[y]], " s1 "\n\t" SN_4X6(7)
#define SN_ONE_4X6(steps, s0, s1)                                                    \
  "ld1 {v0.4s-v3.4s}, [%[x]]\n\t"                                                    \
  "ld1 {v4.4s-v5.4s}, [%[y]]\n\t"                                                    \
  "ldr q6, [%[w]], #16\n\t" SN_4X6(6)
#define SN_TWO_8X1(steps, s0, s1)                                                    \
  steps                                                                              \
  "ld1 {v4.4s}, [%[x]], " s0 "\n\t"                                                  \
  "ld1 {v0.4s-v3.4s}, [%[w]], #64\n\t" SN_8X1(0, 1, 4)                               \
  "ld1 {v5.4s}, [%[x]], " s1 "\n\t" SN_8X1(2, 3, 5)
#define SN_ONE_8X1(steps, s0, s1)                                                    \
  "ldr q4, [%[x]]\n\t"                                                               \
  "ldp q0, q1, [%[w]], #32\n\t" SN_8X1(0, 1, 4)
// Eight input channels a turn, then what is left of k.
#define SN_ALL(TWO, ONE, ...)                                                            \
  "cbz %[turns], 4f\n\t"                                                                 \
  "3:\n\t" TWO(__VA_ARGS__) TWO(__VA_ARGS__) TWO(__VA_ARGS__) TWO(__VA_ARGS__)           \
  "subs %[turns], %[turns], #1\n\t"                                                      \
  "b.ne 3b\n\t"                                                                          \
  "4: tbz %[k], #2, 5f\n\t" TWO(__VA_ARGS__) TWO(__VA_ARGS__)                            \
  "5: tbz %[k], #1, 6f\n\t" TWO(__VA_ARGS__)                                             \
  "6: tbz %[k], #0, 7f\n\t" ONE(__VA_ARGS__)                                             \
  "7:\n\t"
#define SN_EVEN(TWO, ONE) SN_ALL(TWO, ONE, "", "%[step]", "%[step]")
#define SN_LISTED(TWO, ONE) SN_ALL(TWO, ONE, "ldp %[s0], %[s1], [%[steps]], #16\n\t", "%[s0]", "%[s1]")
#define SN_LD3(a, b) "ld1 {v" #a ".4s-v" #b ".4s}, [%[r]], %[rs]\n\t"
#define SN_ST3(a, b) "st1 {v" #a ".4s-v" #b ".4s}, [%[out]], %[os]\n\t"
#define SN_LD6(a, b, c, d) \
  "ld1 {v" #a ".4s-v" #b ".4s}, [%[r]], #64\n\t" "ld1 {v" #c ".4s-v" #d ".4s}, [%[r]], %[rs]\n\t"
#define SN_ST6(a, b, c, d) \
  "st1 {v" #a ".4s-v" #b ".4s}, [%[out]], #64\n\t" "st1 {v" #c ".4s-v" #d ".4s}, [%[out]], %[os]\n\t"
#define SN_B4(a, b, c, d) "ld4r {v" #a ".4s,v" #b ".4s,v" #c ".4s,v" #d ".4s}, [%[b]], #16\n\t"
#define SN_B3(a, b, c, d, e, f)                                        \
  "ld3r {v" #a ".4s,v" #b ".4s,v" #c ".4s}, [%[b]]\n\t"                \
  "ld3r {v" #d ".4s,v" #e ".4s,v" #f ".4s}, [%[b]], #12\n\t"
#define SN_MAX(a) "fmax v" #a ".4s, v" #a ".4s, v0.4s\n\t"
#define SN_MAX4(a, b, c, d) SN_MAX(a) SN_MAX(b) SN_MAX(c) SN_MAX(d)
#define SN_MAX24                                                                                          \
  "dup v0.4s, %w[lower]\n\t" SN_MAX4(8, 9, 10, 11) SN_MAX4(12, 13, 14, 15) SN_MAX4(16, 17, 18, 19)        \
  SN_MAX4(20, 21, 22, 23) SN_MAX4(24, 25, 26, 27) SN_MAX4(28, 29, 30, 31)
// With a residual, the sums begin with it and the biases are multiplied by one.
#define SN_START_8X3                                                                                      \
  "cbz %[r], 1f\n\t" SN_LD3(8, 10) SN_LD3(11, 13) SN_LD3(14, 16) SN_LD3(17, 19) SN_LD3(20, 22)            \
  SN_LD3(23, 25) SN_LD3(26, 28) SN_LD3(29, 31)                                                            \
  "ldp q0, q1, [%[w]], #32\n\t"                                                                           \
  "fmov v4.4s, #1.0\n\t" SN_8X3(0, 1, 4, 4, 4)                                                            \
  "b 2f\n"                                                                                                \
  "1:\n\t" SN_B4(8, 9, 10, 11) SN_B4(12, 13, 14, 15) SN_B4(16, 17, 18, 19) SN_B4(20, 21, 22, 23)          \
  SN_B4(24, 25, 26, 27) SN_B4(28, 29, 30, 31)                                                             \
  "add %[w], %[w], #32\n"                                                                                 \
  "2:\n\t"
#define SN_START_4X6                                                                                      \
  "cbz %[r], 1f\n\t" SN_LD6(8, 11, 12, 13) SN_LD6(14, 17, 18, 19) SN_LD6(20, 23, 24, 25)                  \
  SN_LD6(26, 29, 30, 31)                                                                                  \
  "ldr q6, [%[w]], #16\n\t"                                                                               \
  "fmov v0.4s, #1.0\n\t"                                                                                  \
  SN_FMA3(8, 9, 10, 0, 0, 0, 6, 0) SN_FMA3(11, 12, 13, 0, 0, 0, 6, 0)                                     \
  SN_FMA3(14, 15, 16, 0, 0, 0, 6, 1) SN_FMA3(17, 18, 19, 0, 0, 0, 6, 1)                                   \
  SN_FMA3(20, 21, 22, 0, 0, 0, 6, 2) SN_FMA3(23, 24, 25, 0, 0, 0, 6, 2)                                   \
  SN_FMA3(26, 27, 28, 0, 0, 0, 6, 3) SN_FMA3(29, 30, 31, 0, 0, 0, 6, 3)                                   \
  "b 2f\n"                                                                                                \
  "1:\n\t" SN_B3(8, 9, 10, 11, 12, 13) SN_B3(14, 15, 16, 17, 18, 19) SN_B3(20, 21, 22, 23, 24, 25)        \
  SN_B3(26, 27, 28, 29, 30, 31)                                                                           \
  "add %[w], %[w], #16\n"                                                                                 \
  "2:\n\t"
#define SN_LD1(a) "ld1 {v" #a ".4s}, [%[r]], %[rs]\n\t"
#define SN_ST1(a) "st1 {v" #a ".4s}, [%[out]], %[os]\n\t"
#define SN_START_8X1                                                                                      \
  "ldp q0, q1, [%[w]], #32\n\t"                                                                           \
  "cbz %[r], 1f\n\t" SN_LD1(8) SN_LD1(9) SN_LD1(10) SN_LD1(11) SN_LD1(12) SN_LD1(13) SN_LD1(14) SN_LD1(15) \
  "fmov v4.4s, #1.0\n\t" SN_8X1(0, 1, 4)                                                                  \
  "b 2f\n"                                                                                                \
  "1:\n\t"                                                                                                \
  "dup v8.4s, v0.s[0]\n\tdup v9.4s, v0.s[1]\n\tdup v10.4s, v0.s[2]\n\tdup v11.4s, v0.s[3]\n\t"             \
  "dup v12.4s, v1.s[0]\n\tdup v13.4s, v1.s[1]\n\tdup v14.4s, v1.s[2]\n\tdup v15.4s, v1.s[3]\n"            \
  "2:\n\t"
#define SN_END_8X1                                                                                        \
  "dup v0.4s, %w[lower]\n\t" SN_MAX4(8, 9, 10, 11) SN_MAX4(12, 13, 14, 15)                                \
  SN_ST1(8) SN_ST1(9) SN_ST1(10) SN_ST1(11) SN_ST1(12) SN_ST1(13) SN_ST1(14) SN_ST1(15)
#define SN_END_8X3                                                                                        \
  SN_MAX24 SN_ST3(8, 10) SN_ST3(11, 13) SN_ST3(14, 16) SN_ST3(17, 19) SN_ST3(20, 22) SN_ST3(23, 25)       \
  SN_ST3(26, 28) SN_ST3(29, 31)
#define SN_END_4X6                                                                                        \
  SN_MAX24 SN_ST6(8, 11, 12, 13) SN_ST6(14, 17, 18, 19) SN_ST6(20, 23, 24, 25) SN_ST6(26, 29, 30, 31)
#define SN_VECTORS                                                                                         \
  "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22",  \
      "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"
// clang-format on

// One tile; w, b, out and r move on to the next panel's.
#define SN_TILE(START, TWO, ONE, END)                                                                                 \
  int turns = a.turns;                                                                                                \
  if constexpr (kListed) {                                                                                            \
    const ptrdiff_t* steps = a.steps;                                                                                 \
    ptrdiff_t s0, s1;                                                                                                 \
    __asm__ volatile(                                                                                                 \
        START SN_LISTED(TWO, ONE) END                                                                                 \
        : [x] "+&r"(x), [y] "+&r"(y), [w] "+&r"(t.w), [b] "+&r"(t.biases), [out] "+&r"(t.out), [r] "+&r"(t.residual), \
          [turns] "+&r"(turns), [steps] "+&r"(steps), [s0] "=&r"(s0), [s1] "=&r"(s1)                                  \
        : [k] "r"(a.k), [os] "r"(output_step), [rs] "r"(residual_step), [lower] "r"(a.lower)                          \
        : SN_VECTORS);                                                                                                \
  } else {                                                                                                            \
    __asm__ volatile(                                                                                                 \
        START SN_EVEN(TWO, ONE) END                                                                                   \
        : [x] "+&r"(x), [y] "+&r"(y), [w] "+&r"(t.w), [b] "+&r"(t.biases), [out] "+&r"(t.out), [r] "+&r"(t.residual), \
          [turns] "+&r"(turns)                                                                                        \
        : [k] "r"(a.k), [step] "r"(a.step), [os] "r"(output_step), [rs] "r"(residual_step), [lower] "r"(a.lower)      \
        : SN_VECTORS);                                                                                                \
  }

template <bool kListed>
inline void main_tile(const Shared& a, const float* x, Tile& t) {
  const float* y = nullptr;  // only where there are more than four vectors
  const ptrdiff_t output_step = a.output_step, residual_step = a.residual_step;
  SN_TILE(SN_START_8X3, SN_TWO_8X3, SN_ONE_8X3, SN_END_8X3)
}

// Of kMainMr channels and one vector; does not move biases on.
template <bool kListed>
inline void column_tile(const Shared& a, const float* x, Tile& t) {
  const float* y = nullptr;  // only where there are more than four vectors
  const ptrdiff_t output_step = a.output_step, residual_step = a.residual_step;
  SN_TILE(SN_START_8X1, SN_TWO_8X1, SN_ONE_8X1, SN_END_8X1)
}

template <bool kListed>
inline void rest_tile(const Shared& a, const float* x, Tile& t) {
  const float* y = x + 16;
  const ptrdiff_t output_step = a.output_step - 64, residual_step = a.residual_step - 64;
  SN_TILE(SN_START_4X6, SN_TWO_4X6, SN_ONE_4X6, SN_END_4X6)
}

// Of kMainMr channels and one pixel, whose inputs lie side by side; does not move biases on. Sums of one output are added
// up in the same order as in all other tiles.
// clang-format off
#define SN_FMA_PIXEL(w0, w1, x, lane)                                                                     \
  "fmla v8.4s, v" #w0 ".4s, v" #x ".s[" #lane "]\n\tfmla v9.4s, v" #w1 ".4s, v" #x ".s[" #lane "]\n\t"
#define SN_TWO_PIXEL(x, l0, l1) \
  "ld1 {v0.4s-v3.4s}, [%[w]], #64\n\t" SN_FMA_PIXEL(0, 1, x, l0) SN_FMA_PIXEL(2, 3, x, l1)
#define SN_FOUR_PIXEL(x) SN_TWO_PIXEL(x, 0, 1) SN_TWO_PIXEL(x, 2, 3)
#define SN_LDL(a, lane) "ld1 {v" #a ".s}[" #lane "], [%[r]], %[rs]\n\t"
#define SN_STL(a, lane) "st1 {v" #a ".s}[" #lane "], [%[out]], %[os]\n\t"
// clang-format on
inline void pixel_tile(const Shared& a, const float* x, Tile& t) {
  int turns = a.turns;
  __asm__ volatile(
      "ldp q8, q9, [%[w]], #32\n\t"
      "cbz %[r], 1f\n\t" SN_LDL(2, 0) SN_LDL(2, 1) SN_LDL(2, 2) SN_LDL(2, 3) SN_LDL(3, 0) SN_LDL(3, 1) SN_LDL(3, 2)
      SN_LDL(3, 3)
      "fadd v8.4s, v8.4s, v2.4s\n\t"
      "fadd v9.4s, v9.4s, v3.4s\n"
      "1: cbz %w[turns], 3f\n"
      "2: ldp q4, q5, [%[x]], #32\n\t" SN_FOUR_PIXEL(4) SN_FOUR_PIXEL(5)
      "subs %w[turns], %w[turns], #1\n\t"
      "b.ne 2b\n"
      "3: tbz %w[k], #2, 4f\n\t"
      "ldr q4, [%[x]], #16\n\t" SN_FOUR_PIXEL(4)
      "4: tbz %w[k], #1, 5f\n\t"
      "ldr d4, [%[x]], #8\n\t" SN_TWO_PIXEL(4, 0, 1)
      "5: tbz %w[k], #0, 6f\n\t"
      "ldr s4, [%[x]]\n\t"
      "ldp q0, q1, [%[w]], #32\n\t" SN_FMA_PIXEL(0, 1, 4, 0)
      "6: dup v0.4s, %w[lower]\n\t" SN_MAX(8) SN_MAX(9) SN_STL(8, 0) SN_STL(8, 1) SN_STL(8, 2) SN_STL(8, 3)
      SN_STL(9, 0) SN_STL(9, 1) SN_STL(9, 2) SN_STL(9, 3)
      : [x] "+&r"(x), [w] "+&r"(t.w), [out] "+&r"(t.out), [r] "+&r"(t.residual), [turns] "+&r"(turns)
      : [k] "r"(a.k), [os] "r"(a.output_step), [rs] "r"(a.residual_step), [lower] "r"(a.lower)
      : "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v8", "v9");
}

// One pixel of kChannelsNr vectors of output channels: y = bias + sum over k. k is a multiple of 8, the inputs lie side by
// side. Four chains of sums each, as in channels_tile().
// clang-format off
#define SN_FMA4(s0, s1, s2, s3, w0, w1, w2, w3, x, lane)                                                       \
  "fmla v" #s0 ".4s, v" #w0 ".4s, v" #x ".s[" #lane "]\n\t" "fmla v" #s1 ".4s, v" #w1 ".4s, v" #x ".s[" #lane "]\n\t" \
  "fmla v" #s2 ".4s, v" #w2 ".4s, v" #x ".s[" #lane "]\n\t" "fmla v" #s3 ".4s, v" #w3 ".4s, v" #x ".s[" #lane "]\n\t"
#define SN_SINGLE(x)                                                                                           \
  "ld1 {v0.4s-v3.4s}, [%[w]], #64\n\t" SN_FMA4(16, 17, 18, 19, 0, 1, 2, 3, x, 0)                               \
  "ld1 {v4.4s-v7.4s}, [%[w]], #64\n\t" SN_FMA4(20, 21, 22, 23, 4, 5, 6, 7, x, 1)                               \
  "ld1 {v0.4s-v3.4s}, [%[w]], #64\n\t" SN_FMA4(24, 25, 26, 27, 0, 1, 2, 3, x, 2)                               \
  "ld1 {v4.4s-v7.4s}, [%[w]], #64\n\t" SN_FMA4(28, 29, 30, 31, 4, 5, 6, 7, x, 3)
#define SN_ZERO4(a, b, c, d)                                                                                   \
  "movi v" #a ".4s, #0\n\tmovi v" #b ".4s, #0\n\tmovi v" #c ".4s, #0\n\tmovi v" #d ".4s, #0\n\t"
#define SN_ADD4(a, b, c, d)                                                                                    \
  "fadd v16.4s, v16.4s, v" #a ".4s\n\tfadd v17.4s, v17.4s, v" #b ".4s\n\t"                                     \
  "fadd v18.4s, v18.4s, v" #c ".4s\n\tfadd v19.4s, v19.4s, v" #d ".4s\n\t"
// clang-format on
static_assert(kChannelsNr == 4);
inline void single_pixel(const float* x, const float* w, int k, float* y) {
  __asm__ volatile(
      "ld1 {v16.4s-v19.4s}, [%[w]], #64\n\t" SN_ZERO4(20, 21, 22, 23) SN_ZERO4(24, 25, 26, 27) SN_ZERO4(28, 29, 30, 31)
      "1: ldp q8, q9, [%[x]], #32\n\t" SN_SINGLE(8) SN_SINGLE(9)
      "subs %w[k], %w[k], #8\n\t"
      "b.ne 1b\n\t" SN_ADD4(20, 21, 22, 23) SN_ADD4(24, 25, 26, 27) SN_ADD4(28, 29, 30, 31)
      "st1 {v16.4s-v19.4s}, [%[y]]\n\t"
      : [x] "+&r"(x), [w] "+&r"(w), [k] "+&r"(k)
      : [y] "r"(y)
      : SN_VECTORS);
}

}  // namespace
}  // namespace sn
