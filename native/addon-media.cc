#include "addon-media.h"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "addon-values.h"
#include "media-transport.h"
#include "monotonic-clock.h"

namespace hamsa::addon {
namespace {

/** A transport and its way to wake JavaScript. */
struct Transport {
  napi_env env = nullptr;
  napi_threadsafe_function wake = nullptr;
  std::unique_ptr<MediaTransport> media;
};

/** Media thread. */
void CallWake(void* context) {
  napi_call_threadsafe_function(static_cast<Transport*>(context)->wake, nullptr, napi_tsfn_nonblocking);
}

void OnWake(napi_env env, napi_value onWake, void* context, void*) {
  // Without an environment this is the end, and the transport may be gone.
  if (env == nullptr) return;
  Transport* const transport = static_cast<Transport*>(context);
  if (transport->media == nullptr) return;
  napi_value undefined = nullptr;
  napi_get_undefined(env, &undefined);
  const napi_status status = napi_call_function(env, undefined, onWake, 0, nullptr, nullptr);
  // Not before: N-API calls again at once while wakes are queued, and the rest of the event loop would wait for that.
  if (transport->media != nullptr) transport->media->WakeHandled();
  if (status != napi_pending_exception) return;
  // Left to itself, N-API makes a warning of it and the process goes on without its media.
  napi_value exception = nullptr;
  napi_get_and_clear_last_exception(env, &exception);
  napi_fatal_exception(env, exception);
}

/** Runs before the environment frees what `wake` stands on, however it ends: the thread must not outlive that. */
void StopAtExit(void* context) { static_cast<Transport*>(context)->media.reset(); }

void Close(Transport* transport) {
  // Closed already, or stopped at the exit, after which `wake` is the environment's to free.
  if (transport->media == nullptr) return;
  transport->media.reset();
  napi_remove_env_cleanup_hook(transport->env, StopAtExit, transport);
  napi_release_threadsafe_function(transport->wake, napi_tsfn_abort);
}

void DeleteTransport(napi_env, void* data, void*) {
  Transport* const transport = static_cast<Transport*>(data);
  Close(transport);
  delete transport;
}

/** `new MediaTransport(nowMs, onWake)`: `nowMs` is the time of the clock that all times are to be in. */
napi_value NewTransport(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const double nowMs = arguments.NumberWithin(0, 0, 1e12);
  const napi_value onWake = arguments.Function(1);
  if (arguments.Wrong()) return nullptr;
  const int64_t originNs = MonotonicNs() - static_cast<int64_t>(nowMs * 1e6);

  auto transport = std::make_unique<Transport>();
  transport->env = env;
  transport->media = std::make_unique<MediaTransport>(originNs, CallWake, transport.get());
  napi_value name = nullptr;
  napi_create_string_utf8(env, "hamsa-media", NAPI_AUTO_LENGTH, &name);
  napi_status status = napi_create_threadsafe_function(env, onWake, nullptr, name, 0, 1, nullptr, nullptr,
                                                       transport.get(), OnWake, &transport->wake);
  if (status != napi_ok) return ThrowSystem(env, ENOMEM, "No media transport");
  napi_unref_threadsafe_function(env, transport->wake);
  const int error = transport->media->Start();
  if (error != 0) {
    napi_release_threadsafe_function(transport->wake, napi_tsfn_abort);
    return ThrowSystem(env, error, "No media transport");
  }
  const auto& memory = transport->media->memory();
  const napi_value control = Expose(env, memory, memory->data(), memory->totalBytes());
  const napi_value self = arguments.self();
  if (control == nullptr || napi_wrap(env, self, transport.get(), DeleteTransport, nullptr, nullptr) != napi_ok) {
    transport->media.reset();
    napi_release_threadsafe_function(transport->wake, napi_tsfn_abort);
    return nullptr;
  }
  napi_add_env_cleanup_hook(env, StopAtExit, transport.get());
  SetProperty(env, self, "control", control);
  napi_value fifo = nullptr;
  napi_get_boolean(env, transport->media->fifo(), &fifo);
  SetProperty(env, self, "fifo", fifo);
  transport.release();
  return self;
}

/** The running transport that a method was called on, or null with an exception pending. */
Transport* Self(napi_env env, const Arguments& arguments) {
  void* data = nullptr;
  if (napi_unwrap(env, arguments.self(), &data) == napi_ok && static_cast<Transport*>(data)->media != nullptr) {
    return static_cast<Transport*>(data);
  }
  napi_throw_type_error(env, nullptr, "Expected an open MediaTransport");
  return nullptr;
}

/** `open(address, rtpPort)` → `portId * 65536 + rtpPort`, or the negative number of the system's error. */
napi_value OpenPort(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t address = arguments.Integer(0, UINT32_MAX);
  const uint16_t rtpPort = static_cast<uint16_t>(arguments.Integer(1, UINT16_MAX));
  if (arguments.Wrong()) return nullptr;
  Transport* const self = Self(env, arguments);
  if (self == nullptr) return nullptr;
  uint32_t portId;
  uint16_t boundPort;
  const int error = self->media->Open(address, rtpPort, &portId, &boundPort);
  return Number(env, error == 0 ? portId * 65536.0 + boundPort : -error);
}

/** `chunk(index)` → an ArrayBuffer over the memory of some ports. */
napi_value ExposeChunk(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t index = arguments.Integer(0, UINT32_MAX);
  if (arguments.Wrong()) return nullptr;
  Transport* const self = Self(env, arguments);
  if (self == nullptr) return nullptr;
  if (index >= self->media->chunks()) return ThrowRange(env, "Expected a chunk with a port");
  const auto& chunk = self->media->chunk(index);
  return Expose(env, chunk, chunk.get(), kPortsPerChunk * sizeof(PortMemory));
}

/** `setRemote(portId, rtp, rtcp)`; 0 is nowhere. */
napi_value SetRemote(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t portId = arguments.Integer(0, UINT32_MAX);
  constexpr double kLastEndpoint = 0x1p48 - 1;
  const auto rtp = static_cast<Endpoint>(arguments.NumberWithin(1, 0, kLastEndpoint));
  const auto rtcp = static_cast<Endpoint>(arguments.NumberWithin(2, 0, kLastEndpoint));
  if (arguments.Wrong()) return nullptr;
  Transport* const self = Self(env, arguments);
  if (self != nullptr) self->media->SetRemote(portId, rtp, rtcp);
  return nullptr;
}

/** Shorter packet times would keep the thread busy. */
constexpr double kMinPtimeMs = 1;
constexpr double kMaxPtimeMs = 1000;

/** Reads `ptimeMs, timestampStep, silence: Uint8Array, silencePayloadType`, from argument `first` on. */
Packetization PacketizationAt(Arguments& arguments, size_t first) {
  Packetization packetization{};
  packetization.ptimeNs = static_cast<int64_t>(arguments.NumberWithin(first, kMinPtimeMs, kMaxPtimeMs) * kNsPerMs);
  packetization.timestampStep = arguments.Integer(first + 1, UINT32_MAX);
  const auto silence = arguments.TypedArray<uint8_t>(first + 2);
  packetization.silencePayloadType = static_cast<uint8_t>(arguments.Integer(first + 3, 127));
  packetization.silenceBytes = static_cast<uint16_t>(std::min(silence.length, kMaxPayloadBytes));
  if (packetization.silenceBytes > 0) std::memcpy(packetization.silence, silence.data, packetization.silenceBytes);
  return packetization;
}

/** `startSending(portId, ssrc, sequenceNumber, timestamp, …packetization)`. */
napi_value StartSending(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t portId = arguments.Integer(0, UINT32_MAX);
  StreamStart start{};
  start.ssrc = arguments.Integer(1, UINT32_MAX);
  start.sequenceNumber = static_cast<uint16_t>(arguments.Integer(2, UINT16_MAX));
  start.timestamp = arguments.Integer(3, UINT32_MAX);
  const Packetization packetization = PacketizationAt(arguments, 4);
  if (arguments.Wrong()) return nullptr;
  Transport* const self = Self(env, arguments);
  if (self != nullptr) self->media->StartSending(portId, start, packetization);
  return nullptr;
}

/** `reconfigure(portId, …packetization)`. */
napi_value Reconfigure(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t portId = arguments.Integer(0, UINT32_MAX);
  const Packetization packetization = PacketizationAt(arguments, 1);
  if (arguments.Wrong()) return nullptr;
  Transport* const self = Self(env, arguments);
  if (self != nullptr) self->media->Reconfigure(portId, packetization);
  return nullptr;
}

/** `sendRtcp(portId, bytes)` → whether the system took it. */
napi_value SendRtcp(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t portId = arguments.Integer(0, UINT32_MAX);
  const auto bytes = arguments.TypedArray<uint8_t>(1);
  if (arguments.Wrong()) return nullptr;
  Transport* const self = Self(env, arguments);
  if (self == nullptr) return nullptr;
  napi_value taken = nullptr;
  napi_get_boolean(env, self->media->SendRtcp(portId, bytes.data, bytes.length), &taken);
  return taken;
}

/** `closePort(portId)`. */
napi_value ClosePort(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t portId = arguments.Integer(0, UINT32_MAX);
  if (arguments.Wrong()) return nullptr;
  Transport* const self = Self(env, arguments);
  if (self != nullptr) self->media->Close(portId);
  return nullptr;
}

/** `keepAlive(on)`: whether the transport keeps the event loop running. */
napi_value KeepAlive(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const bool on = arguments.Boolean(0);
  if (arguments.Wrong()) return nullptr;
  Transport* const self = Self(env, arguments);
  if (self == nullptr) return nullptr;
  if (on) napi_ref_threadsafe_function(env, self->wake);
  else napi_unref_threadsafe_function(env, self->wake);
  return nullptr;
}

/** `close()`: returns when the thread has ended. Idempotent. */
napi_value CloseTransport(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  void* data = nullptr;
  if (napi_unwrap(env, arguments.self(), &data) != napi_ok) return nullptr;
  Close(static_cast<Transport*>(data));
  return nullptr;
}

}  // namespace

void DefineMediaTransport(napi_env env, napi_value exports) {
  const auto method = [](const char* name, napi_callback callback) {
    return napi_property_descriptor{name, nullptr, callback, nullptr, nullptr, nullptr, napi_default_method, nullptr};
  };
  const napi_property_descriptor methods[] = {
      method("open", OpenPort),         method("chunk", ExposeChunk),         method("setRemote", SetRemote),
      method("closePort", ClosePort),   method("startSending", StartSending), method("reconfigure", Reconfigure),
      method("sendRtcp", SendRtcp),     method("keepAlive", KeepAlive),       method("close", CloseTransport),
  };
  napi_value constructor = nullptr;
  napi_define_class(env, "MediaTransport", NAPI_AUTO_LENGTH, NewTransport, nullptr, std::size(methods), methods,
                    &constructor);
  SetProperty(env, exports, "MediaTransport", constructor);

  // What TypeScript must agree on before it touches the shared memory.
  const struct {
    const char* name;
    size_t value;
  } numbers[] = {
      {"ports", kMaxPorts},
      {"portsPerChunk", kPortsPerChunk},
      {"packetRingBytes", kPacketRingBytes},
      {"packetRecordBytes", sizeof(PacketRecord)},
      {"payloadBytes", kMaxPayloadBytes},
      {"frameSlots", kFrameSlots},
      {"capacityFrames", kCapacityFrames},
      {"frameBytes", sizeof(Frame)},
      {"portMemoryBytes", sizeof(PortMemory)},
      {"ticksOffset", offsetof(TransportControl, ticks)},
      {"framesOffset", offsetof(PortMemory, frames)},
  };
  napi_value layout = nullptr;
  napi_create_object(env, &layout);
  for (const auto& number : numbers) {
    SetProperty(env, layout, number.name, Number(env, static_cast<double>(number.value)));
  }
  SetProperty(env, exports, "mediaLayout", layout);
}

}  // namespace hamsa::addon
