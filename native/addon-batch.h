#pragma once

#include <node_api.h>

namespace hamsa::addon {

/** Adds the class `DecodeBatch`, the native half of `src/audio/decode-batch.ts`. */
void DefineDecodeBatch(napi_env env, napi_value exports);

}  // namespace hamsa::addon
