// JavaScript's faces of LayerPipe and Unpacker: open…(options, onEvent) → {handle, done}; push…(handle, kind, bytes).
#include "pipes.hh"

#include "async.hh"
#include "layer-pipe.hh"
#include "unpacker.hh"

namespace wb {
namespace {

template <class Work, class Result>
struct Holder {
  Caller caller;
  Napi::FunctionReference onEvent;
  std::atomic<bool> isTold{false};
  std::unique_ptr<Work> work;
  Result result;
  explicit Holder(Napi::Env env) : caller(env, false) {}
};

using LayerHolder = Holder<LayerPipe, LayerResult>;
using UnpackHolder = Holder<Unpacker, UnpackResult>;

void report(LayerHolder& holder, Napi::Env env) {
  LayerPipe& pipe = *holder.work;
  holder.onEvent.Call({Napi::Number::New(env, double(pipe.tarBytes)), Napi::Number::New(env, double(pipe.blobBytes)),
                       Napi::Number::New(env, double(pipe.queued()))});
}

void report(UnpackHolder& holder, Napi::Env env) { holder.onEvent.Call({Napi::Number::New(env, double(holder.work->queued()))}); }

/// Many changes become one call: JavaScript reads the newest numbers when it gets to it.
template <class H>
void tell(const std::weak_ptr<H>& weak) {
  const std::shared_ptr<H> holder = weak.lock();
  if (!holder || holder->isTold.exchange(true)) return;
  holder->caller.call([holder](Napi::Env env) {
    holder->isTold = false;
    report(*holder, env);
  });
}

Napi::Value digest(Napi::Env env, const Digest& bytes) { return Napi::Buffer<uint8_t>::Copy(env, bytes.data(), bytes.size()); }

Napi::Object toJs(Napi::Env env, LayerResult& result) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("diffId", digest(env, result.diffId));
  out.Set("digest", digest(env, result.digest));
  out.Set("size", Napi::Number::New(env, double(result.size)));
  out.Set("uncompressedSize", Napi::Number::New(env, double(result.uncompressedSize)));
  out.Set("index", toBuffer(env, std::move(result.index)));
  return out;
}

Napi::Object toJs(Napi::Env env, UnpackResult& result) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("diffId", digest(env, result.diffId));
  out.Set("uncompressedSize", Napi::Number::New(env, double(result.uncompressedSize)));
  out.Set("index", toBuffer(env, std::move(result.index)));
  return out;
}

/// Makes the worker with `make(notify)` and starts it.
template <class H, class Make>
Napi::Value openWork(const Napi::CallbackInfo& info, Make&& make) {
  const auto holder = std::make_shared<H>(info.Env());
  holder->onEvent = Napi::Persistent(info[1].As<Napi::Function>());
  try {
    holder->work = make([weak = std::weak_ptr<H>(holder)] { tell(weak); });
  } catch (const Failure& failure) {
    Napi::Error(info.Env(), failureToJs(info.Env(), failure)).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  // The thread gets a plain pointer: the holder has a JavaScript reference in it and must die on this thread.
  H* const bare = holder.get();
  const Napi::Promise done = runOnThread(
      info.Env(), [bare] { bare->result = bare->work->run(); },
      [holder](Napi::Env env) -> Napi::Value { return toJs(env, holder->result); });
  using Ref = std::shared_ptr<H>;
  Napi::Object out = Napi::Object::New(info.Env());
  out.Set("handle", Napi::External<Ref>::New(info.Env(), new Ref(holder), [](Napi::Env, Ref* owner) { delete owner; }));
  out.Set("done", done);
  return out;
}

template <class H>
H& holderOf(const Napi::CallbackInfo& info) {
  return **info[0].As<Napi::External<std::shared_ptr<H>>>().Data();
}

std::string bytesOf(const Napi::Value& value) {
  if (!value.IsTypedArray()) return {};
  const auto bytes = value.As<Napi::Uint8Array>();
  return std::string(reinterpret_cast<const char*>(bytes.Data()), bytes.ByteLength());
}

Napi::Value openLayerPipe(const Napi::CallbackInfo& info) {
  const auto given = info[0].As<Napi::Object>();
  LayerOptions options;
  options.path = toBytes(given.Get("path"));
  options.compression = Compression(given.Get("compression").As<Napi::Number>().Uint32Value());
  options.level = given.Get("level").As<Napi::Number>();
  options.fileDigests = given.Get("fileDigests").As<Napi::Boolean>();
  if (given.Get("clampSeconds").IsNumber()) options.clampSeconds = given.Get("clampSeconds").As<Napi::Number>().Int64Value();
  return openWork<LayerHolder>(info, [&](std::function<void()> notify) { return std::make_unique<LayerPipe>(options, std::move(notify)); });
}

Napi::Value pushLayerPipe(const Napi::CallbackInfo& info) {
  PipeMessage message{PipeMessage::Kind(info[1].As<Napi::Number>().Uint32Value()), bytesOf(info[2])};
  return Napi::Number::New(info.Env(), double(holderOf<LayerHolder>(info).work->push(std::move(message))));
}

Napi::Value openUnpacker(const Napi::CallbackInfo& info) {
  const auto given = info[0].As<Napi::Object>();
  UnpackOptions options;
  options.path = toBytes(given.Get("path"));
  options.extract.folder = toBytes(given.Get("folder"));
  options.extract.overlay = given.Get("overlay").As<Napi::Boolean>();
  options.extract.privileged = given.Get("privileged").As<Napi::Boolean>();
  options.extract.fileDigests = given.Get("fileDigests").As<Napi::Boolean>();
  const auto lowers = given.Get("lowers").As<Napi::Array>();
  for (uint32_t i = 0; i < lowers.Length(); i++) options.extract.lowers.push_back(toBytes(lowers.Get(i)));
  options.maxBytes = uint64_t(given.Get("maxBytes").As<Napi::Number>().DoubleValue());
  options.maxEntries = uint64_t(given.Get("maxEntries").As<Napi::Number>().DoubleValue());
  options.maxExtraBytes = uint64_t(given.Get("maxExtraBytes").As<Napi::Number>().DoubleValue());
  options.maxRatio = given.Get("maxRatio").As<Napi::Number>();
  options.stripAbsolute = given.Get("stripAbsolute").As<Napi::Boolean>();
  return openWork<UnpackHolder>(info, [&](std::function<void()> notify) { return std::make_unique<Unpacker>(options, std::move(notify)); });
}

/// kind 0: bytes, 1: the end, 2: give up.
Napi::Value pushUnpacker(const Napi::CallbackInfo& info) {
  Unpacker& work = *holderOf<UnpackHolder>(info).work;
  const uint32_t kind = info[1].As<Napi::Number>();
  if (kind == 1) work.finish();
  if (kind == 2) work.abort();
  return Napi::Number::New(info.Env(), kind == 0 ? double(work.push(bytesOf(info[2]))) : 0);
}

}  // namespace

void exportLayerPipe(Napi::Env env, Napi::Object exports) {
  exports.Set("openLayerPipe", Napi::Function::New(env, openLayerPipe, "openLayerPipe"));
  exports.Set("pushLayerPipe", Napi::Function::New(env, pushLayerPipe, "pushLayerPipe"));
  exports.Set("openUnpacker", Napi::Function::New(env, openUnpacker, "openUnpacker"));
  exports.Set("pushUnpacker", Napi::Function::New(env, pushUnpacker, "pushUnpacker"));
}

}  // namespace wb
