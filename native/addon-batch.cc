#include "addon-batch.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "addon-values.h"
#include "g711.h"
#include "speech-power.h"

namespace hamsa::addon {
namespace {

/** A job as `src/audio/decode-batch.ts` writes it. As unsigned numbers, negative ones are too large as well. */
struct Job {
  int32_t kindAndLane;
  uint32_t codesOffset;
  uint32_t start;
  uint32_t length;

  int32_t kind() const { return kindAndLane & 3; }
  size_t lane() const { return static_cast<size_t>(kindAndLane >> 2); }
};
static_assert(sizeof(Job) == 16);

/** Other kinds are the numbers of the laws. */
constexpr int32_t kMeasure = 2;

/** What is measured at once; streams of a group are different ones. */
constexpr size_t kGroup = 64;

/** A filter and its coefficients lie side by side in JavaScript's memory. */
struct Filter {
  SpeechFilter state;
  SpeechFilterCoefficients coefficients;
  double unused;
};
static_assert(sizeof(Filter) == 64);

/** The ring of one stream; without memory, that of none. */
struct Lane {
  View<int16_t> samples;
  size_t capacity = 0;
  napi_ref reference = nullptr;
};

/** Memory that was looked up once, because looking it up costs more than decoding a packet. */
struct DecodeBatch {
  View<uint8_t> codes;
  View<int32_t> jobs;
  View<double> filters;
  View<double> results;
  std::vector<Lane> lanes;
  /** Keep the typed arrays, and so their memory. */
  napi_ref references[4];
  /** The number of the group that a lane was measured in last, so that none is twice in one. */
  std::vector<uint32_t> groupOfLane;
  uint32_t group = 0;
};

bool IsWithin(const DecodeBatch& batch, const Job& job) {
  if (job.lane() >= batch.lanes.size() || job.kind() > kMeasure) return false;
  const Lane& lane = batch.lanes[job.lane()];
  // No second copy may reach beyond what a ring holds twice.
  const bool hasCodes = job.kind() == kMeasure || size_t{job.codesOffset} + job.length <= batch.codes.length;
  return hasCodes && job.start < lane.capacity && job.length <= lane.capacity &&
         size_t{job.start} + job.length <= lane.samples.length;
}

/** Makes the second copies of what was stored at `start`, as `Ring.mirror` does. */
void Mirror(const Lane& lane, size_t start, size_t length) {
  int16_t* const samples = lane.samples.data;
  const size_t end = start + length;
  const size_t mirroredEnd = std::min(end, lane.samples.length - lane.capacity);
  if (start < mirroredEnd) std::copy(samples + start, samples + mirroredEnd, samples + start + lane.capacity);
  if (end > lane.capacity) std::copy(samples + lane.capacity, samples + end, samples);
}

void Decode(const DecodeBatch& batch, const Job& job) {
  const Lane& lane = batch.lanes[job.lane()];
  g711::Decode(static_cast<g711::Law>(job.kind()), batch.codes.data + job.codesOffset, job.length,
               lane.samples.data + job.start);
  Mirror(lane, job.start, job.length);
}

void MeasureAll(DecodeBatch& batch, const Job* jobs, int32_t from, int32_t to) {
  SpeechFrame frames[kGroup];
  size_t count = 0;
  size_t length = 0;
  const auto flush = [&] {
    MeasureSpeech(frames, count, length);
    count = 0;
    batch.group++;
  };
  batch.group++;
  for (int32_t i = from; i < to; i++) {
    const Job& job = jobs[i];
    if (job.kind() != kMeasure) continue;
    const bool isRepeated = batch.groupOfLane[job.lane()] == batch.group;
    if (count == kGroup || (count > 0 && (isRepeated || job.length != length))) flush();
    batch.groupOfLane[job.lane()] = batch.group;
    length = job.length;
    Filter* const filter = reinterpret_cast<Filter*>(batch.filters.data) + job.lane();
    frames[count++] = {&filter->state, &filter->coefficients, batch.lanes[job.lane()].samples.data + job.start,
                       reinterpret_cast<SpeechLevels*>(batch.results.data) + i};
  }
  flush();
}

/** The batch that a method was called on, or null with an exception pending. */
DecodeBatch* Self(napi_env env, napi_value self) {
  void* data = nullptr;
  if (napi_unwrap(env, self, &data) == napi_ok) return static_cast<DecodeBatch*>(data);
  napi_throw_type_error(env, nullptr, "Expected a DecodeBatch");
  return nullptr;
}

/** `run(from, to)`: carries out these jobs, first all decoding, then all measuring. */
napi_value RunDecodeBatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t from = arguments.Integer(0, INT32_MAX);
  const uint32_t to = arguments.Integer(1, INT32_MAX);
  if (arguments.Wrong()) return nullptr;
  DecodeBatch* const batch = Self(env, arguments.self());
  if (batch == nullptr) return nullptr;
  if (to > batch->jobs.length / 4) return ThrowRange(env, "Expected fewer jobs");
  const Job* const jobs = reinterpret_cast<const Job*>(batch->jobs.data);
  for (uint32_t i = from; i < to; i++) {
    if (!IsWithin(*batch, jobs[i])) {
      return ThrowRange(env, "Expected job " + std::to_string(i) + " within the memory of the batch");
    }
  }
  for (uint32_t i = from; i < to; i++) {
    if (jobs[i].kind() != kMeasure) Decode(*batch, jobs[i]);
  }
  MeasureAll(*batch, jobs, static_cast<int32_t>(from), static_cast<int32_t>(to));
  return nullptr;
}

/** `detach(lane)`. */
napi_value Detach(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t index = arguments.Integer(0, INT32_MAX);
  if (arguments.Wrong()) return nullptr;
  DecodeBatch* const batch = Self(env, arguments.self());
  if (batch == nullptr || index >= batch->lanes.size()) return nullptr;
  Lane& lane = batch->lanes[index];
  if (lane.reference != nullptr) napi_delete_reference(env, lane.reference);
  lane = Lane{};
  return nullptr;
}

/** `attach(lane, samples: Int16Array, capacitySamples)`: what lies behind the capacity holds its beginning again. */
napi_value Attach(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  const uint32_t index = arguments.Integer(0, INT32_MAX);
  const auto samples = arguments.TypedArray<int16_t>(1);
  const uint32_t capacity = arguments.Integer(2, INT32_MAX);
  if (arguments.Wrong()) return nullptr;
  DecodeBatch* const batch = Self(env, arguments.self());
  if (batch == nullptr) return nullptr;
  if (index >= batch->lanes.size() || capacity > samples.length || samples.length > 2 * size_t{capacity}) {
    return ThrowRange(env, "Expected a lane of the batch and a ring with its capacity");
  }
  Lane& lane = batch->lanes[index];
  if (lane.reference != nullptr) napi_delete_reference(env, lane.reference);
  lane = {samples, capacity, nullptr};
  napi_create_reference(env, arguments.Value(1), 1, &lane.reference);
  return nullptr;
}

void DeleteDecodeBatch(napi_env env, void* data, void*) {
  DecodeBatch* const batch = static_cast<DecodeBatch*>(data);
  for (const napi_ref reference : batch->references) napi_delete_reference(env, reference);
  for (const Lane& lane : batch->lanes) {
    if (lane.reference != nullptr) napi_delete_reference(env, lane.reference);
  }
  delete batch;
}

/** `new DecodeBatch(codes, jobs: Int32Array, filters: Float64Array, results: Float64Array)`. */
napi_value NewDecodeBatch(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto batch = std::make_unique<DecodeBatch>();
  batch->codes = arguments.TypedArray<uint8_t>(0);
  batch->jobs = arguments.TypedArray<int32_t>(1);
  batch->filters = arguments.TypedArray<double>(2);
  batch->results = arguments.TypedArray<double>(3);
  if (arguments.Wrong()) return nullptr;
  if (batch->results.length / 2 < batch->jobs.length / 4) return ThrowRange(env, "Expected two results a job");
  batch->lanes.resize(batch->filters.length / 8);
  batch->groupOfLane.resize(batch->lanes.size());
  if (napi_wrap(env, arguments.self(), batch.get(), DeleteDecodeBatch, nullptr, nullptr) != napi_ok) return nullptr;
  for (size_t i = 0; i < 4; i++) napi_create_reference(env, arguments.Value(i), 1, &batch->references[i]);
  batch.release();
  return arguments.self();
}

}  // namespace

void DefineDecodeBatch(napi_env env, napi_value exports) {
  const auto method = [](const char* name, napi_callback callback) {
    return napi_property_descriptor{name, nullptr, callback, nullptr, nullptr, nullptr, napi_default_method, nullptr};
  };
  const napi_property_descriptor methods[] = {method("run", RunDecodeBatch), method("attach", Attach),
                                              method("detach", Detach)};
  napi_value constructor = nullptr;
  napi_define_class(env, "DecodeBatch", NAPI_AUTO_LENGTH, NewDecodeBatch, nullptr, std::size(methods), methods,
                    &constructor);
  SetProperty(env, exports, "DecodeBatch", constructor);
}

}  // namespace hamsa::addon
