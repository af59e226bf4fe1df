// rebaseRecords, digestRecords, fileDigestsOf: see bulk.ts.
#pragma once
#include <napi.h>

namespace wb {

void exportBulk(Napi::Env env, Napi::Object exports);

}  // namespace wb
