#include "addon/native_model.h"

#include <algorithm>

#include "addon/arguments.h"
#include "addon/task.h"
#include "graph/key.h"

namespace sn {
namespace {

double to_id(Napi::Value value) {
  if (!value.IsNumber()) throw_error(value.Env(), "ERR_OPTION", "id must be a number");
  return value.As<Napi::Number>().DoubleValue();
}

void let_go(Napi::ObjectReference& reference, bool suppress) {
  if (suppress) {
    reference.SuppressDestruct();
  } else {
    reference.Reset();
  }
}

class CreateTask : public Task {
 public:
  CreateTask(Napi::Env env, double id, Graph graph, Napi::Object tensors, const Kernels& kernels, int threads)
      : Task(env, id), graph_(std::move(graph)), tensors_(Napi::Persistent(tensors)), kernels_(kernels),
        threads_(threads) {}

 protected:
  void work() override {
    model_ = std::make_shared<Model>(SharedWeights::get(content_key(graph_), graph_, kernels_), threads_);
  }
  Napi::Value result(Napi::Env env) override {
    return Environment::of(env).model_class.New({Napi::External<std::shared_ptr<Model>>::New(env, &model_)});
  }
  void release(bool suppress) override { let_go(tensors_, suppress); }

 private:
  Graph graph_;
  Napi::ObjectReference tensors_;  // the graph points into them
  const Kernels& kernels_;
  int threads_;
  std::shared_ptr<Model> model_;
};

// The arguments of run() and runSync(): input, n, height, width, softmax, outputs.
struct RunArguments {
  RunArguments(const Napi::CallbackInfo& info, size_t first, const Model& model)
      : n(to_int(info[first + 1], "n", 1, 1 << 20)), height(to_int(info[first + 2], "height", 1, 1 << 14)),
        width(to_int(info[first + 3], "width", 1, 1 << 14)), softmax(info[first + 4].ToBoolean()),
        arrays(info[first + 5].IsArray() ? info[first + 5].As<Napi::Array>() : Napi::Array::New(info.Env())) {
    const size_t size = static_cast<size_t>(n) * model.input_channels() * height * width;
    array = to_floats(info[first], "input", size);
    input = array.Data();
    if (arrays.Length() != model.outputs()) {
      throw_error(info.Env(), "ERR_OPTION",
                  "outputs must be an array of " + std::to_string(model.outputs()) + " arrays or undefined");
    }
    for (uint32_t i = 0; i < arrays.Length(); i++) {
      const Napi::Value value = arrays.Get(i);
      if (value.IsUndefined()) {
        outputs.push_back({nullptr, 0});
        continue;
      }
      const size_t length = value.IsTypedArray() ? value.As<Napi::TypedArray>().ElementLength() : 0;
      Napi::Float32Array output = to_floats(value, "an output", std::max<size_t>(length, 1));
      outputs.push_back({output.Data(), length});
    }
  }

  int n, height, width;
  bool softmax;
  Napi::Array arrays;
  Napi::Float32Array array;
  const float* input;
  std::vector<Model::Output> outputs;
};

class RunTask : public Task {
 public:
  RunTask(Napi::Env env, double id, std::shared_ptr<Model> model, const RunArguments& a)
      : Task(env, id), model_(std::move(model)), n_(a.n), height_(a.height), width_(a.width), softmax_(a.softmax),
        input_(a.input), outputs_(a.outputs), keep_input_(Napi::Persistent(a.array.As<Napi::Object>())),
        keep_outputs_(Napi::Persistent(a.arrays.As<Napi::Object>())) {}

 protected:
  void work() override { model_->run(input_, n_, height_, width_, softmax_, outputs_, next_, cancellation()); }
  Napi::Value result(Napi::Env env) override { return env.Undefined(); }
  void release(bool suppress) override {
    let_go(keep_input_, suppress);
    let_go(keep_outputs_, suppress);
  }

 private:
  std::shared_ptr<Model> model_;
  int n_, height_, width_;
  bool softmax_;
  const float* input_;
  std::vector<Model::Output> outputs_;
  std::atomic<int> next_{0};
  Napi::ObjectReference keep_input_, keep_outputs_;
};

class ProfileTask : public Task {
 public:
  ProfileTask(Napi::Env env, double id, std::shared_ptr<Model> model, int height, int width, int runs)
      : Task(env, id), model_(std::move(model)), height_(height), width_(width), runs_(runs) {}

 protected:
  void work() override { profile_ = model_->profile(height_, width_, runs_, cancellation()); }
  Napi::Value result(Napi::Env env) override {
    constexpr double kMilliseconds = 1e3;
    Napi::Array steps = Napi::Array::New(env, profile_.steps.size());
    for (uint32_t i = 0; i < profile_.steps.size(); i++) {
      const StepProfile& step = profile_.steps[i];
      Napi::Object object = Napi::Object::New(env);
      object.Set("name", step.name);
      object.Set("kind", step.kind);
      object.Set("form", step.form);
      object.Set("groups", step.groups);
      object.Set("inputChannels", step.input_channels);
      object.Set("outputChannels", step.output_channels);
      object.Set("height", step.height);
      object.Set("width", step.width);
      object.Set("kernel", step.kernel);
      object.Set("stride", step.stride);
      object.Set("multiplyAdds", step.multiply_adds);
      object.Set("bytes", step.bytes);
      object.Set("milliseconds", kMilliseconds * step.median);
      object.Set("minMilliseconds", kMilliseconds * step.least);
      steps.Set(i, object);
    }
    Napi::Object result = Napi::Object::New(env);
    result.Set("peak", profile_.peak);
    result.Set("milliseconds", kMilliseconds * profile_.median);
    result.Set("minMilliseconds", kMilliseconds * profile_.least);
    result.Set("steps", steps);
    return result;
  }
  void release(bool) override {}

 private:
  std::shared_ptr<Model> model_;
  int height_, width_, runs_;
  Profile profile_;
};

// Giving hundreds of megabytes back to the system takes it longer than the JavaScript thread can wait.
class Farewell : public Job {
 public:
  explicit Farewell(std::shared_ptr<Model> model) : model_(std::move(model)) {}
  void run() override { model_.reset(); }

 private:
  std::shared_ptr<Model> model_;
};

}  // namespace

NativeModel::NativeModel(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeModel>(info) {
  if (!info[0].IsExternal()) throw_error(info.Env(), "ERR_NATIVE", "use createModel()");
  model_ = *info[0].As<Napi::External<std::shared_ptr<Model>>>().Data();
  report(info.Env(), static_cast<int64_t>(model_->memory().weights));
}

NativeModel::~NativeModel() {
  drop();
  report(Env(), 0);
}

void NativeModel::drop() {
  if (!model_) return;
  try {
    Executor::instance().submit(std::make_shared<Farewell>(std::move(model_)));
  } catch (const std::exception&) {
    model_.reset();
  }
}

void NativeModel::report(Napi::Env env, int64_t bytes) {
  if (bytes != reported_) Napi::MemoryManagement::AdjustExternalMemory(env, bytes - reported_);
  reported_ = bytes;
}

Napi::Function NativeModel::define(Napi::Env env) {
  return DefineClass(env, "NativeModel",
                     {InstanceMethod<&NativeModel::run>("run"), InstanceMethod<&NativeModel::run_sync>("runSync"),
                      InstanceMethod<&NativeModel::profile>("profile"), InstanceMethod<&NativeModel::isa>("isa"),
                      InstanceMethod<&NativeModel::memory>("memory"), InstanceMethod<&NativeModel::close>("close")});
}

Napi::Value NativeModel::create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[1].IsObject() || !info[2].IsObject() || !info[3].IsObject()) {
    throw_error(env, "ERR_OPTION", "createModel(id, graph, tensors, options) takes a number and three objects");
  }
  const Napi::Object tensors = info[2].As<Napi::Object>(), options = info[3].As<Napi::Object>();
  const Napi::Value precision = options.Get("precision");
  const bool half = precision.IsString() && precision.As<Napi::String>().Utf8Value() == "fp16";
  const Kernels* kernels = nullptr;
  try {
    kernels = &select_kernels(half ? Precision::kHalf : Precision::kSingle);
  } catch (const std::exception&) {
    throw Failure::current().to_error(env);
  }
  // More threads than processors would only wait for each other.
  const int threads = std::min(to_int(options.Get("threads"), "threads", 1, 1024), Executor::instance().threads());
  return Task::start(std::make_shared<CreateTask>(env, to_id(info[0]), to_graph(info[1].As<Napi::Object>(), tensors),
                                                  tensors, *kernels, threads));
}

Napi::Value NativeModel::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!model_) throw_error(env, "ERR_CLOSED", "the model is closed");
  const RunArguments arguments(info, 1, *model_);
  auto task = std::make_shared<RunTask>(env, to_id(info[0]), model_, arguments);
  // One image a thread; or all threads on one image after another.
  const int times = model_->threads() == 1 ? std::min(arguments.n, Executor::instance().threads()) : 1;
  return Task::start(std::move(task), times);
}

void NativeModel::run_sync(const Napi::CallbackInfo& info) {
  if (!model_) throw_error(info.Env(), "ERR_CLOSED", "the model is closed");
  const RunArguments a(info, 0, *model_);
  const std::shared_ptr<Model> model = model_;
  std::atomic<int> next{0};
  try {
    model->run(a.input, a.n, a.height, a.width, a.softmax, a.outputs, next, Cancellation());
  } catch (const std::exception&) {
    throw Failure::current().to_error(info.Env());
  }
}

Napi::Value NativeModel::profile(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!model_) throw_error(env, "ERR_CLOSED", "the model is closed");
  return Task::start(std::make_shared<ProfileTask>(env, to_id(info[0]), model_, to_int(info[1], "height", 1, 1 << 14),
                                                   to_int(info[2], "width", 1, 1 << 14),
                                                   to_int(info[3], "runs", 1, 1 << 20)));
}

Napi::Value NativeModel::isa(const Napi::CallbackInfo& info) {
  if (!model_) throw_error(info.Env(), "ERR_CLOSED", "the model is closed");
  return Napi::String::New(info.Env(), model_->kernels().isa);
}

Napi::Value NativeModel::memory(const Napi::CallbackInfo& info) {
  const Model::Memory memory = model_ ? model_->memory() : Model::Memory{0, 0};
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("weights", static_cast<double>(memory.weights));
  result.Set("arenas", static_cast<double>(memory.arenas));
  return result;
}

void NativeModel::close(const Napi::CallbackInfo& info) {
  drop();
  report(info.Env(), 0);
}

}  // namespace sn
