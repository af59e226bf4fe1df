// upperRecords: see bulk.ts.
#pragma once
#include <napi.h>

namespace wb {

void exportUpper(Napi::Env env, Napi::Object exports);

}  // namespace wb
