#include "core/half.h"

#ifdef SN_HALF
#include <arm_neon.h>

namespace sn {

void to_halves(const float* from, ptrdiff_t count, Half* to) {
  ptrdiff_t i = 0;
  for (; i + 8 <= count; i += 8) {
    vst1q_f16(to + i, vcvt_high_f16_f32(vcvt_f16_f32(vld1q_f32(from + i)), vld1q_f32(from + i + 4)));
  }
  for (; i < count; i++) to[i] = static_cast<Half>(from[i]);
}

}  // namespace sn
#endif
