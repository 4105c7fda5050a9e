// Tiles of the planes form for AArch64 with half precision: as kernels/pwconv/pwconv_planes_arm64.inl, which tells more,
// with vectors of eight pixels, and the weights of eight channels in one register.
namespace sn {
namespace {

constexpr int kMainMr = 8, kMainNr = 3, kRestMr = 4, kRestNr = 6;
constexpr int kBiasCopies = 3;

inline void copy_biases(const Element* from, Element* to) {
  const float16x4_t v = vld1_f16(from);
  vst3_f16(to, {{v, v, v}});
}

// clang-format off
// Sums of one channel, from the vectors of inputs at x0.
#define SN_FMA3(s0, s1, s2, x0, x1, x2, w, lane)                 \
  "fmla v" #s0 ".8h, v" #x0 ".8h, v" #w ".h[" #lane "]\n\t"      \
  "fmla v" #s1 ".8h, v" #x1 ".8h, v" #w ".h[" #lane "]\n\t"      \
  "fmla v" #s2 ".8h, v" #x2 ".8h, v" #w ".h[" #lane "]\n\t"
// 8 channels x 3 vectors. The weights are in one register, the inputs in 4 to 6.
#define SN_8X3(w, x0, x1, x2)                                                         \
  SN_FMA3(8, 9, 10, x0, x1, x2, w, 0) SN_FMA3(11, 12, 13, x0, x1, x2, w, 1)           \
  SN_FMA3(14, 15, 16, x0, x1, x2, w, 2) SN_FMA3(17, 18, 19, x0, x1, x2, w, 3)         \
  SN_FMA3(20, 21, 22, x0, x1, x2, w, 4) SN_FMA3(23, 24, 25, x0, x1, x2, w, 5)         \
  SN_FMA3(26, 27, 28, x0, x1, x2, w, 6) SN_FMA3(29, 30, 31, x0, x1, x2, w, 7)
// 4 channels x 6 vectors, the inputs in 0 to 5, the weights in four lanes of a register.
#define SN_4X6(w, l0, l1, l2, l3)                                                  \
  SN_FMA3(8, 9, 10, 0, 1, 2, w, l0) SN_FMA3(11, 12, 13, 3, 4, 5, w, l0)            \
  SN_FMA3(14, 15, 16, 0, 1, 2, w, l1) SN_FMA3(17, 18, 19, 3, 4, 5, w, l1)          \
  SN_FMA3(20, 21, 22, 0, 1, 2, w, l2) SN_FMA3(23, 24, 25, 3, 4, 5, w, l2)          \
  SN_FMA3(26, 27, 28, 0, 1, 2, w, l3) SN_FMA3(29, 30, 31, 3, 4, 5, w, l3)
// One input channel, then on to the next.
#define SN_X3(w, s) "ld1 {v4.8h-v6.8h}, [%[x]], " s "\n\t" SN_8X3(w, 4, 5, 6)
#define SN_X6(w, l0, l1, l2, l3, s)                                                \
  "ld1 {v0.8h-v3.8h}, [%[x]], " s "\n\t"                                           \
  "ld1 {v4.8h-v5.8h}, [%[y]], " s "\n\t" SN_4X6(w, l0, l1, l2, l3)
// Four, two and one input channels. steps: loads the distances of two that s0 and s1 name, if any.
#define SN_FOUR_8X3(steps, s0, s1)                                                 \
  "ld1 {v0.8h-v3.8h}, [%[w]], #64\n\t"                                             \
  steps SN_X3(0, s0) SN_X3(1, s1) steps SN_X3(2, s0) SN_X3(3, s1)
#define SN_TWO_8X3(steps, s0, s1) "ldp q0, q1, [%[w]], #32\n\t" steps SN_X3(0, s0) SN_X3(1, s1)
#define SN_ONE_8X3                                                                 \
  "ldr q0, [%[w]], #16\n\t"                                                        \
  "ld1 {v4.8h-v6.8h}, [%[x]]\n\t" SN_8X3(0, 4, 5, 6)
#define SN_FOUR_4X6(steps, s0, s1)                                                 \
  "ldp q6, q7, [%[w]], #32\n\t"                                                    \
  steps SN_X6(6, 0, 1, 2, 3, s0) SN_X6(6, 4, 5, 6, 7, s1)                          \
  steps SN_X6(7, 0, 1, 2, 3, s0) SN_X6(7, 4, 5, 6, 7, s1)
#define SN_TWO_4X6(steps, s0, s1)                                                  \
  "ldr q6, [%[w]], #16\n\t" steps SN_X6(6, 0, 1, 2, 3, s0) SN_X6(6, 4, 5, 6, 7, s1)
#define SN_ONE_4X6                                                                 \
  "ldr d6, [%[w]], #8\n\t"                                                         \
  "ld1 {v0.8h-v3.8h}, [%[x]]\n\t"                                                  \
  "ld1 {v4.8h-v5.8h}, [%[y]]\n\t" SN_4X6(6, 0, 1, 2, 3)
// Eight input channels a turn, then what is left of k.
#define SN_ALL(FOUR, TWO, ONE, ...)                                                \
  "cbz %[turns], 4f\n\t"                                                           \
  "3:\n\t" FOUR(__VA_ARGS__) FOUR(__VA_ARGS__)                                     \
  "subs %[turns], %[turns], #1\n\t"                                                \
  "b.ne 3b\n\t"                                                                    \
  "4: tbz %[k], #2, 5f\n\t" FOUR(__VA_ARGS__)                                      \
  "5: tbz %[k], #1, 6f\n\t" TWO(__VA_ARGS__)                                       \
  "6: tbz %[k], #0, 7f\n\t" ONE                                                    \
  "7:\n\t"
#define SN_EVEN(FOUR, TWO, ONE) SN_ALL(FOUR, TWO, ONE, "", "%[step]", "%[step]")
#define SN_LISTED(FOUR, TWO, ONE) \
  SN_ALL(FOUR, TWO, ONE, "ldp %[s0], %[s1], [%[steps]], #16\n\t", "%[s0]", "%[s1]")
#define SN_LD3(a, b) "ld1 {v" #a ".8h-v" #b ".8h}, [%[r]], %[rs]\n\t"
#define SN_ST3(a, b) "st1 {v" #a ".8h-v" #b ".8h}, [%[out]], %[os]\n\t"
#define SN_LD6(a, b, c, d) \
  "ld1 {v" #a ".8h-v" #b ".8h}, [%[r]], #64\n\t" "ld1 {v" #c ".8h-v" #d ".8h}, [%[r]], %[rs]\n\t"
#define SN_ST6(a, b, c, d) \
  "st1 {v" #a ".8h-v" #b ".8h}, [%[out]], #64\n\t" "st1 {v" #c ".8h-v" #d ".8h}, [%[out]], %[os]\n\t"
#define SN_B4(a, b, c, d) "ld4r {v" #a ".8h,v" #b ".8h,v" #c ".8h,v" #d ".8h}, [%[b]], #8\n\t"
#define SN_B3(a, b, c, d, e, f)                                        \
  "ld3r {v" #a ".8h,v" #b ".8h,v" #c ".8h}, [%[b]]\n\t"                \
  "ld3r {v" #d ".8h,v" #e ".8h,v" #f ".8h}, [%[b]], #6\n\t"
#define SN_MAX(a) "fmax v" #a ".8h, v" #a ".8h, v0.8h\n\t"
#define SN_MAX4(a, b, c, d) SN_MAX(a) SN_MAX(b) SN_MAX(c) SN_MAX(d)
#define SN_MAX24                                                                                          \
  "dup v0.8h, %w[lower]\n\t" SN_MAX4(8, 9, 10, 11) SN_MAX4(12, 13, 14, 15) SN_MAX4(16, 17, 18, 19)        \
  SN_MAX4(20, 21, 22, 23) SN_MAX4(24, 25, 26, 27) SN_MAX4(28, 29, 30, 31)
// With a residual, the sums begin with it and the biases are multiplied by one.
#define SN_START_8X3                                                                                      \
  "cbz %[r], 1f\n\t" SN_LD3(8, 10) SN_LD3(11, 13) SN_LD3(14, 16) SN_LD3(17, 19) SN_LD3(20, 22)            \
  SN_LD3(23, 25) SN_LD3(26, 28) SN_LD3(29, 31)                                                            \
  "ldr q0, [%[w]], #16\n\t"                                                                               \
  "fmov v4.8h, #1.0\n\t" SN_8X3(0, 4, 4, 4)                                                               \
  "b 2f\n"                                                                                                \
  "1:\n\t" SN_B4(8, 9, 10, 11) SN_B4(12, 13, 14, 15) SN_B4(16, 17, 18, 19) SN_B4(20, 21, 22, 23)          \
  SN_B4(24, 25, 26, 27) SN_B4(28, 29, 30, 31)                                                             \
  "add %[w], %[w], #16\n"                                                                                 \
  "2:\n\t"
#define SN_START_4X6                                                                                      \
  "cbz %[r], 1f\n\t" SN_LD6(8, 11, 12, 13) SN_LD6(14, 17, 18, 19) SN_LD6(20, 23, 24, 25)                  \
  SN_LD6(26, 29, 30, 31)                                                                                  \
  "ldr d6, [%[w]], #8\n\t"                                                                                \
  "fmov v0.8h, #1.0\n\t"                                                                                  \
  SN_FMA3(8, 9, 10, 0, 0, 0, 6, 0) SN_FMA3(11, 12, 13, 0, 0, 0, 6, 0)                                     \
  SN_FMA3(14, 15, 16, 0, 0, 0, 6, 1) SN_FMA3(17, 18, 19, 0, 0, 0, 6, 1)                                   \
  SN_FMA3(20, 21, 22, 0, 0, 0, 6, 2) SN_FMA3(23, 24, 25, 0, 0, 0, 6, 2)                                   \
  SN_FMA3(26, 27, 28, 0, 0, 0, 6, 3) SN_FMA3(29, 30, 31, 0, 0, 0, 6, 3)                                   \
  "b 2f\n"                                                                                                \
  "1:\n\t" SN_B3(8, 9, 10, 11, 12, 13) SN_B3(14, 15, 16, 17, 18, 19) SN_B3(20, 21, 22, 23, 24, 25)        \
  SN_B3(26, 27, 28, 29, 30, 31)                                                                           \
  "add %[w], %[w], #8\n"                                                                                  \
  "2:\n\t"
#define SN_END_8X3                                                                                        \
  SN_MAX24 SN_ST3(8, 10) SN_ST3(11, 13) SN_ST3(14, 16) SN_ST3(17, 19) SN_ST3(20, 22) SN_ST3(23, 25)       \
  SN_ST3(26, 28) SN_ST3(29, 31)
#define SN_END_4X6                                                                                        \
  SN_MAX24 SN_ST6(8, 11, 12, 13) SN_ST6(14, 17, 18, 19) SN_ST6(20, 23, 24, 25) SN_ST6(26, 29, 30, 31)
#define SN_SUMS                                                                                            \
  "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22",  \
      "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"
// clang-format on

inline uint32_t bits_of(float value) {
  const Element half = static_cast<Element>(value);
  uint16_t bits;
  __builtin_memcpy(&bits, &half, sizeof bits);
  return bits;
}

// One tile; w, b, out and r move on to the next panel's.
template <bool kListed>
inline void main_tile(const Shared& a, const Element* x, Tile& t) {
  int turns = a.k / 8;
  const uint32_t lower = bits_of(a.lower);
  if constexpr (kListed) {
    const ptrdiff_t* steps = a.steps;
    ptrdiff_t s0, s1;
    __asm__ volatile(SN_START_8X3 SN_LISTED(SN_FOUR_8X3, SN_TWO_8X3, SN_ONE_8X3) SN_END_8X3
                     : [x] "+&r"(x), [w] "+&r"(t.w), [b] "+&r"(t.biases), [out] "+&r"(t.out), [r] "+&r"(t.residual),
                       [turns] "+&r"(turns), [steps] "+&r"(steps), [s0] "=&r"(s0), [s1] "=&r"(s1)
                     : [k] "r"(a.k), [os] "r"(a.output_step), [rs] "r"(a.residual_step), [lower] "r"(lower)
                     : SN_SUMS, "v0", "v1", "v2", "v3", "v4", "v5", "v6", "cc", "memory");
  } else {
    __asm__ volatile(
        SN_START_8X3 SN_EVEN(SN_FOUR_8X3, SN_TWO_8X3, SN_ONE_8X3) SN_END_8X3
        : [x] "+&r"(x), [w] "+&r"(t.w), [b] "+&r"(t.biases), [out] "+&r"(t.out), [r] "+&r"(t.residual),
          [turns] "+&r"(turns)
        : [k] "r"(a.k), [step] "r"(a.step), [os] "r"(a.output_step), [rs] "r"(a.residual_step), [lower] "r"(lower)
        : SN_SUMS, "v0", "v1", "v2", "v3", "v4", "v5", "v6", "cc", "memory");
  }
}

template <bool kListed>
inline void rest_tile(const Shared& a, const Element* x, Tile& t) {
  int turns = a.k / 8;
  const Element* y = x + 32;
  const ptrdiff_t output_step = a.output_step - 64, residual_step = a.residual_step - 64;
  const uint32_t lower = bits_of(a.lower);
  if constexpr (kListed) {
    const ptrdiff_t* steps = a.steps;
    ptrdiff_t s0, s1;
    __asm__ volatile(SN_START_4X6 SN_LISTED(SN_FOUR_4X6, SN_TWO_4X6, SN_ONE_4X6) SN_END_4X6
                     : [x] "+&r"(x), [y] "+&r"(y), [w] "+&r"(t.w), [b] "+&r"(t.biases), [out] "+&r"(t.out),
                       [r] "+&r"(t.residual), [turns] "+&r"(turns), [steps] "+&r"(steps), [s0] "=&r"(s0), [s1] "=&r"(s1)
                     : [k] "r"(a.k), [os] "r"(output_step), [rs] "r"(residual_step), [lower] "r"(lower)
                     : SN_SUMS, "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "cc", "memory");
  } else {
    __asm__ volatile(
        SN_START_4X6 SN_EVEN(SN_FOUR_4X6, SN_TWO_4X6, SN_ONE_4X6) SN_END_4X6
        : [x] "+&r"(x), [y] "+&r"(y), [w] "+&r"(t.w), [b] "+&r"(t.biases), [out] "+&r"(t.out), [r] "+&r"(t.residual),
          [turns] "+&r"(turns)
        : [k] "r"(a.k), [step] "r"(a.step), [os] "r"(output_step), [rs] "r"(residual_step), [lower] "r"(lower)
        : SN_SUMS, "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "cc", "memory");
  }
}

}  // namespace
}  // namespace sn
