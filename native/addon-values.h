#pragma once

#include <node_api.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

/** Values on their way between JavaScript and the primitives, checked. */
namespace hamsa::addon {

/** A typed array's memory. It belongs to JavaScript: valid until the call returns, or while a reference is held. */
template <typename Element>
struct View {
  Element* data = nullptr;
  size_t length = 0;
};

constexpr napi_typedarray_type TypeOf(const uint8_t*) { return napi_uint8_array; }
constexpr napi_typedarray_type TypeOf(const int16_t*) { return napi_int16_array; }
constexpr napi_typedarray_type TypeOf(const int32_t*) { return napi_int32_array; }
constexpr napi_typedarray_type TypeOf(const double*) { return napi_float64_array; }

/** The arguments of one call. The first that is not what it should be makes all that follow moot. */
class Arguments {
 public:
  static constexpr size_t kMost = 8;

  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    napi_get_cb_info(env, info, &count_, values_, &self_, nullptr);
  }

  double Number(size_t index) {
    double number = 0;
    Expect(napi_get_value_double(env_, values_[index], &number) == napi_ok, index, "a number");
    return number;
  }

  double NumberWithin(size_t index, double least, double most) {
    const double number = Number(index);
    const bool right = number >= least && number <= most;
    Expect(right, index, "a number within its range");
    return right ? number : least;
  }

  /** An integer of 0 … `most`. */
  uint32_t Integer(size_t index, uint32_t most) {
    const double number = NumberWithin(index, 0, most);
    Expect(number == std::floor(number), index, "an integer");
    return static_cast<uint32_t>(number);
  }

  bool Boolean(size_t index) {
    bool boolean = false;
    Expect(napi_get_value_bool(env_, values_[index], &boolean) == napi_ok, index, "a boolean");
    return boolean;
  }

  napi_value Function(size_t index) {
    napi_valuetype type = napi_undefined;
    napi_typeof(env_, values_[index], &type);
    Expect(type == napi_function, index, "a function");
    return values_[index];
  }

  template <typename Element>
  View<Element> TypedArray(size_t index) {
    napi_typedarray_type type;
    void* data = nullptr;
    View<Element> view;
    const napi_status status =
        napi_get_typedarray_info(env_, values_[index], &type, &view.length, &data, nullptr, nullptr);
    const bool right = status == napi_ok && type == TypeOf(view.data);
    Expect(right, index, "a typed array of the right kind");
    if (!right) return {};
    view.data = static_cast<Element*>(data);
    return view;
  }

  napi_value Value(size_t index) const { return values_[index]; }
  napi_value self() const { return self_; }

  /** @returns true, with an exception pending, if an argument was wrong. */
  bool Wrong() const {
    if (expected_ == nullptr) return false;
    const std::string message = std::string("Expected ") + expected_ + " for argument " + std::to_string(wrong_ + 1);
    napi_throw_type_error(env_, nullptr, message.c_str());
    return true;
  }

 private:
  void Expect(bool condition, size_t index, const char* what) {
    if (condition || expected_ != nullptr) return;
    expected_ = what;
    wrong_ = index;
  }

  const napi_env env_;
  size_t count_ = kMost;
  /** N-API fills what was not passed with undefined. */
  napi_value values_[kMost];
  napi_value self_ = nullptr;
  const char* expected_ = nullptr;
  size_t wrong_ = 0;
};

inline napi_value ThrowRange(napi_env env, const std::string& message) {
  napi_throw_range_error(env, nullptr, message.c_str());
  return nullptr;
}

inline napi_value ThrowSystem(napi_env env, int error, const char* what) {
  napi_throw_error(env, nullptr, (std::string(what) + ": " + std::strerror(error)).c_str());
  return nullptr;
}

inline napi_value Number(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

inline void SetProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

inline void SetFunction(napi_env env, napi_value object, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  SetProperty(env, object, name, function);
}

/** An ArrayBuffer over memory that lives at least as long: the buffer is one of its owners. */
template <typename Memory>
napi_value Expose(napi_env env, const std::shared_ptr<Memory>& owner, void* data, size_t bytes) {
  auto* const held = new std::shared_ptr<Memory>(owner);
  const auto release = [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Memory>*>(hint); };
  napi_value buffer = nullptr;
  if (napi_create_external_arraybuffer(env, data, bytes, release, held, &buffer) != napi_ok) {
    delete held;
    napi_throw_error(env, nullptr, "This runtime allows no ArrayBuffer over memory of an addon");
    return nullptr;
  }
  return buffer;
}

}  // namespace hamsa::addon
