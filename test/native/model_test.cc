// Models as a whole: the same on every instruction set and number of threads, from many threads at once, cancelled, and
// with memory failing at every allocation.
#include <chrono>
#include <cstdlib>
#include <memory>
#include <new>
#include <thread>

#include "core/error.h"
#include "networks.h"

namespace {

// Allocations left before one fails; none fails while negative.
thread_local long allocations_left = -1;
thread_local long failures = 0;

void* allocate(size_t bytes, size_t alignment) {
  if (allocations_left == 0) {
    failures++;
    throw std::bad_alloc();
  }
  if (allocations_left > 0) allocations_left--;
  void* p = nullptr;
  if (posix_memalign(&p, alignment < sizeof(void*) ? sizeof(void*) : alignment, bytes ? bytes : 1))
    throw std::bad_alloc();
  return p;
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void* operator new[](size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void* operator new(size_t bytes, std::align_val_t alignment) { return allocate(bytes, static_cast<size_t>(alignment)); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  try {
    return operator new(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { std::free(p); }

namespace sn::test {
namespace {

const Kernels& scalar() { return available_kernels().back(); }

std::unique_ptr<Model> make(const RandomNetwork& network, const Kernels& kernels, int threads = 1) {
  return std::make_unique<Model>(SharedWeights::get("", network.graph, kernels), threads);
}

// Random networks of seeds 1 to `seeds`, or as many as fit SHUFFLENET_FUZZ_SECONDS.
template <class F>
void each_network(uint64_t seeds, F f) {
  const char* const text = std::getenv("SHUFFLENET_FUZZ_SECONDS");
  const std::chrono::duration<double> limit(text ? std::atof(text) : 0);
  const auto start = std::chrono::steady_clock::now();
  for (uint64_t seed = 1; text ? std::chrono::steady_clock::now() - start < limit : seed <= seeds; seed++) {
    Random random(seed);
    if (random.skip()) continue;
    const RandomNetwork network(random);
    f(seed, network, random);
  }
}

// Differential fuzzing.
void isas_agree(const Kernels& kernels) {
  each_network(120, [&](uint64_t seed, const RandomNetwork& network, Random& random) {
    const int height = random.between(8, 100), width = random.between(8, 100), threads = random.between(1, 3);
    begin_case("seed %llu, %dx%d, %d threads", static_cast<unsigned long long>(seed), height, width, threads);
    const std::vector<float> input = random_values(static_cast<size_t>(6) * height * width, random);
    std::vector<float> expected, actual;
    try {
      expected = run(*make(network, scalar()), input, 2, height, width);
    } catch (const Error& error) {
      if (error.code != ErrorCode::kInput) throw;
      return;  // padding rules that do not fit this size
    }
    const auto model = make(network, kernels, threads);
    actual = run(*model, input, 2, height, width);
    float scale = 1e-3f;
    for (float v : expected) scale = std::max(scale, std::fabs(v));
    // Floats round to 6e-8, halves to 4.9e-4 at most: rounding the weights, the image and each output alone makes ten times
    // that where they add up. Of networks like these 1.3e-3 was the worst.
    const float tolerance = kernels.halves ? 5e-3f : 2e-4f;
    for (size_t j = 0; j < expected.size(); j++) {
      if (!(std::fabs(actual[j] - expected[j]) <= tolerance * scale)) {
        fail("logit %zu is %.9g, by scalar kernels %.9g", j, actual[j], expected[j]);
      }
    }
    if (run(*make(network, kernels), input, 2, height, width) != actual) fail("differs from one thread");
  });
}

// All outputs of one image, by a plan of its own.
std::vector<std::vector<float>> run_plan(SharedWeights& weights, const std::vector<float>& input, int height, int width,
                                         int threads, const BandLimits& limits) {
  const Plan plan(weights.graph, weights.kernels, weights.packed, height, width, threads, limits);
  ThreadPool pool(threads);
  const AlignedBuffer arena(plan.arena_floats());
  std::vector<std::vector<float>> outputs;
  std::vector<float*> pointers;
  for (size_t i = 0; i < weights.graph.outputs.size(); i++) {
    pointers.push_back(outputs.emplace_back(plan.output_size(i)).data());
  }
  plan.run(input.data(), pointers.data(), arena.data(), pool, Cancellation());
  return outputs;
}

void bands_agree(const Kernels& kernels) {
  each_network(150, [&](uint64_t seed, const RandomNetwork& network, Random& random) {
    const int height = random.between(8, 150), width = random.between(8, 100), threads = random.between(1, 2);
    const BandLimits limits = {0, 1 << random.between(0, 16)}, none = {PTRDIFF_MAX, 1};
    begin_case("seed %llu, %dx%d, %d threads, bands of %td bytes", static_cast<unsigned long long>(seed), height, width,
               threads, limits.band);
    const std::vector<float> input = random_values(static_cast<size_t>(3) * height * width, random);
    SharedWeights weights(network.graph, kernels);
    try {
      if (run_plan(weights, input, height, width, threads, limits) !=
          run_plan(weights, input, height, width, 1, none)) {
        fail("differs from whole planes");
      }
    } catch (const Error& error) {
      if (error.code != ErrorCode::kInput) throw;  // padding rules that do not fit this size
    }
  });
}

// Of the last `runs` of `before` + `runs` runs, how many one thread did alone, where one and several take so long.
int runs_alone(Teamwork& teamwork, int before, int runs, const std::function<double(bool alone, int run)>& seconds) {
  int count = 0;
  for (int i = 0; i < before + runs; i++) {
    const bool alone = teamwork.alone();
    teamwork.took(alone, Teamwork::Duration(seconds(alone, i)));
    count += alone && i >= before;
  }
  return count;
}

void threads_only_where_they_pay() {
  const auto faster = [](bool alone, int) { return alone ? 1.0 : 0.6; };
  const auto slower = [](bool alone, int) { return alone ? 1.0 : 1.3; };
  const auto expect = [](const char* what, int alone, int least, int most) {
    if (alone < least || alone > most) fail("%s: %d of 1000 runs alone, expected %d to %d", what, alone, least, most);
  };
  Teamwork teamwork;
  expect("faster together", runs_alone(teamwork, 0, 1000, faster), 1, 10);
  expect("slower from now on", runs_alone(teamwork, 100, 1000, slower), 930, 1000);
  expect("faster again", runs_alone(teamwork, 1000, 1000, faster), 1, 10);
  const auto loses_core = [](bool alone, int run) { return alone ? 1.0 : run % 50 == 0 ? 6.0 : 0.6; };
  expect("loses its core now and then", runs_alone(teamwork, 0, 1000, loses_core), 1, 10);
  const auto cold = [](bool alone, int run) { return run < 3 ? 20.0 : alone ? 1.0 : 0.6; };
  Teamwork fresh;
  expect("slow at first", runs_alone(fresh, 0, 1000, cold), 1, 10);
}

void threads_at_once() {
  Random random(12);
  const RandomNetwork network(random);
  const Kernels& kernels = available_kernels().front();
  const auto weights = SharedWeights::get("threads at once", network.graph, kernels);
  if (SharedWeights::get("threads at once", network.graph, kernels) != weights) fail("the same key made new weights");
  Model one(weights, 1), three(weights, 3);
  const std::vector<std::pair<int, int>> sizes = {{32, 32}, {64, 48}, {48, 64}, {96, 33}, {40, 40}, {65, 65}};
  std::vector<std::vector<float>> inputs, expected;
  for (const auto& [height, width] : sizes) {
    inputs.push_back(random_values(static_cast<size_t>(9) * height * width, random));
    expected.push_back(run(one, inputs.back(), 3, height, width));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 12; i++) {
        const size_t s = (i + t) % sizes.size();
        wrong += run(t % 2 ? one : three, inputs[s], 3, sizes[s].first, sizes[s].second) != expected[s];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (wrong) fail("%d runs differ", wrong.load());
}

struct CountingJob : Job {
  explicit CountingJob(std::atomic<int>& ran) : ran(ran) {}
  void run() override { ran++; }
  std::atomic<int>& ran;
};

void executor_loses_nothing() {
  std::atomic<int> ran{0}, withdrawn{0}, submitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; i++) {
        const auto job = std::make_shared<CountingJob>(ran);
        submitted += 1 + i % 3;
        Executor::instance().submit(job, 1 + i % 3);
        if (i % 2) withdrawn += Executor::instance().withdraw(job.get());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int i = 0; i < 5000 && ran + withdrawn < submitted; i++)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (ran + withdrawn != submitted)
    fail("%d of %d jobs ran, %d withdrawn", ran.load(), submitted.load(), withdrawn.load());
}

void cancelled_runs_stop() {
  Random random(13);
  const RandomNetwork network(random);
  for (int threads : {1, 3}) {
    const auto model = make(network, available_kernels().front(), threads);
    const std::vector<float> input = random_values(static_cast<size_t>(3) * 512 * 512, random);
    std::vector<float> logits(model->output_channels());
    std::vector<Model::Output> outputs(model->outputs(), {nullptr, 0});
    outputs[0] = {logits.data(), logits.size()};
    for (int delay = 0; delay < 20; delay++) {
      begin_case("%d threads, after %d x 100 us", threads, delay);
      Cancellation cancellation;
      std::atomic<int> next{0};
      std::thread canceller([&] {
        std::this_thread::sleep_for(std::chrono::microseconds(100 * delay));
        cancellation.cancel();
      });
      try {
        model->run(input.data(), 1, 512, 512, false, outputs, next, cancellation);
      } catch (const Error& error) {
        if (error.code != ErrorCode::kCancelled) fail("another error: %s", error.what());
      }
      canceller.join();
    }
    const std::vector<float> after = run(*model, input, 1, 512, 512);
    if (after != run(*make(network, available_kernels().front()), input, 1, 512, 512)) fail("later runs are wrong");
  }
}

void allocation_failures() {
  Random random(14);
  const RandomNetwork network(random);
  const std::vector<float> input = random_values(static_cast<size_t>(3) * 64 * 64, random);
  const std::vector<float> expected = run(*make(network, available_kernels().front()), input, 1, 64, 64);
  for (long n = 0, threads = 1;; n++) {
    begin_case("allocation %ld fails, %ld threads", n, threads);
    const long before = failures;
    bool threw = false;
    std::vector<float> actual;
    allocations_left = n;
    try {
      const auto model = make(network, available_kernels().front(), static_cast<int>(threads));
      actual = run(*model, input, 1, 64, 64);
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    allocations_left = -1;
    if (!threw && actual != expected) fail("wrong logits");
    if (failures == before) {  // all of them succeeded: every place has failed once
      if (n < 100) fail("only %ld allocations", n);
      if (threads == 3) return;
      threads = 3;
      n = -1;
    } else if (!threw && threads == 1) {  // threads that help may be missing
      fail("went unnoticed");
    }
  }
}

// The second run of a size, and all that follow.
void running_allocates_nothing() {
  Random random(15);
  const RandomNetwork network(random);
  for (const Kernels& kernels : available_kernels()) {
    const SharedWeights weights(network.graph, kernels);
    PackedWeights packed(weights.graph, kernels);
    const Plan plan(weights.graph, kernels, packed, 64, 64, 1);
    ThreadPool pool(1);
    const AlignedBuffer arena(plan.arena_floats());
    const std::vector<float> input = random_values(static_cast<size_t>(3) * 64 * 64, random);
    std::vector<float> logits(plan.output_size(0));
    float* outputs[] = {logits.data(), nullptr};
    allocations_left = 0;
    bool threw = false;
    try {
      plan.run(input.data(), outputs, arena.data(), pool, Cancellation());
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    allocations_left = -1;
    if (threw) fail("%s allocated", kernels.isa);
  }
}

const Test kTests[] = {
    {"random networks give what scalar kernels give, whatever the number of threads", isas_agree},
    {"steps that take turns, band by band, give the same bits as steps one after another", bands_agree},
    {"one thread does alone what several do no faster, and no more than that", threads_only_where_they_pay},
    {"threads at once, sharing weights and models, get the same bits", threads_at_once},
    {"the executor runs or gives back every job", executor_loses_nothing},
    {"cancelled runs end, and leave the model sound", cancelled_runs_stop},
    {"a failure of any allocation of load, plan or run is std::bad_alloc and nothing else", allocation_failures},
    {"running a plan allocates nothing", running_allocates_nothing},
};

}  // namespace
}  // namespace sn::test
