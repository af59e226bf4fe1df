// Threads and promises.
#include "async.hh"

#include <cstring>
#include <system_error>
#include <thread>

namespace wb {
namespace {

void callJs(napi_env env, napi_value, void*, void* data) {
  std::unique_ptr<std::function<void(Napi::Env)>> work(static_cast<std::function<void(Napi::Env)>*>(data));
  if (env == nullptr) return;
  Napi::HandleScope scope(env);
  (*work)(Napi::Env(env));
}

void closeGate(napi_env, void* data, void*) {
  const std::unique_ptr<std::shared_ptr<Caller::Gate>> gate(static_cast<std::shared_ptr<Caller::Gate>*>(data));
  const std::lock_guard lock((*gate)->mutex);
  (*gate)->isClosed = true;
}

}  // namespace

Caller::Caller(Napi::Env env, bool keepAlive) {
  auto* gate = new std::shared_ptr<Gate>(gate_);
  const napi_status status = napi_create_threadsafe_function(env, nullptr, nullptr, Napi::String::New(env, "wbuild"), 0,
                                                             1, gate, closeGate, nullptr, callJs, &handle_);
  if (status != napi_ok) {
    delete gate;
    throw Napi::Error::New(env, "cannot make a thread-safe function");
  }
  if (!keepAlive) napi_unref_threadsafe_function(env, handle_);
}

// When the process ends, Node frees the function itself, and only then the objects that hold a Caller.
Caller::~Caller() {
  const std::lock_guard lock(gate_->mutex);
  if (!gate_->isClosed) napi_release_threadsafe_function(handle_, napi_tsfn_release);
}

void Caller::call(std::function<void(Napi::Env)> work) {
  const std::lock_guard lock(gate_->mutex);
  if (gate_->isClosed) return;
  auto* data = new std::function<void(Napi::Env)>(std::move(work));
  if (napi_call_threadsafe_function(handle_, data, napi_tsfn_nonblocking) != napi_ok) delete data;
}

Napi::Value failureToJs(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.text);
  error.Set("layerCode", Napi::String::New(env, failure.code));
  error.Set("path", Napi::Buffer<char>::Copy(env, failure.path.data(), failure.path.size()));
  error.Set("errno", Napi::Number::New(env, failure.error));
  if (failure.error != 0) error.Set("reason", Napi::String::New(env, std::generic_category().message(failure.error)));
  return error.Value();
}

Napi::Promise runOnThread(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> toJs) {
  struct Job {
    Napi::Promise::Deferred deferred;
    Caller caller;
    std::function<Napi::Value(Napi::Env)> toJs;
    std::unique_ptr<Failure> failure;
    Job(Napi::Env env, std::function<Napi::Value(Napi::Env)> toJs_)
        : deferred(env), caller(env, true), toJs(std::move(toJs_)) {}
  };
  auto* job = new Job(env, std::move(toJs));
  const Napi::Promise promise = job->deferred.Promise();
  std::thread([job, work = std::move(work)] {
    try {
      work();
    } catch (const Failure& failure) {
      job->failure = std::make_unique<Failure>(failure);
    } catch (const std::exception& error) {
      job->failure = std::make_unique<Failure>("LAYER_IO", std::string("native work failed: ") + error.what());
    }
    job->caller.call([job](Napi::Env env) {
      const std::unique_ptr<Job> end(job);
      if (job->failure) {
        job->deferred.Reject(failureToJs(env, *job->failure));
      } else {
        job->deferred.Resolve(job->toJs(env));
      }
    });
  }).detach();
  return promise;
}

/// In their own memory: an index has a hundred bytes for each file.
template <class Bytes>
static Napi::Value handOver(Napi::Env env, Bytes bytes) {
  auto* held = new Bytes(std::move(bytes));
  return Napi::Buffer<char>::New(
      env, held->data(), held->size(), [](Napi::Env, char*, Bytes* owner) { delete owner; }, held);
}

Napi::Value toBuffer(Napi::Env env, std::string bytes) { return handOver(env, std::move(bytes)); }
Napi::Value toBuffer(Napi::Env env, Growing bytes) { return handOver(env, std::move(bytes)); }

std::string toBytes(const Napi::Value& value) {
  if (value.IsBuffer()) {
    const auto buffer = value.As<Napi::Buffer<char>>();
    return std::string(buffer.Data(), buffer.Length());
  }
  return value.As<Napi::String>().Utf8Value();
}

}  // namespace wb
