// ShuffleNet V1 as a user of XNNPACK would write it, for speed: operators on NHWC, set up once.
//
// - Bias and ReLU are part of the convolutions, add + ReLU is one operator.
// - Shortcut and branch of a stride-2 unit write into one buffer, by their pixel strides: no concatenation.
// - The average pool counts padded cells, which XNNPACK's pool does not: a depthwise convolution with weights of 1/9.
// - The shuffle runs after the depthwise convolution, whose rows are permuted instead: in stride-2 units it then moves a
//   quarter of the pixels.
// - Activations of a unit reuse three buffers, so that they stay in cache.
//
//   xnnpack PLAN WEIGHTS INPUT BATCH HEIGHT WIDTH THREADS
//
// PLAN: lines `stem OUT`, `unit IN MID OUT STRIDE GROUPS1 GROUPS2 SHUFFLE`, `fc IN OUT`. WEIGHTS: float32 weight and bias
// of each convolution in that order, PyTorch's layout, batch norm folded. INPUT: float32 NCHW. Then it is a contestant as
// bench/contestant.ts describes.
#include <xnnpack.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

void check(xnn_status status, const char* what) {
  if (status == xnn_status_success) return;
  std::cerr << what << ": XNNPACK status " << status << "\n";
  std::exit(1);
}

/// Whole cache lines: vectors of a buffer that begins anywhere would straddle two.
template <typename T>
struct CacheLines {
  using value_type = T;
  T* allocate(size_t count) { return static_cast<T*>(std::aligned_alloc(64, (count * sizeof(T) + 63) / 64 * 64)); }
  void deallocate(T* memory, size_t) { std::free(memory); }
  bool operator==(const CacheLines&) const { return true; }
  bool operator!=(const CacheLines&) const { return false; }
};
using Buffer = std::vector<float, CacheLines<float>>;

std::vector<float> read_floats(const char* name) {
  std::ifstream file(name, std::ios::binary | std::ios::ate);
  if (!file) {
    std::cerr << "cannot read " << name << "\n";
    std::exit(1);
  }
  // XNNPACK reads beyond the end of what it is given.
  std::vector<float> values(static_cast<size_t>(file.tellg()) / sizeof(float) + XNN_EXTRA_BYTES / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  values.resize(values.size() - XNN_EXTRA_BYTES / sizeof(float));
  return values;
}

struct Plane {
  size_t height, width;
  size_t size() const { return height * width; }
  Plane halved() const { return {(height + 1) / 2, (width + 1) / 2}; }
};

class Network {
 public:
  Network(const char* plan, std::vector<float> weights, const std::vector<float>& image, size_t batch, Plane plane,
          pthreadpool_t pool)
      : weights_(std::move(weights)), batch_(batch), pool_(pool) {
    input_ = buffer(3, plane);
    for (size_t n = 0; n < batch; n++) {
      for (size_t i = 0; i < plane.size(); i++) {
        for (size_t c = 0; c < 3; c++) {
          input_[(n * plane.size() + i) * 3 + c] = image[(n * 3 + c) * plane.size() + i];
        }
      }
    }
    std::ifstream lines(plan);
    std::string line, kind;
    while (std::getline(lines, line)) {
      std::istringstream words(line);
      words >> kind;
      if (kind == "stem") {
        size_t out;
        words >> out;
        stem(out, plane);
        plane = plane.halved().halved();
      } else if (kind == "unit") {
        Unit unit;
        words >> unit.in >> unit.mid >> unit.out >> unit.stride >> unit.groups1 >> unit.groups2 >> unit.shuffle;
        add_unit(unit, plane);
        if (unit.stride == 2) plane = plane.halved();
      } else {
        size_t in, out;
        words >> in >> out;
        classifier(in, out, plane);
      }
    }
  }

  void run() {
    for (xnn_operator_t op : operators_) check(xnn_run_operator(op, pool_), "run");
  }

  std::vector<double> logits() const { return {logits_.begin(), logits_.end()}; }

 private:
  struct Unit {
    size_t in, mid, out, stride, groups1, groups2, shuffle;
  };
  struct Conv {
    size_t in, out, kernel = 1, stride = 1, groups = 1, in_stride = 0, out_stride = 0;
    bool relu = true;
  };

  Buffer buffer(size_t channels, Plane plane) const {
    return Buffer(batch_ * channels * plane.size() + XNN_EXTRA_BYTES / sizeof(float));
  }

  /// The next `count` weights of the file.
  const float* take(size_t count) {
    const float* values = weights_.data() + taken_;
    taken_ += count;
    if (taken_ > weights_.size()) {
      std::cerr << "too few weights\n";
      std::exit(1);
    }
    return values;
  }

  /// `weight` is [out, kernel, kernel, in / groups].
  void conv(const Conv& c, Plane plane, const float* weight, const float* bias, const float* from, float* to) {
    const uint32_t pad = static_cast<uint32_t>(c.kernel / 2), kernel = static_cast<uint32_t>(c.kernel);
    const uint32_t stride = static_cast<uint32_t>(c.stride);
    xnn_operator_t op = nullptr;
    check(xnn_create_convolution2d_nhwc_f32(pad, pad, pad, pad, kernel, kernel, stride, stride, 1, 1,
                                            static_cast<uint32_t>(c.groups), c.in / c.groups, c.out / c.groups,
                                            c.in_stride, c.out_stride, weight, bias, c.relu ? 0.0f : -kInfinity,
                                            kInfinity, 0, &op),
          "convolution");
    check(xnn_setup_convolution2d_nhwc_f32(op, batch_, plane.height, plane.width, from, to, pool_), "convolution");
    operators_.push_back(op);
  }

  void stem(size_t out, Plane plane) {
    const float* weight = take(out * 27);
    std::vector<float> nhwc(out * 27);
    for (size_t o = 0; o < out; o++) {
      for (size_t c = 0; c < 3; c++) {
        for (size_t k = 0; k < 9; k++) nhwc[(o * 9 + k) * 3 + c] = weight[(o * 3 + c) * 9 + k];
      }
    }
    const Plane half = plane.halved();
    stem_ = buffer(out, half);
    Conv c{3, out};
    c.kernel = 3, c.stride = 2, c.in_stride = 3, c.out_stride = out;
    conv(c, plane, nhwc.data(), take(out), input_.data(), stem_.data());

    values_.push_back(buffer(out, half.halved()));
    xnn_operator_t op = nullptr;
    check(xnn_create_max_pooling2d_nhwc_f32(1, 1, 1, 1, 3, 3, 2, 2, 1, 1, out, out, out, -kInfinity, kInfinity, 0, &op),
          "max pool");
    check(xnn_setup_max_pooling2d_nhwc_f32(op, batch_, half.height, half.width, stem_.data(), values_.back().data(),
                                           pool_),
          "max pool");
    operators_.push_back(op);
  }

  /// The buffers of a whole stage are as large as its first unit needs them.
  void add_unit(const Unit& u, Plane plane) {
    const bool concat = u.stride == 2;
    const Plane out_plane = concat ? plane.halved() : plane;
    if (concat) {
      scratch_.push_back({buffer(u.mid, plane), buffer(u.mid, out_plane), buffer(u.out, out_plane)});
      values_.push_back(buffer(u.out, out_plane));
    }
    Scratch& scratch = scratch_.back();
    Buffer& value = values_.back();
    const float* in = concat ? values_[values_.size() - 2].data() : value.data();

    const float* weight1 = take(u.mid * u.in / u.groups1);
    const float* bias1 = take(u.mid);
    const float* depthwise = take(u.mid * 9);
    const float* depthwise_bias = take(u.mid);
    const size_t branch = concat ? u.out - u.in : u.out;
    const float* weight2 = take(branch * u.mid / u.groups2);
    const float* bias2 = take(branch);

    Conv first{u.in, u.mid};
    first.groups = u.groups1, first.in_stride = u.in, first.out_stride = u.mid;
    conv(first, plane, weight1, bias1, in, scratch.a.data());

    std::vector<float> rows(u.mid * 9), row_biases(u.mid);
    const size_t width = u.mid / u.shuffle;
    for (size_t i = 0; i < u.shuffle; i++) {
      for (size_t j = 0; j < width; j++) {
        const size_t before = i * width + j, after = j * u.shuffle + i;
        std::copy_n(depthwise + after * 9, 9, rows.data() + before * 9);
        row_biases[before] = depthwise_bias[after];
      }
    }
    Conv second{u.mid, u.mid};
    second.kernel = 3, second.stride = u.stride, second.groups = u.mid, second.relu = false;
    second.in_stride = second.out_stride = u.mid;
    conv(second, plane, rows.data(), row_biases.data(), scratch.a.data(), scratch.b.data());

    const float* shuffled = scratch.b.data();
    if (u.shuffle > 1) {
      xnn_operator_t op = nullptr;
      check(xnn_create_channel_shuffle_nc_x32(u.shuffle, width, u.mid, u.mid, 0, &op), "shuffle");
      // a is free again, and at least as large as b.
      check(xnn_setup_channel_shuffle_nc_x32(op, batch_ * out_plane.size(), scratch.b.data(), scratch.a.data(), pool_),
            "shuffle");
      operators_.push_back(op);
      shuffled = scratch.a.data();
    }

    Conv third{u.mid, branch};
    third.groups = u.groups2, third.in_stride = u.mid, third.out_stride = u.out, third.relu = concat;
    if (concat) {
      const std::vector<float> ninths(u.in * 9, 1.0f / 9);
      Conv pool{u.in, u.in};
      pool.kernel = 3, pool.stride = 2, pool.groups = u.in, pool.in_stride = u.in, pool.out_stride = u.out;
      pool.relu = false;
      conv(pool, plane, ninths.data(), nullptr, in, value.data());
      conv(third, out_plane, weight2, bias2, shuffled, value.data() + u.in);
    } else {
      conv(third, out_plane, weight2, bias2, shuffled, scratch.c.data());
      xnn_operator_t op = nullptr;
      check(xnn_create_add_nd_f32(0.0f, kInfinity, 0, &op), "add");
      const size_t count = batch_ * u.out * out_plane.size();
      check(xnn_setup_add_nd_f32(op, 1, &count, 1, &count, value.data(), scratch.c.data(), value.data(), pool_), "add");
      operators_.push_back(op);
    }
  }

  void classifier(size_t in, size_t out, Plane plane) {
    pooled_ = buffer(in, {1, 1});
    logits_ = buffer(out, {1, 1});
    xnn_operator_t op = nullptr;
    check(xnn_create_global_average_pooling_nwc_f32(in, in, in, -kInfinity, kInfinity, 0, &op), "global pool");
    check(xnn_setup_global_average_pooling_nwc_f32(op, batch_, plane.size(), values_.back().data(), pooled_.data(),
                                                   pool_),
          "global pool");
    operators_.push_back(op);
    const float* weight = take(in * out);
    check(xnn_create_fully_connected_nc_f32(in, out, in, out, weight, take(out), -kInfinity, kInfinity, 0, &op),
          "classifier");
    check(xnn_setup_fully_connected_nc_f32(op, batch_, pooled_.data(), logits_.data(), pool_), "classifier");
    operators_.push_back(op);
    logits_.resize(batch_ * out);
  }

  struct Scratch {
    Buffer a, b, c;
  };

  std::vector<float> weights_;
  size_t taken_ = 0, batch_;
  pthreadpool_t pool_;
  Buffer input_, stem_, pooled_, logits_;
  /// Of each stage: its units' input and output (the first is the max pool's output), and what they need in between.
  std::vector<Buffer> values_;
  std::vector<Scratch> scratch_;
  std::vector<xnn_operator_t> operators_;
};

double milliseconds() {
  using namespace std::chrono;
  return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

/// Times of single runs, after a fifth of `budget` ms to warm up.
std::vector<double> turn(Network& network, double budget) {
  const double begin = milliseconds();
  do network.run();
  while (milliseconds() - begin < budget / 5);
  std::vector<double> times;
  const double start = milliseconds();
  double now = start;
  do {
    network.run();
    const double end = milliseconds();
    times.push_back(end - now);
    now = end;
  } while (now - start < budget);
  return times;
}

void print(const std::vector<double>& values) {
  for (size_t i = 0; i < values.size(); i++) std::printf("%s%.9g", i == 0 ? "" : " ", values[i]);
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::cerr << "usage: xnnpack PLAN WEIGHTS INPUT BATCH HEIGHT WIDTH THREADS\n";
    return 2;
  }
  check(xnn_initialize(nullptr), "initialize");
  const size_t batch = std::strtoul(argv[4], nullptr, 10), threads = std::strtoul(argv[7], nullptr, 10);
  const Plane plane{std::strtoul(argv[5], nullptr, 10), std::strtoul(argv[6], nullptr, 10)};
  pthreadpool_t pool = threads > 1 ? pthreadpool_create(threads) : nullptr;
  Network network(argv[1], read_floats(argv[2]), read_floats(argv[3]), batch, plane, pool);
  std::printf("ready\n");
  std::fflush(stdout);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string command;
    double budget = 0;
    words >> command >> budget;
    if (command == "logits") {
      network.run();
      print(network.logits());
    } else if (command == "turn") {
      print(turn(network, budget));
    } else {
      std::cerr << "unknown command " << line << "\n";
      return 2;
    }
  }
  // Operators and pool go with the process.
}
