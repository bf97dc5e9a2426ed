#pragma once

#include <node_api.h>

namespace hamsa::addon {

/** Adds the class `MediaTransport` and the numbers that its memory is laid out by. */
void DefineMediaTransport(napi_env env, napi_value exports);

}  // namespace hamsa::addon
