// The module's table of functions; no work.
#include <napi.h>

#include "bulk.hh"
#include "digest-stream.hh"
#include "files.hh"
#include "pipes.hh"
#include "upper.hh"

namespace {

Napi::Object init(Napi::Env env, Napi::Object exports) {
  wb::exportBulk(env, exports);
  wb::exportDigestStream(env, exports);
  wb::exportFiles(env, exports);
  wb::exportLayerPipe(env, exports);
  wb::exportUpper(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(wbuild, init)
