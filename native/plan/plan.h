// A fused graph made ready for one input size: layouts and kernels chosen, weights packed, activations placed in one
// arena. Running a plan allocates nothing.
#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/executor.h"
#include "core/thread_pool.h"
#include "graph/fuse.h"
#include "kernels/kernels.h"
#include "plan/profile.h"

namespace sn {

// How a tensor lies in memory: pixel p of channel c at data + c * channel_stride + p * pixel_stride.
//   planes    pixel_stride 1; the channel stride is padded to whole vectors
//   channels  channel_stride 1, dense pixels; also every tensor of one pixel
enum class Layout { kPlanes, kChannels };

// Planes that only steps which take turns use are never there as a whole: a window of some pixels slides over them.
struct Placement {
  Layout layout = Layout::kPlanes;
  int height = 0, width = 0;
  ptrdiff_t window = 0;  // its pixels, whole cache lines; 0: all are there
  ptrdiff_t channel_stride = 0, pixel_stride = 0;
  size_t offset = 0;  // in floats (whatever the elements), from the start of the arena
  ptrdiff_t pixels() const { return static_cast<ptrdiff_t>(height) * width; }
};

// The form in which an operation runs is its output's layout, except that one-pixel outputs may come from planes.
struct Step {
  const Op* op = nullptr;
  Layout form = Layout::kPlanes;
  int panels = 1;                              // pointwise, channels form: of one group
  int band = 0;                                // output rows that go through scratch at once
  int columns = 0;                             // of a scratch row, as kernels/rows
  int tile = 1;                                // pool: channels that leave the planes layout together
  int pad_y = 0, pad_x = 0;                    // padding before
  const void* weights = nullptr;               // packed, of the elements of the input
  size_t group_weights = 0;                    // packed size of one group
  std::vector<int32_t> input_offsets;          // of each input channel in its tensor; convolution: of each input plane;
                                               // pointwise, channels form: of each group in rising order
  std::vector<int32_t> residual_offsets;       // kSum
  std::vector<int32_t> tap_offsets;            // convolution: of each place of the window in scratch
  std::vector<float> row_scale, column_scale;  // or as many halves
};

// What all threads compute together before they go on to the next piece: output rows [begin, end) of a step, or pixels
// where the step is pointwise. These are split into regions, multiples of `grain` as equal as can be, and threads take
// units: a block of `block` rows or pixels of one part, which is a group or `channels` channels. The blocks of a part and
// the parts of a region follow each other.
struct Piece {
  int step = 0;
  ptrdiff_t begin = 0, end = 0;
  ptrdiff_t grain = 1, block = 1;
  int regions = 1, parts = 1, blocks = 1, channels = 1;
  int units() const { return regions * parts * blocks; }
  ptrdiff_t region_begin(int region) const {
    return region == regions ? end : begin + (end - begin) / grain * region / regions * grain;
  }
  // Where the windows of the tensors begin, in pixels.
  ptrdiff_t input_start = 0, residual_start = 0, output_start = 0;
  // First the output's window slides on, from slide_from to output_start: this many pixels of it are still needed.
  ptrdiff_t slide_from = 0, kept = 0;
};

// Whether a tensor, or a value, consists of halves.
inline bool half(const Tensor& tensor, const Kernels& kernels) { return kernels.halves && !tensor.wide; }
inline bool half(const FusedGraph& graph, const Kernels& kernels, int value) {
  return half(graph.tensors[graph.values[value].tensor], kernels);
}
inline size_t element_size(const Tensor& tensor, const Kernels& kernels) {
  return with_element(half(tensor, kernels), [](auto* element) { return sizeof *element; });
}

// Tile sizes of the kernels that read this value.
inline const PwconvTiles& tiles(const FusedGraph& graph, const Kernels& kernels, int value) {
  return *with_element(half(graph, kernels, value),
                       [&](auto* element) { return static_cast<const PwconvTiles*>(&kernels.of(element).pwconv); });
}

// Weights packed for the kernels in use, once for each form that a plan asks for.
class PackedWeights {
 public:
  PackedWeights(const FusedGraph& graph, const Kernels& kernels) : graph_(graph), kernels_(kernels) {}
  // float or Half, as the operation reads.
  const void* get(int op, Layout form);
  size_t bytes() const;

 private:
  AlignedBuffer pack(const Op& op, Layout form) const;

  const FusedGraph& graph_;
  const Kernels& kernels_;
  mutable std::mutex mutex_;
  std::map<std::pair<int, Layout>, AlignedBuffer> packed_;
};

// The input or output channels of one group.
int group_inputs(const FusedGraph& graph, const Op& op);
int group_outputs(const FusedGraph& graph, const Op& op);

// Bytes that a step reads and writes: up to `whole` it does so at once, beyond that in bands of `band` (schedule.cc).
// Measured on Zen 4 (1 MB of L2, shared L3): 224x224 is 7 % slower in bands, 720x1280 is 25 % slower without.
struct BandLimits {
  ptrdiff_t whole = 5 << 20, band = 384 << 10;
};

class Plan {
 public:
  // Throws Error(kInput) where the size does not fit the network.
  Plan(const FusedGraph& graph, const Kernels& kernels, PackedWeights& weights, int height, int width, int threads,
       const BandLimits& limits = {});

  size_t arena_floats() const { return arena_floats_ + threads_ * scratch_floats_; }
  // Values of the graph's i-th output for one image: channels * height * width.
  size_t output_size(size_t i) const;

  // One image: input is dense NCHW, and so are the outputs, one pointer for each of the graph's, null where it is not
  // wanted; what comes after the last one wanted is not computed. The pool has at most the threads given to the
  // constructor. Returns false, with outputs in any state, once the run is cancelled.
  bool run(const float* input, float* const* outputs, float* arena, ThreadPool& pool, const Cancellation& cancellation,
           StepObserver* observer = nullptr) const;

  // Times every step over `runs` runs of one image, after a few that do not count. Throws Error(kCancelled).
  Profile profile(float* arena, ThreadPool& pool, int runs, const Cancellation& cancellation) const;

 private:
  struct Frame;
  class Turns;

  void infer_shapes(int height, int width);
  void choose_layouts();
  double cost(int first_channels_op) const;
  double step_cost(const Op& op, const std::vector<Layout>& layouts) const;
  std::vector<Layout> layouts_from(int first_channels_op) const;
  void set_strides();
  void prepare(int index);
  void resolve(int index, PackedWeights& weights);
  void find_outputs();
  void schedule();
  int last_of_segment(int first) const;
  int bands(int first, int last) const;
  bool in_rows(int step) const;
  ptrdiff_t extent(int step) const;
  Piece piece(int step, ptrdiff_t begin, ptrdiff_t end) const;
  bool overwrites(int step) const;
  void place();
  StepProfile describe(const Step& step) const;

  const Placement& placement(int value) const { return placements_[graph_.values[value].tensor]; }
  const PwconvTiles& tiles(const Op& op) const { return sn::tiles(graph_, kernels_, op.input); }
  bool half(int value) const { return sn::half(graph_, kernels_, value); }
  // Whether the image is copied as halves into the arena; where not, it is read where it is.
  bool converts_input() const { return half(graph_.input); }
  bool is_input(int value) const { return graph_.values[value].tensor == graph_.values[graph_.input].tensor; }
  // The value is its whole tensor, so that a pixel's channels are dense.
  bool whole(int value) const;
  std::vector<int32_t> offsets(int value) const;

  static void convert_unit(void* frame, int thread, int unit);
  static void slide_unit(void* frame, int thread, int unit);
  static void run_unit(void* frame, int thread, int unit);

  const FusedGraph& graph_;
  const Kernels& kernels_;
  int threads_;
  BandLimits limits_;
  std::vector<Placement> placements_;  // of each tensor
  std::vector<Step> steps_;
  std::vector<Piece> pieces_;
  std::vector<int> segments_;  // of each step: the first step of those it takes turns with, band by band
  std::vector<int> ready_;     // of each output: the step after which it is complete
  size_t arena_floats_ = 0, scratch_floats_ = 0;
};

}  // namespace sn
