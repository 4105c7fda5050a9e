// Tiles of the planes form for ARMv7, of whole vectors: as those of pwconv_planes_arm64.inl, for 16 registers. q4 to q15
// are the sums, channel by channel; the others hold inputs and weights. Multiply-adds by lane are rounded twice.
namespace sn {
namespace {

constexpr int kMainMr = 6, kMainNr = 2, kRestMr = 4, kRestNr = 3;
constexpr int kBiasCopies = 0;
inline void copy_biases(const float*, float*) {}

// clang-format off
#define SN_FMA(sum, x, w, lane) "vmla.f32 q" #sum ", q" #x ", d" #w "[" #lane "]\n\t"
#define SN_FMA2(s0, s1, x0, x1, w, lane) SN_FMA(s0, x0, w, lane) SN_FMA(s1, x1, w, lane)
#define SN_FMA3(s0, s1, s2, x0, x1, x2, w, lane) SN_FMA2(s0, s1, x0, x1, w, lane) SN_FMA(s2, x2, w, lane)
// 6 channels x 2 vectors, and 4 x 3.
#define SN_6X2(x0, x1)                                                                \
  SN_FMA2(4, 5, x0, x1, 4, 0) SN_FMA2(6, 7, x0, x1, 4, 1)                             \
  SN_FMA2(8, 9, x0, x1, 5, 0) SN_FMA2(10, 11, x0, x1, 5, 1)                           \
  SN_FMA2(12, 13, x0, x1, 6, 0) SN_FMA2(14, 15, x0, x1, 6, 1)
#define SN_4X3(x0, x1, x2)                                                            \
  SN_FMA3(4, 5, 6, x0, x1, x2, 6, 0) SN_FMA3(7, 8, 9, x0, x1, x2, 6, 1)               \
  SN_FMA3(10, 11, 12, x0, x1, x2, 7, 0) SN_FMA3(13, 14, 15, x0, x1, x2, 7, 1)
#define SN_6X1(x)                                                                     \
  SN_FMA(4, x, 4, 0) SN_FMA(5, x, 4, 1) SN_FMA(6, x, 5, 0)                            \
  SN_FMA(7, x, 5, 1) SN_FMA(8, x, 6, 0) SN_FMA(9, x, 6, 1)
// One input channel, and the way to the next.
#define SN_STEP_6X2(step)                                                             \
  "vld1.32 {d0-d3}, [%[x]], " step "\n\t"                                             \
  "vld1.32 {d4-d6}, [%[w]]!\n\t" SN_6X2(0, 1)
#define SN_STEP_6X1(step)                                                             \
  "vld1.32 {d0-d1}, [%[x]], " step "\n\t"                                             \
  "vld1.32 {d4-d6}, [%[w]]!\n\t" SN_6X1(0)
#define SN_STEP_4X3(step)                                                             \
  "vldmia %[x], {d0-d5}\n\t"                                                          \
  "add %[x], %[x], " step "\n\t"                                                      \
  "vld1.32 {d6-d7}, [%[w]]!\n\t" SN_4X3(0, 1, 2)
#define SN_TWO(STEP, steps, s0, s1) steps STEP(s0) STEP(s1)
#define SN_FOUR(STEP, ...) SN_TWO(STEP, __VA_ARGS__) SN_TWO(STEP, __VA_ARGS__)
// Eight input channels a turn, then what is left of k.
#define SN_ALL(STEP, steps, s0, s1)                                                   \
  "lsrs %[turns], %[k], #3\n\t"                                                       \
  "beq 4f\n"                                                                          \
  "3:\n\t" SN_FOUR(STEP, steps, s0, s1) SN_FOUR(STEP, steps, s0, s1)                  \
  "subs %[turns], %[turns], #1\n\t"                                                   \
  "bne 3b\n"                                                                          \
  "4:\n\t"                                                                            \
  "ands %[turns], %[k], #7\n\t"                                                       \
  "beq 7f\n\t"                                                                        \
  "lsls %[turns], %[k], #30\n\t"                                                      \
  "bcc 5f\n\t" SN_FOUR(STEP, steps, s0, s1)                                           \
  "5:\n\t"                                                                            \
  "bpl 6f\n\t" SN_TWO(STEP, steps, s0, s1)                                            \
  "6:\n\t"                                                                            \
  "tst %[k], #1\n\t"                                                                  \
  "beq 7f\n\t"                                                                        \
  "mov %[turns], #0\n\t" STEP("%[turns]")                                             \
  "7:\n\t"
#define SN_EVEN(STEP) SN_ALL(STEP, "", "%[step]", "%[step]")
#define SN_LISTED(STEP) SN_ALL(STEP, "ldrd r4, r5, [%[steps]], #8\n\t", "r4", "r5")
#define SN_MAX4(a, b, c, d)                                                           \
  "vmax.f32 q" #a ", q" #a ", q0\n\t" "vmax.f32 q" #b ", q" #b ", q0\n\t"             \
  "vmax.f32 q" #c ", q" #c ", q0\n\t" "vmax.f32 q" #d ", q" #d ", q0\n\t"
#define SN_MAX12                                                                      \
  "ldr %[turns], %[lower]\n\t"                                                         \
  "vdup.32 q0, %[turns]\n\t" SN_MAX4(4, 5, 6, 7) SN_MAX4(8, 9, 10, 11)                \
  SN_MAX4(12, 13, 14, 15) "ldr %[turns], %[os]\n\t"
#define SN_LD2(a, b) "vld1.32 {d" #a "-d" #b "}, [%[r]], %[turns]\n\t"
#define SN_ST2(a, b) "vst1.32 {d" #a "-d" #b "}, [%[out]], %[turns]\n\t"
#define SN_LD3(a, b) "vldmia %[r], {d" #a "-d" #b "}\n\t" "add %[r], %[r], %[turns]\n\t"
#define SN_ST3(a, b) "vstmia %[out], {d" #a "-d" #b "}\n\t" "add %[out], %[out], %[turns]\n\t"
#define SN_DUP(sum, w, lane) "vdup.32 q" #sum ", d" #w "[" #lane "]\n\t"
#define SN_START_6X2                                                                  \
  "vld1.32 {d4-d6}, [%[w]]!\n\t"                                                      \
  "cmp %[r], #0\n\t"                                                                  \
  "beq 1f\n\t"                                                                        \
  "ldr %[turns], %[rs]\n\t" SN_LD2(8, 11) SN_LD2(12, 15) SN_LD2(16, 19) SN_LD2(20, 23)             \
  SN_LD2(24, 27) SN_LD2(28, 31)                                                       \
  "vmov.f32 q0, #1.0\n\t" SN_6X2(0, 0)                                                \
  "b 2f\n"                                                                            \
  "1:\n\t" SN_DUP(4, 4, 0) SN_DUP(5, 4, 0) SN_DUP(6, 4, 1) SN_DUP(7, 4, 1)            \
  SN_DUP(8, 5, 0) SN_DUP(9, 5, 0) SN_DUP(10, 5, 1) SN_DUP(11, 5, 1)                   \
  SN_DUP(12, 6, 0) SN_DUP(13, 6, 0) SN_DUP(14, 6, 1) SN_DUP(15, 6, 1)                 \
  "2:\n\t"
#define SN_LD1(a, b) "vld1.32 {d" #a "-d" #b "}, [%[r]], %[turns]\n\t"
#define SN_ST1(a, b) "vst1.32 {d" #a "-d" #b "}, [%[out]], %[turns]\n\t"
#define SN_START_6X1                                                                  \
  "vld1.32 {d4-d6}, [%[w]]!\n\t"                                                      \
  "cmp %[r], #0\n\t"                                                                  \
  "beq 1f\n\t"                                                                        \
  "ldr %[turns], %[rs]\n\t" SN_LD1(8, 9) SN_LD1(10, 11) SN_LD1(12, 13)                \
  SN_LD1(14, 15) SN_LD1(16, 17) SN_LD1(18, 19)                                        \
  "vmov.f32 q0, #1.0\n\t" SN_6X1(0)                                                   \
  "b 2f\n"                                                                            \
  "1:\n\t" SN_DUP(4, 4, 0) SN_DUP(5, 4, 1) SN_DUP(6, 5, 0)                            \
  SN_DUP(7, 5, 1) SN_DUP(8, 6, 0) SN_DUP(9, 6, 1)                                     \
  "2:\n\t"
#define SN_END_6X1                                                                    \
  "ldr %[turns], %[lower]\n\t"                                                        \
  "vdup.32 q0, %[turns]\n\t" SN_MAX4(4, 5, 6, 7)                                      \
  "vmax.f32 q8, q8, q0\n\tvmax.f32 q9, q9, q0\n\t"                                    \
  "ldr %[turns], %[os]\n\t" SN_ST1(8, 9) SN_ST1(10, 11) SN_ST1(12, 13)                \
  SN_ST1(14, 15) SN_ST1(16, 17) SN_ST1(18, 19)
#define SN_START_4X3                                                                  \
  "vld1.32 {d6-d7}, [%[w]]!\n\t"                                                      \
  "cmp %[r], #0\n\t"                                                                  \
  "beq 1f\n\t"                                                                        \
  "ldr %[turns], %[rs]\n\t" SN_LD3(8, 13) SN_LD3(14, 19) SN_LD3(20, 25) SN_LD3(26, 31)             \
  "vmov.f32 q0, #1.0\n\t" SN_4X3(0, 0, 0)                                             \
  "b 2f\n"                                                                            \
  "1:\n\t" SN_DUP(4, 6, 0) SN_DUP(5, 6, 0) SN_DUP(6, 6, 0)                            \
  SN_DUP(7, 6, 1) SN_DUP(8, 6, 1) SN_DUP(9, 6, 1)                                     \
  SN_DUP(10, 7, 0) SN_DUP(11, 7, 0) SN_DUP(12, 7, 0)                                  \
  SN_DUP(13, 7, 1) SN_DUP(14, 7, 1) SN_DUP(15, 7, 1)                                  \
  "2:\n\t"
#define SN_END_6X2                                                                    \
  SN_MAX12 SN_ST2(8, 11) SN_ST2(12, 15) SN_ST2(16, 19) SN_ST2(20, 23) SN_ST2(24, 27) SN_ST2(28, 31)
#define SN_END_4X3 SN_MAX12 SN_ST3(8, 13) SN_ST3(14, 19) SN_ST3(20, 25) SN_ST3(26, 31)
#define SN_VECTORS                                                                    \
  "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10", "q11", "q12",    \
      "q13", "q14", "q15", "cc", "memory"
// clang-format on

// One tile; the weights, the output and the residual move on to the next panel's.
// The steps and the limit are memory: registers do not suffice.
#define SN_TILE(START, STEP, END)                                                                                     \
  int turns;                                                                                                          \
  if constexpr (kListed) {                                                                                            \
    const ptrdiff_t* steps = a.steps;                                                                                 \
    __asm__ volatile(START SN_LISTED(STEP) END                                                                        \
                     : [x] "+&r"(x), [w] "+&r"(t.w), [out] "+&r"(t.out), [r] "+&r"(t.residual), [turns] "=&r"(turns), \
                       [steps] "+&r"(steps)                                                                           \
                     : [k] "r"(a.k), [os] "m"(a.output_step), [rs] "m"(a.residual_step), [lower] "m"(a.lower)         \
                     : SN_VECTORS, "r4", "r5");                                                                       \
  } else {                                                                                                            \
    __asm__ volatile(                                                                                                 \
        START SN_EVEN(STEP) END                                                                                       \
        : [x] "+&r"(x), [w] "+&r"(t.w), [out] "+&r"(t.out), [r] "+&r"(t.residual), [turns] "=&r"(turns)               \
        : [k] "r"(a.k), [step] "r"(a.step), [os] "m"(a.output_step), [rs] "m"(a.residual_step), [lower] "m"(a.lower)  \
        : SN_VECTORS);                                                                                                \
  }

template <bool kListed>
inline void main_tile(const Shared& a, const float* x, Tile& t) {
  SN_TILE(SN_START_6X2, SN_STEP_6X2, SN_END_6X2)
}

template <bool kListed>
inline void column_tile(const Shared& a, const float* x, Tile& t) {
  SN_TILE(SN_START_6X1, SN_STEP_6X1, SN_END_6X1)
}

template <bool kListed>
inline void rest_tile(const Shared& a, const float* x, Tile& t) {
  SN_TILE(SN_START_4X3, SN_STEP_4X3, SN_END_4X3)
}

// As in pwconv_planes_arm64.inl.
// clang-format off
#define SN_FMA_PIXEL(q, d, x, lane)                                                   \
  "vmla.f32 q8, q" #q ", d" #x "[" #lane "]\n\tvmla.f32 d18, d" #d ", d" #x "[" #lane "]\n\t"
#define SN_ONE_PIXEL(x, lane) "vldmia %[w]!, {d4-d6}\n\t" SN_FMA_PIXEL(2, 6, x, lane)
#define SN_TWO_PIXEL(x) SN_ONE_PIXEL(x, 0) SN_ONE_PIXEL(x, 1)
#define SN_LDL(a, lane) "vld1.32 {d" #a "[" #lane "]}, [%[r]], %[turns]\n\t"
#define SN_STL(a, lane) "vst1.32 {d" #a "[" #lane "]}, [%[out]], %[turns]\n\t"
// clang-format on
inline void pixel_tile(const Shared& a, const float* x, Tile& t) {
  int turns;
  __asm__ volatile(
      "vldmia %[w]!, {d16-d18}\n\t"
      "cmp %[r], #0\n\t"
      "beq 1f\n\t"
      "ldr %[turns], %[rs]\n\t" SN_LDL(4, 0) SN_LDL(4, 1) SN_LDL(5, 0) SN_LDL(5, 1) SN_LDL(6, 0) SN_LDL(6, 1)
      "vadd.f32 q8, q8, q2\n\t"
      "vadd.f32 d18, d18, d6\n"
      "1:\n\t"
      "lsrs %[turns], %[k], #2\n\t"
      "beq 3f\n"
      "2:\n\t"
      "vldmia %[x]!, {d0-d1}\n\t" SN_TWO_PIXEL(0) SN_TWO_PIXEL(1)
      "subs %[turns], %[turns], #1\n\t"
      "bne 2b\n"
      "3:\n\t"
      "tst %[k], #2\n\t"
      "beq 4f\n\t"
      "vldmia %[x]!, {d0}\n\t" SN_TWO_PIXEL(0)
      "4:\n\t"
      "tst %[k], #1\n\t"
      "beq 5f\n\t"
      "vld1.32 {d0[0]}, [%[x]]\n\t" SN_ONE_PIXEL(0, 0)
      "5:\n\t"
      "ldr %[turns], %[lower]\n\t"
      "vdup.32 q0, %[turns]\n\t"
      "vmax.f32 q8, q8, q0\n\t"
      "vmax.f32 d18, d18, d0\n\t"
      "ldr %[turns], %[os]\n\t" SN_STL(16, 0) SN_STL(16, 1) SN_STL(17, 0) SN_STL(17, 1) SN_STL(18, 0) SN_STL(18, 1)
      : [x] "+&r"(x), [w] "+&r"(t.w), [out] "+&r"(t.out), [r] "+&r"(t.residual), [turns] "=&r"(turns)
      : [k] "r"(a.k), [os] "m"(a.output_step), [rs] "m"(a.residual_step), [lower] "m"(a.lower)
      : SN_VECTORS);
}

// One pixel, as in pwconv_planes_arm64.inl.
// clang-format off
#define SN_SINGLE(x0, x1)                                                             \
  "vldmia %[w]!, {d8-d15}\n\t" SN_FMA(8, 4, x0, 0) SN_FMA(9, 5, x0, 0)                \
  SN_FMA(10, 6, x0, 1) SN_FMA(11, 7, x0, 1)                                           \
  "vldmia %[w]!, {d8-d15}\n\t" SN_FMA(12, 4, x1, 0) SN_FMA(13, 5, x1, 0)              \
  SN_FMA(14, 6, x1, 1) SN_FMA(15, 7, x1, 1)
#define SN_ADD2(a, b) "vadd.f32 q8, q8, q" #a "\n\tvadd.f32 q9, q9, q" #b "\n\t"
// clang-format on
static_assert(kChannelsNr == 2);
inline void single_pixel(const float* x, const float* w, int k, float* y) {
  __asm__ volatile(
      "vldmia %[w]!, {d16-d19}\n\t"
      "vmov.i32 q10, #0\n\tvmov.i32 q11, #0\n\tvmov.i32 q12, #0\n\t"
      "vmov.i32 q13, #0\n\tvmov.i32 q14, #0\n\tvmov.i32 q15, #0\n"
      "1:\n\t"
      "vldmia %[x]!, {d0-d3}\n\t" SN_SINGLE(0, 1) SN_SINGLE(2, 3)
      "subs %[k], %[k], #8\n\t"
      "bne 1b\n\t" SN_ADD2(10, 11) SN_ADD2(12, 13) SN_ADD2(14, 15)
      "vstmia %[y], {d16-d19}\n\t"
      : [x] "+&r"(x), [w] "+&r"(w), [k] "+&r"(k)
      : [y] "r"(y)
      : SN_VECTORS);
}

}  // namespace
}  // namespace sn
