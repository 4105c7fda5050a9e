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
  const int channels = graph_.values[op.output].channels, lanes = kernels_.pwconv.lanes;
  const ptrdiff_t size = end - begin;
  const bool planes = step.form == Layout::kPlanes;
  Piece piece;
  piece.step = index;
  piece.begin = begin;
  piece.end = end;
  int times = 1;
  if (pointwise(op) && planes) {
    const ptrdiff_t tile = kernels_.pwconv.planes_nr * lanes;
    const int tiles = ceil_div(size, tile);
    const int most = threads_ == 1 ? tiles : ceil_div(tiles, std::min(tiles, 4 * threads_));
    piece.block = tile * std::min<ptrdiff_t>(most, kBlockPixels / tile);
    times = op.groups;
  } else if (pointwise(op)) {
    const int wanted = threads_ == 1 ? 1 : ceil_div(4 * threads_, op.groups * step.panels);
    // The kernel sums single pixels in another order. It makes one of the last pixel where tiles are of two; even
    // blocks that leave more than one pixel over make no others.
    piece.block = std::clamp<ptrdiff_t>(ceil_div(size, wanted), 8, kBlockPixels);
    piece.block += piece.block % 2;
    while (piece.block < size && size % piece.block == 1) piece.block += 2;
    times = op.groups * step.panels;
  } else if (op.kind == OpKind::kConv) {
    piece.block = threads_ == 1 ? step.band : std::clamp(ceil_div(size, 4 * threads_), 1, step.band);
    times = op.groups;
  } else if (op.kind == OpKind::kDepthwise || op.kind == OpKind::kPool) {
    if (planes) {
      piece.block = step.tile > 1 ? step.band : std::max(kBlockPixels / out.width, 1);
      // Several channels, for taking a unit costs about as much as one small plane.
      const ptrdiff_t fit = kBlockPixels / (std::min(piece.block, size) * out.width);
      const int most = ceil_div(channels, threads_ == 1 ? 1 : 4 * threads_);
      piece.channels = step.tile > 1 ? step.tile : std::max(static_cast<int>(std::min<ptrdiff_t>(fit, most)), 1);
      times = ceil_div(channels, piece.channels);
    }
  } else if (op.kind == OpKind::kGlobalPool) {
    times = planes ? channels : ceil_div(channels, 4 * lanes);
  } else if (op.kind == OpKind::kScale) {
    times = planes ? channels : static_cast<int>(out.pixels());
  } else if (op.kind == OpKind::kSum) {
    times = channels;
  }
  piece.blocks = ceil_div(size, piece.block);
  piece.units = times * piece.blocks;
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
    ptrdiff_t floats = 0;
    for (const int value : {op.input, op.residual, op.output}) {
      if (value >= 0) floats += graph_.values[value].channels * placement(value).pixels();
    }
    most = std::max(most, floats * static_cast<ptrdiff_t>(sizeof(float)));
    rows = std::min(rows, placement(op.output).height);
  }
  return most <= limits_.whole ? 1 : std::min(ceil_div(most, limits_.band), rows);
}

void Plan::schedule_bands(int first, int last, int bands) {
  const size_t count = graph_.tensors.size();
  const auto tensor = [&](int value) { return value < 0 ? -1 : graph_.values[value].tensor; };
  // Tensors that nobody else knows and that lie in nobody else's memory have windows.
  std::vector<std::vector<int>> readers(count), writers(count);
  std::vector<bool> slides(count, true), in_place(last + 1);
  for (int s = 0; s < static_cast<int>(steps_.size()); s++) {
    const Op& op = *steps_[s].op;
    const bool here = first <= s && s <= last;
    if (here) in_place[s] = overwrites(s);
    if (here) writers[tensor(op.output)].push_back(s);
    for (const int t : {tensor(op.input), tensor(op.residual), tensor(op.factor), tensor(op.output)}) {
      if (t < 0) continue;
      if (here && t != tensor(op.output)) readers[t].push_back(s);
      if (!here || (in_place[s] && t != tensor(op.input))) slides[t] = false;
    }
  }
  slides[tensor(graph_.input)] = false;
  for (const int output : graph_.outputs) slides[tensor(output)] = false;

  std::vector<ptrdiff_t> done(last + 1, 0);  // rows or pixels of each step
  const auto pixels_done = [&](int s) {
    return pointwise(*steps_[s].op) ? done[s] : done[s] * placement(steps_[s].op->output).width;
  };
  // Pixels of its inputs that a step needs no more.
  const auto consumed = [&](int s) {
    const Op& op = *steps_[s].op;
    const Placement& in = placement(op.input);
    if (done[s] == extent(s)) return in.pixels();
    return pointwise(op) ? done[s] : std::max<ptrdiff_t>(done[s] * op.stride - steps_[s].pad_y, 0) * in.width;
  };
  std::vector<ptrdiff_t> start(count, 0);  // of each tensor's window
  const ptrdiff_t tile = kernels_.pwconv.planes_nr * kernels_.pwconv.lanes;
  for (int band = 1; band <= bands; band++) {
    for (int s = first; s <= last; s++) {
      const Op& op = *steps_[s].op;
      const int input = tensor(op.input), residual = tensor(op.residual), output = tensor(op.output);
      // Pixels of a tensor that are there. Where this step reads nothing of the segment's, the bands set the pace.
      bool paced = true;
      const auto available = [&](int t) {
        ptrdiff_t pixels = placements_[t].pixels();
        for (const int w : writers[t]) {
          if (w >= s) continue;
          pixels = std::min(pixels, pixels_done(w));
          paced = false;
        }
        return pixels;
      };
      const Placement& in = placements_[input];
      const ptrdiff_t all = extent(s), pixels = available(input);
      ptrdiff_t next = all;
      if (pointwise(op)) {
        next = std::min(next, residual < 0 ? pixels : std::min(pixels, available(residual)));
        if (in_place[s]) {
          for (const int r : readers[residual]) next = r < s ? std::min(next, consumed(r)) : next;
        }
      } else if (pixels < in.pixels()) {
        const ptrdiff_t rows = pixels / in.width + steps_[s].pad_y - op.kernel;
        next = rows < 0 ? 0 : std::min(next, rows / op.stride + 1);
      }
      if (paced) next = all * band / bands;
      if (pointwise(op) && next < all) next -= next % tile;
      if (next <= done[s]) continue;

      Piece p = piece(s, done[s], next);
      if (slides[output]) {
        ptrdiff_t written = 0, needed = placements_[output].pixels();
        for (const int w : writers[output]) {
          written = std::max(written, pixels_done(w));
          needed = std::min(needed, pixels_done(w));
        }
        for (const int r : readers[output]) needed = std::min(needed, consumed(r));
        p.slide_from = start[output];
        start[output] = needed - needed % kLine;
        p.kept = written - start[output];
      }
      done[s] = next;
      if (slides[output]) {
        ptrdiff_t& window = placements_[output].window;
        window = std::max(window, (pixels_done(s) - start[output] + kLine - 1) / kLine * kLine);
      }
      p.input_start = start[input];
      p.output_start = start[output];
      if (residual >= 0) p.residual_start = start[residual];
      pieces_.push_back(p);
    }
  }
}

void Plan::schedule() {
  const int count = static_cast<int>(steps_.size());
  for (int first = 0; first < count;) {
    const int last = last_of_segment(first), turns = bands(first, last);
    for (int s = first; s <= last; s++) {
      segments_.push_back(turns > 1 ? first : s);
      if (turns == 1) pieces_.push_back(piece(s, 0, extent(s)));
    }
    if (turns > 1) schedule_bands(first, last, turns);
    first = last + 1;
  }
}

}  // namespace sn
