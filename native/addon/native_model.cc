#include "addon/native_model.h"

#include "addon/arguments.h"
#include "addon/errors.h"

namespace sn {
namespace {

// Work on a thread of Node's pool that settles a promise. The core's errors pass through it.
class PromiseWorker : public Napi::AsyncWorker {
 public:
  explicit PromiseWorker(Napi::Env env) : Napi::AsyncWorker(env), deferred_(Napi::Promise::Deferred::New(env)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  virtual void work() = 0;
  virtual Napi::Value result(Napi::Env env) = 0;

  void Execute() override {
    try {
      work();
    } catch (...) {
      failure_ = Failure::current();
      failed_ = true;
    }
  }
  void OnOK() override {
    if (failed_) {
      deferred_.Reject(failure_.to_error(Env()).Value());
    } else {
      deferred_.Resolve(result(Env()));
    }
  }
  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

 private:
  Napi::Promise::Deferred deferred_;
  Failure failure_{};
  bool failed_ = false;
};

class CreateWorker : public PromiseWorker {
 public:
  CreateWorker(Napi::Env env, Graph graph, Napi::Object tensors, const Kernels& kernels, int threads)
      : PromiseWorker(env), graph_(std::move(graph)), tensors_(Napi::Persistent(tensors)), kernels_(kernels),
        threads_(threads) {}

 protected:
  void work() override { model_ = std::make_shared<Model>(graph_, kernels_, threads_); }
  Napi::Value result(Napi::Env env) override {
    return env.GetInstanceData<AddonData>()->model_class.New(
        {Napi::External<std::shared_ptr<Model>>::New(env, &model_)});
  }

 private:
  Graph graph_;
  Napi::ObjectReference tensors_;  // the graph points into them
  const Kernels& kernels_;
  int threads_;
  std::shared_ptr<Model> model_;
};

class RunWorker : public PromiseWorker {
 public:
  RunWorker(Napi::Env env, std::shared_ptr<Model> model, Napi::Float32Array input, int n, int height, int width,
            bool softmax, Napi::Float32Array output)
      : PromiseWorker(env), model_(std::move(model)), n_(n), height_(height), width_(width), softmax_(softmax),
        input_(input.Data()), output_(output.Data()), keep_input_(Napi::Persistent(input.As<Napi::Object>())),
        keep_output_(Napi::Persistent(output.As<Napi::Object>())) {}

 protected:
  void work() override { model_->run(input_, n_, height_, width_, softmax_, output_); }
  Napi::Value result(Napi::Env env) override { return env.Undefined(); }

 private:
  std::shared_ptr<Model> model_;
  int n_, height_, width_;
  bool softmax_;
  const float* input_;
  float* output_;
  Napi::ObjectReference keep_input_, keep_output_;
};

}  // namespace

NativeModel::NativeModel(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeModel>(info) {
  if (!info[0].IsExternal()) throw_error(info.Env(), "ERR_NATIVE", "use createModel()");
  model_ = *info[0].As<Napi::External<std::shared_ptr<Model>>>().Data();
}

Napi::Function NativeModel::define(Napi::Env env) {
  return DefineClass(env, "NativeModel",
                     {InstanceMethod<&NativeModel::run>("run"), InstanceMethod<&NativeModel::memory>("memory"),
                      InstanceMethod<&NativeModel::close>("close")});
}

Napi::Value NativeModel::create(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsObject() || !info[1].IsObject() || !info[2].IsObject()) {
    throw_error(env, "ERR_OPTION", "createModel(graph, tensors, options) takes three objects");
  }
  const Kernels* kernels = nullptr;
  try {
    kernels = &select_kernels();
  } catch (const std::exception&) {
    throw Failure::current().to_error(env);
  }
  const int threads = to_int(info[2].As<Napi::Object>().Get("threads"), "threads", 1, 1024);
  const Napi::Object tensors = info[1].As<Napi::Object>();
  auto* worker = new CreateWorker(env, to_graph(info[0].As<Napi::Object>(), tensors), tensors, *kernels, threads);
  worker->Queue();
  return worker->promise();
}

Napi::Value NativeModel::run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!model_) throw_error(env, "ERR_CLOSED", "the model is closed");
  const int n = to_int(info[1], "n", 1, 1 << 20);
  const int height = to_int(info[2], "height", 1, 1 << 14), width = to_int(info[3], "width", 1, 1 << 14);
  const size_t image = static_cast<size_t>(model_->input_channels()) * height * width;
  const Napi::Float32Array input = to_floats(info[0], "input", n * image);
  const Napi::Float32Array output =
      to_floats(info[5], "output", static_cast<size_t>(n) * model_->output_channels());
  auto* worker = new RunWorker(env, model_, input, n, height, width, info[4].ToBoolean(), output);
  worker->Queue();
  return worker->promise();
}

Napi::Value NativeModel::memory(const Napi::CallbackInfo& info) {
  const Model::Memory memory = model_ ? model_->memory() : Model::Memory{0, 0};
  Napi::Object result = Napi::Object::New(info.Env());
  result.Set("weights", static_cast<double>(memory.weights));
  result.Set("arenas", static_cast<double>(memory.arenas));
  return result;
}

void NativeModel::close(const Napi::CallbackInfo&) { model_.reset(); }

}  // namespace sn
