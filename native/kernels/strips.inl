// How the kernels of planes for NEON cut a plane: into strips of a few vectors of output columns, which pass down it.
namespace sn {
namespace {

// Some vectors of output columns. The last one may step back over columns of the one before it rather than pass the
// plane's end.
struct Strip {
  int column;
  ptrdiff_t last;    // from `column` on
  bool left, right;  // whether padding lies there
};

// f(strip, vectors) for strips of at most `most` vectors.
template <class F>
inline void each_strip(int columns, int most, F f) {
  const int vectors = (columns + kLanes - 1) / kLanes, parts = (vectors + most - 1) / most;
  for (int i = 0, vector = 0; i < parts; i++) {
    const int n = vectors / parts + (i < vectors % parts);
    const bool left = i == 0, right = i == parts - 1;
    const int column = right && n == 1 ? columns - kLanes : vector * kLanes;
    f(Strip{column, right ? columns - kLanes - column : (n - 1) * kLanes, left, right}, n);
    vector += n;
  }
}

// Whether each_strip makes strips of n vectors; of several, the narrowest are half as wide as the widest may be.
constexpr bool is_strip(int n, int most, bool only) { return only || 2 * n >= most; }

}  // namespace
}  // namespace sn
