// Scaling over the vectors of the including file's instruction set.
namespace sn {
namespace {

inline Vec load_up_to(const Element* p, int n) { return n == kLanes ? load(p) : load_partial(p, n); }

// factors: one value (Pixel false) or one for each value.
template <bool Pixel>
inline void scale_run(const ScaleOf<Element>& a, const Element* factors, ptrdiff_t count) {
  const Vec lower = set1(a.lower), factor = set1(factors[0]);
  for (ptrdiff_t i = 0; i < count; i += kLanes) {
    const int left = count - i >= kLanes ? kLanes : static_cast<int>(count - i);
    Vec y = mul(load_up_to(a.input + i, left), Pixel ? load_up_to(factors + i, left) : factor);
    if (a.residual) y = add(y, load_up_to(a.residual + i, left));
    y = max(y, lower);
    if (left == kLanes) {
      store(a.output + i, y);
    } else {
      store_partial(a.output + i, y, left);
    }
  }
}

void scale_plane(const ScaleOf<Element>& a, float factor, ptrdiff_t count) {
  const Element rounded = static_cast<Element>(factor);
  scale_run<false>(a, &rounded, count);
}
void scale_pixel(const ScaleOf<Element>& a, const Element* factors, ptrdiff_t count) {
  scale_run<true>(a, factors, count);
}

constexpr ElementwiseKernelsOf<Element> kElementwise = {scale_plane, scale_pixel};

}  // namespace
}  // namespace sn
