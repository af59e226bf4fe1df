// The module's table of functions, and how this process takes memory.
#include <malloc.h>
#include <napi.h>

#include "bulk.hh"
#include "digest-stream.hh"
#include "files.hh"
#include "pipes.hh"
#include "upper.hh"

namespace {

/// glibc gives each thread an arena of its own, and keeps blocks of up to 32 MiB in them once such a block was freed: what our
/// threads give back, nobody else gets. Two arenas are enough for threads that mostly compute; what is large goes back at once.
void shareMemory() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  shareMemory();
  wb::exportBulk(env, exports);
  wb::exportDigestStream(env, exports);
  wb::exportFiles(env, exports);
  wb::exportLayerPipe(env, exports);
  wb::exportUpper(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(wbuild, init)
