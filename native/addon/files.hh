// Exports: walkFolder, digestFiles, lockFile and the small file primitives.
#pragma once
#include <napi.h>

namespace wb {
void exportFiles(Napi::Env env, Napi::Object exports);
}
