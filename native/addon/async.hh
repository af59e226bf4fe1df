// Work on a thread of our own, its end as a promise: libuv's four threads stay free for Node's files and names.
#pragma once
#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "failure.hh"
#include "growing.hh"

namespace wb {

/// Calls into JavaScript from any thread. Calls queue up; they are dropped silently once the environment ends.
class Caller {
 public:
  /// On the JavaScript thread. `keepAlive` holds the process until `close`.
  Caller(Napi::Env env, bool keepAlive);
  ~Caller();
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;
  /// From any thread. Does nothing once Node is ending.
  void call(std::function<void(Napi::Env)> work);

  /// What outlives both: Node ends its side when the process does, whoever still holds a Caller then.
  struct Gate {
    std::mutex mutex;
    bool isClosed = false;
  };

 private:
  napi_threadsafe_function handle_ = nullptr;
  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

/// The Failure as a JavaScript Error with `layerCode`, `path` (raw bytes) and `errno` (a number) for addon.ts.
Napi::Value failureToJs(Napi::Env env, const Failure& failure);

/// Runs `work` on a new thread; `toJs` makes the promise's value of what it left behind.
Napi::Promise runOnThread(Napi::Env env, std::function<void()> work, std::function<Napi::Value(Napi::Env)> toJs);

/// Bytes that become a Buffer without being copied.
Napi::Value toBuffer(Napi::Env env, std::string bytes);
Napi::Value toBuffer(Napi::Env env, Growing bytes);
std::string toBytes(const Napi::Value& value);

}  // namespace wb
