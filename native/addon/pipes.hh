// Exports: the layer pipe and the unpacker, as handles with messages in and one promise out.
#pragma once
#include <napi.h>

namespace wb {
void exportLayerPipe(Napi::Env env, Napi::Object exports);
}
