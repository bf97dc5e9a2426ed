// Checks what JavaScript passes and forwards it, with `addon-batch.cc` for what is done for many packets at once and
// `addon-media.cc` for the media transport. The primitives know nothing of N-API; nothing here knows audio.
#include <node_api.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <mutex>

#include "addon-batch.h"
#include "addon-media.h"
#include "addon-values.h"
#include "base64.h"
#include "g711.h"
#include "mirrored-memory.h"

namespace hamsa::addon {
namespace {

using g711::Law;

// G.711

/** `g711Encode(law, pcm: Int16Array, codes: Uint8Array)`; law 0 is µ-law, 1 A-law. */
napi_value G711Encode(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Law law = static_cast<Law>(arguments.Integer(0, 1));
  const auto pcm = arguments.TypedArray<int16_t>(1);
  const auto codes = arguments.TypedArray<uint8_t>(2);
  if (arguments.Wrong()) return nullptr;
  if (codes.length < pcm.length) return ThrowRange(env, "Expected an output as long as the input");
  g711::Encode(law, pcm.data, pcm.length, codes.data);
  return nullptr;
}

/** `g711Decode(law, codes: Uint8Array, pcm: Int16Array)`. */
napi_value G711Decode(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const Law law = static_cast<Law>(arguments.Integer(0, 1));
  const auto codes = arguments.TypedArray<uint8_t>(1);
  const auto pcm = arguments.TypedArray<int16_t>(2);
  if (arguments.Wrong()) return nullptr;
  if (pcm.length < codes.length) return ThrowRange(env, "Expected an output as long as the input");
  g711::Decode(law, codes.data, codes.length, pcm.data);
  return nullptr;
}

// Base64

/** `base64Encode(bytes: Uint8Array, out: Uint8Array, offset)` → characters written. */
napi_value Base64Encode(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const auto bytes = arguments.TypedArray<uint8_t>(0);
  const auto out = arguments.TypedArray<uint8_t>(1);
  const size_t offset = arguments.Integer(2, UINT32_MAX);
  if (arguments.Wrong()) return nullptr;
  const size_t encoded = base64::EncodedLength(bytes.length);
  if (offset > out.length || encoded > out.length - offset) {
    return ThrowRange(env, "Expected room for " + std::to_string(encoded) + " characters");
  }
  base64::Encode(bytes.data, bytes.length, reinterpret_cast<char*>(out.data + offset));
  return Number(env, static_cast<double>(encoded));
}

// Mirrored rings

/** Rings by the number that a worker attaches with. Every environment of the process shares them. */
std::mutex ringsMutex;
std::map<uint32_t, std::weak_ptr<MirroredMemory>> rings;
uint32_t nextRing = 1;

napi_value ExposeRing(napi_env env, const std::shared_ptr<MirroredMemory>& memory) {
  return Expose(env, memory, memory->data(), memory->totalBytes());
}

/** `createRing(prefixBytes, sizeBytes)` → `{ id, buffer }`. */
napi_value CreateRing(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t prefixBytes = arguments.Integer(0, 1 << 16);
  const uint32_t sizeBytes = arguments.Integer(1, 1 << 30);
  if (arguments.Wrong()) return nullptr;
  if (prefixBytes == 0 || sizeBytes == 0) return ThrowRange(env, "Expected a ring of at least one byte");
  const std::shared_ptr<MirroredMemory> memory = MirroredMemory::Create(prefixBytes, sizeBytes);
  if (memory == nullptr) return ThrowSystem(env, errno, "No mirrored memory");
  const napi_value buffer = ExposeRing(env, memory);
  if (buffer == nullptr) return nullptr;
  uint32_t id;
  {
    const std::lock_guard<std::mutex> lock(ringsMutex);
    for (auto ring = rings.begin(); ring != rings.end();) ring = ring->second.expired() ? rings.erase(ring) : ++ring;
    id = nextRing++;
    rings[id] = memory;
  }
  napi_value result = nullptr;
  napi_create_object(env, &result);
  SetProperty(env, result, "id", Number(env, id));
  SetProperty(env, result, "buffer", buffer);
  return result;
}

/** `attachRing(id)` → an ArrayBuffer over the same memory. */
napi_value AttachRing(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t id = arguments.Integer(0, UINT32_MAX);
  if (arguments.Wrong()) return nullptr;
  std::shared_ptr<MirroredMemory> memory;
  {
    const std::lock_guard<std::mutex> lock(ringsMutex);
    const auto found = rings.find(id);
    if (found != rings.end()) memory = found->second.lock();
  }
  if (memory == nullptr) return ThrowRange(env, "Expected a ring that still exists");
  return ExposeRing(env, memory);
}

}  // namespace
}  // namespace hamsa::addon

NAPI_MODULE_INIT() {
  using namespace hamsa::addon;
  SetFunction(env, exports, "g711Encode", G711Encode);
  SetFunction(env, exports, "g711Decode", G711Decode);
  SetFunction(env, exports, "base64Encode", Base64Encode);
  SetFunction(env, exports, "createRing", CreateRing);
  SetFunction(env, exports, "attachRing", AttachRing);
  SetProperty(env, exports, "pageBytes", Number(env, static_cast<double>(sysconf(_SC_PAGESIZE))));
  DefineDecodeBatch(env, exports);
  DefineMediaTransport(env, exports);
  return exports;
}
