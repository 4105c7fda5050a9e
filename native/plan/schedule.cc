// In which order the steps run, and in which pieces.
//
// Where the tensors of successive steps exceed the cache, the steps take turns: a band of rows goes through all of them
// before the next band begins, so that what one step writes is still in the cache when the next reads it. Nothing is
// computed twice: each step goes as far as the rows that are there allow. Of tensors that only these steps use, no more
// is stored than the rows still needed: their memory stays in the cache too.
#include <algorithm>

#include "plan/plan.h"

namespace sn {
namespace {

// Pixels or values of one unit: a fraction of a millisecond, after which a run can be cancelled.
constexpr int kBlockPixels = 8192;

// Windows begin at whole cache lines.
constexpr int kLine = 16;

int ceil_div(ptrdiff_t a, ptrdiff_t b) { return static_cast<int>((a + b - 1) / b); }

bool pointwise(const Op& op) { return op.kind == OpKind::kPointwise || op.kind == OpKind::kFullyConnected; }

}  // namespace

// Rows or, of pointwise steps, pixels of the output; 1 where a step is one whole.
ptrdiff_t Plan::extent(int step) const {
  const Op& op = *steps_[step].op;
  const Placement& out = placement(op.output);
  if (pointwise(op)) return out.pixels();
  return op.kind == OpKind::kConv || op.kind == OpKind::kDepthwise || op.kind == OpKind::kPool ? out.height : 1;
}

// Whether a step can work on some rows of planes as soon as these are there.
bool Plan::in_rows(int step) const {
  const Op& op = *steps_[step].op;
  const auto planes = [&](int value) { return placement(value).layout == Layout::kPlanes; };
  return (op.kind == OpKind::kConv || op.kind == OpKind::kPointwise || op.kind == OpKind::kDepthwise ||
          op.kind == OpKind::kPool) &&
         planes(op.input) && planes(op.output);
}

Piece Plan::piece(int index, ptrdiff_t begin, ptrdiff_t end) const {
  const Step& step = steps_[index];
  const Op& op = *step.op;
  const Placement& out = placement(op.output);
  const int channels = graph_.values[op.output].channels, lanes = tiles(op).lanes;
  const ptrdiff_t size = end - begin;
  const bool planes = step.form == Layout::kPlanes;
  Piece piece;
  piece.step = index;
  piece.begin = begin;
  piece.end = end;
  if (pointwise(op) && planes) {
    const ptrdiff_t tile = tiles(op).planes_nr * lanes;
    const int count = ceil_div(size, tile * threads_);
    const int wanted = threads_ == 1 ? 1 : ceil_div(4, op.groups);
    piece.block = tile * std::min<ptrdiff_t>(ceil_div(count, wanted), kBlockPixels / tile);
    piece.parts = op.groups;
    piece.grain = tile;  // what is left of a tile may be summed in another order
  } else if (pointwise(op)) {
    const int wanted = threads_ == 1 ? 1 : ceil_div(4 * threads_, op.groups * step.panels);
    // The kernel sums single pixels in another order. It makes one of the last pixel where tiles are of two; even
    // blocks that leave more than one pixel over make no others.
    piece.block = std::clamp<ptrdiff_t>(ceil_div(size, wanted), 8, kBlockPixels);
    piece.block += piece.block % 2;
    while (piece.block < size && size % piece.block == 1) piece.block += 2;
    piece.parts = op.groups * step.panels;
  } else if (op.kind == OpKind::kConv) {
    piece.block = threads_ == 1 ? step.band : std::clamp(ceil_div(size, 4 * threads_), 1, step.band);
    piece.parts = op.groups;
  } else if (op.kind == OpKind::kDepthwise || op.kind == OpKind::kPool) {
    if (planes) {
      const int rows = ceil_div(size, threads_);
      piece.block = step.tile > 1 ? step.band : std::max(std::min(kBlockPixels / out.width, rows), 1);
      // Several channels, for taking a unit costs about as much as one small plane.
      const ptrdiff_t fit = kBlockPixels / (std::min(piece.block, size) * out.width);
      const int most = ceil_div(channels, threads_ == 1 ? 1 : 4);
      piece.channels = step.tile > 1 ? step.tile : std::max(static_cast<int>(std::min<ptrdiff_t>(fit, most)), 1);
      piece.parts = ceil_div(channels, piece.channels);
    }
  } else if (op.kind == OpKind::kGlobalPool) {
    piece.parts = ceil_div(channels, 4 * lanes);
  } else if (op.kind == OpKind::kScale) {
    piece.parts = planes ? channels : static_cast<int>(out.pixels());
  } else if (op.kind == OpKind::kSum) {
    piece.parts = channels;
  }
  // A region for each thread: what it reads there in the next step is then mostly in its own cache. In the channels form
  // each thread would need all weights.
  if (!pointwise(op) || planes) {
    piece.regions = static_cast<int>(std::clamp<ptrdiff_t>(size / piece.grain, 1, threads_));
  }
  const ptrdiff_t region = piece.end - piece.region_begin(piece.regions - 1);
  piece.blocks = ceil_div(region, piece.block);
  return piece;
}

// The steps from `first` on that can take turns: a tensor that is asked for must be complete after the step before. Each
// unit waits for a row or two of the one before, and so many rows of a few units' tensors fit the cache.
int Plan::last_of_segment(int first) const {
  constexpr int kMostUnits = 3;
  int last = first, units = 0;
  while (in_rows(last) && (steps_[last].op->residual < 0 || ++units < kMostUnits) &&
         last + 1 < static_cast<int>(steps_.size()) && in_rows(last + 1) &&
         std::find(ready_.begin(), ready_.end(), last) == ready_.end()) {
    last++;
  }
  return last;
}

// How often steps first to last should take turns.
int Plan::bands(int first, int last) const {
  ptrdiff_t most = 0;
  int rows = placement(steps_[first].op->output).height;
  for (int s = first; s <= last; s++) {
    const Op& op = *steps_[s].op;
    ptrdiff_t bytes = 0;
    for (const int value : {op.input, op.residual, op.output}) {
      if (value < 0) continue;
      const size_t size = element_size(graph_.tensors[graph_.values[value].tensor], kernels_);
      bytes += graph_.values[value].channels * placement(value).pixels() * static_cast<ptrdiff_t>(size);
    }
    most = std::max(most, bytes);
    rows = std::min(rows, placement(op.output).height);
  }
  return most <= limits_.whole ? 1 : std::min(ceil_div(most, limits_.band), rows);
}

// Steps first to last taking turns: how far each has come, and where windows are.
class Plan::Turns {
 public:
  Turns(Plan& plan, int first, int last) : plan_(plan), first_(first), last_(last) {
    const size_t tensors = plan.graph_.tensors.size();
    readers_.resize(tensors);
    writers_.resize(tensors);
    start_.resize(tensors);
    slides_.assign(tensors, true);
    done_.resize(last + 1);
    in_place_.resize(last + 1);
    // Tensors that nobody else knows and that lie in nobody else's memory have windows.
    for (int s = 0; s < static_cast<int>(plan.steps_.size()); s++) {
      const Op& op = *plan.steps_[s].op;
      const bool here = first <= s && s <= last;
      if (here) in_place_[s] = plan.overwrites(s);
      if (here) writers_[tensor(op.output)].push_back(s);
      for (const int t : {tensor(op.input), tensor(op.residual), tensor(op.factor), tensor(op.output)}) {
        if (t < 0) continue;
        if (here && t != tensor(op.output)) readers_[t].push_back(s);
        if (!here || (in_place_[s] && t != tensor(op.input))) slides_[t] = false;
      }
    }
    slides_[tensor(plan.graph_.input)] = false;
    for (const int output : plan.graph_.outputs) slides_[tensor(output)] = false;
  }

  void take(int bands) {
    for (int band = 1; band <= bands; band++) {
      for (int s = first_; s <= last_; s++) {
        const ptrdiff_t end = next(s, band, bands);
        if (end > done_[s]) advance(s, end);
      }
    }
  }

 private:
  int tensor(int value) const { return value < 0 ? -1 : plan_.graph_.values[value].tensor; }
  const Op& op(int s) const { return *plan_.steps_[s].op; }

  ptrdiff_t pixels_done(int s) const {
    return pointwise(op(s)) ? done_[s] : done_[s] * plan_.placement(op(s).output).width;
  }

  // Pixels of a tensor that are there for a step.
  ptrdiff_t available(int t, int reader) const {
    ptrdiff_t pixels = plan_.placements_[t].pixels();
    for (const int w : writers_[t]) {
      if (w < reader) pixels = std::min(pixels, pixels_done(w));
    }
    return pixels;
  }

  // Pixels of its inputs that a step needs no more.
  ptrdiff_t consumed(int s) const {
    const Placement& in = plan_.placement(op(s).input);
    if (done_[s] == plan_.extent(s)) return in.pixels();
    if (pointwise(op(s))) return done_[s];
    return std::max<ptrdiff_t>(done_[s] * op(s).stride - plan_.steps_[s].pad_y, 0) * in.width;
  }

  // How far a step can go in this band, in rows or pixels.
  ptrdiff_t next(int s, int band, int bands) const {
    const int input = tensor(op(s).input), residual = tensor(op(s).residual);
    const Placement& in = plan_.placements_[input];
    const ptrdiff_t all = plan_.extent(s), pixels = available(input, s);
    // Where a step reads nothing that is made here, the bands set the pace.
    const auto made_here = [&](int t) { return t >= 0 && !writers_[t].empty() && writers_[t].front() < s; };
    ptrdiff_t next = all;
    if (!made_here(input) && !made_here(residual)) {
      next = static_cast<ptrdiff_t>(static_cast<int64_t>(all) * band / bands);
    }
    if (!pointwise(op(s))) {
      if (pixels == in.pixels()) return next;
      const ptrdiff_t rows = pixels / in.width + plan_.steps_[s].pad_y - op(s).kernel;
      return rows < 0 ? 0 : std::min(next, rows / op(s).stride + 1);
    }
    next = std::min(next, pixels);
    if (residual >= 0) next = std::min(next, available(residual, s));
    // What is overwritten must have been read by all others that do.
    for (int r : in_place_[s] ? readers_[residual] : std::vector<int>()) {
      if (r < s) next = std::min(next, consumed(r));
    }
    const PwconvTiles& tiles = plan_.tiles(op(s));
    const ptrdiff_t tile = tiles.planes_nr * tiles.lanes;
    return next < all ? next - next % tile : next;
  }

  void advance(int s, ptrdiff_t end) {
    Piece piece = plan_.piece(s, done_[s], end);
    const int output = tensor(op(s).output);
    if (slides_[output]) {
      ptrdiff_t written = 0, needed = plan_.placements_[output].pixels();
      for (const int w : writers_[output]) {
        written = std::max(written, pixels_done(w));
        needed = std::min(needed, pixels_done(w));
      }
      for (const int r : readers_[output]) needed = std::min(needed, consumed(r));
      piece.slide_from = start_[output];
      start_[output] = needed - needed % kLine;
      piece.kept = written - start_[output];
    }
    done_[s] = end;
    if (slides_[output]) {
      ptrdiff_t& window = plan_.placements_[output].window;
      window = std::max(window, (pixels_done(s) - start_[output] + kLine - 1) / kLine * kLine);
    }
    piece.input_start = start_[tensor(op(s).input)];
    piece.output_start = start_[output];
    if (op(s).residual >= 0) piece.residual_start = start_[tensor(op(s).residual)];
    plan_.pieces_.push_back(piece);
  }

  Plan& plan_;
  const int first_, last_;
  std::vector<std::vector<int>> readers_, writers_;  // of each tensor, among these steps
  std::vector<ptrdiff_t> start_;                     // of each tensor's window, in pixels
  std::vector<bool> slides_;                         // whether a tensor has one
  std::vector<ptrdiff_t> done_;                      // rows or pixels of each step
  std::vector<bool> in_place_;                       // whether a step overwrites its residual
};

void Plan::schedule() {
  const int count = static_cast<int>(steps_.size());
  for (int first = 0; first < count;) {
    const int last = last_of_segment(first), turns = in_rows(first) ? bands(first, last) : 1;
    for (int s = first; s <= last; s++) {
      segments_.push_back(turns > 1 ? first : s);
      if (turns == 1) pieces_.push_back(piece(s, 0, extent(s)));
    }
    if (turns > 1) Turns(*this, first, last).take(turns);
    first = last + 1;
  }
}

}  // namespace sn
