// JavaScript's face of LayerPipe: openLayerPipe(options, onEvent) → {handle, done}, pushLayerPipe(handle, kind, bytes).
#include "pipes.hh"

#include "async.hh"
#include "layer-pipe.hh"

namespace wb {
namespace {

struct Holder {
  Caller caller;
  Napi::FunctionReference onEvent;
  std::atomic<bool> isTold{false};
  std::unique_ptr<LayerPipe> pipe;
  LayerResult result;
  explicit Holder(Napi::Env env) : caller(env, false) {}
};

using HolderRef = std::shared_ptr<Holder>;

/// Many changes become one call: JavaScript reads the newest numbers when it gets to it.
void tell(const std::weak_ptr<Holder>& weak) {
  const HolderRef holder = weak.lock();
  if (!holder || holder->isTold.exchange(true)) return;
  holder->caller.call([holder](Napi::Env env) {
    holder->isTold = false;
    holder->onEvent.Call({Napi::Number::New(env, double(holder->pipe->tarBytes)),
                          Napi::Number::New(env, double(holder->pipe->blobBytes)),
                          Napi::Number::New(env, double(holder->pipe->queued()))});
  });
}

Napi::Value openLayerPipe(const Napi::CallbackInfo& info) {
  const auto given = info[0].As<Napi::Object>();
  LayerOptions options;
  options.path = toBytes(given.Get("path"));
  options.compression = Compression(given.Get("compression").As<Napi::Number>().Uint32Value());
  options.level = given.Get("level").As<Napi::Number>();
  options.fileDigests = given.Get("fileDigests").As<Napi::Boolean>();
  if (given.Get("clampSeconds").IsNumber()) options.clampSeconds = given.Get("clampSeconds").As<Napi::Number>().Int64Value();
  const auto holder = std::make_shared<Holder>(info.Env());
  holder->onEvent = Napi::Persistent(info[1].As<Napi::Function>());
  try {
    holder->pipe = std::make_unique<LayerPipe>(options, [weak = std::weak_ptr(holder)] { tell(weak); });
  } catch (const Failure& failure) {
    Napi::Error(info.Env(), failureToJs(info.Env(), failure)).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  // The thread gets a plain pointer: the holder has a JavaScript reference in it and must die on this thread.
  Holder* const bare = holder.get();
  const Napi::Promise done = runOnThread(
      info.Env(), [bare] { bare->result = bare->pipe->run(); },
      [holder](Napi::Env env) -> Napi::Value {
        LayerResult& result = holder->result;
        Napi::Object out = Napi::Object::New(env);
        out.Set("diffId", Napi::Buffer<uint8_t>::Copy(env, result.diffId.data(), result.diffId.size()));
        out.Set("digest", Napi::Buffer<uint8_t>::Copy(env, result.digest.data(), result.digest.size()));
        out.Set("size", Napi::Number::New(env, double(result.size)));
        out.Set("uncompressedSize", Napi::Number::New(env, double(result.uncompressedSize)));
        out.Set("index", toBuffer(env, std::move(result.index)));
        return out;
      });
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("handle", Napi::External<HolderRef>::New(info.Env(), new HolderRef(holder),
                                                   [](Napi::Env, HolderRef* owner) { delete owner; }));
  out.Set("done", done);
  return out;
}

Napi::Value pushLayerPipe(const Napi::CallbackInfo& info) {
  const HolderRef& holder = *info[0].As<Napi::External<HolderRef>>().Data();
  PipeMessage message{PipeMessage::Kind(info[1].As<Napi::Number>().Uint32Value()), {}};
  if (info[2].IsTypedArray()) {
    const auto bytes = info[2].As<Napi::Uint8Array>();
    message.bytes.assign(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
  }
  return Napi::Number::New(info.Env(), double(holder->pipe->push(std::move(message))));
}

}  // namespace

void exportLayerPipe(Napi::Env env, Napi::Object exports) {
  exports.Set("openLayerPipe", Napi::Function::New(env, openLayerPipe, "openLayerPipe"));
  exports.Set("pushLayerPipe", Napi::Function::New(env, pushLayerPipe, "pushLayerPipe"));
}

}  // namespace wb
